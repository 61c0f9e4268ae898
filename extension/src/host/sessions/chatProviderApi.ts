// The part of VS Code's API for language model providers that is used here: finalized in 1.104, newer than the types of engines.vscode.
import * as vscode from 'vscode';

export interface ChatModelInformation {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  readonly version: string;
  readonly tooltip?: string;
  readonly detail?: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly capabilities: { readonly toolCalling?: boolean; readonly imageInput?: boolean };
  /** Since 1.120 the model picker lists only models that have it. */
  readonly isUserSelectable: true;
}

export interface TextPart {
  readonly value: string;
}

export interface ToolCallPart {
  readonly callId: string;
  readonly name: string;
  readonly input: object;
}

export interface ToolResultPart {
  readonly callId: string;
  readonly content: readonly unknown[];
}

export interface RequestMessage {
  readonly role: vscode.LanguageModelChatMessageRole;
  /** Parts of the kinds above, images and kinds to come. */
  readonly content: readonly unknown[];
}

export interface ResponseOptions {
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  readonly tools?: readonly { name: string; description: string; inputSchema?: object }[];
}

export interface ChatModelProvider<T extends ChatModelInformation> {
  readonly onDidChangeLanguageModelChatInformation: vscode.Event<void>;
  provideLanguageModelChatInformation(options: { silent: boolean }, token: vscode.CancellationToken): Promise<T[]>;
  provideLanguageModelChatResponse(
    model: T,
    messages: readonly RequestMessage[],
    options: ResponseOptions,
    progress: vscode.Progress<TextPart | ToolCallPart>,
    token: vscode.CancellationToken,
  ): Promise<void>;
  provideTokenCount(model: T, text: string | RequestMessage, token: vscode.CancellationToken): Promise<number>;
}

interface ProviderApi {
  readonly lm: {
    registerLanguageModelChatProvider?(
      vendor: string,
      provider: ChatModelProvider<ChatModelInformation>,
    ): vscode.Disposable;
  };
  readonly LanguageModelTextPart: new (value: string) => TextPart;
  readonly LanguageModelToolCallPart: new (callId: string, name: string, input: object) => ToolCallPart;
}

const api = vscode as unknown as ProviderApi;

/** Does nothing in a VS Code before 1.104. */
export function registerChatProvider<T extends ChatModelInformation>(
  vendor: string,
  provider: ChatModelProvider<T>,
): vscode.Disposable {
  // The models that VS Code passes are those that the provider has given.
  const given = provider as unknown as ChatModelProvider<ChatModelInformation>;
  return api.lm?.registerLanguageModelChatProvider?.(vendor, given) ?? vscode.Disposable.from();
}

/** VS Code accepts instances of its own classes only. */
export function textPart(value: string): TextPart {
  return new api.LanguageModelTextPart(value);
}

export function toolCallPart(callId: string, name: string, input: object): ToolCallPart {
  return new api.LanguageModelToolCallPart(callId, name, input);
}
