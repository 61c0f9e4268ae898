// Results of the workspace's runs and their base models as language models of the editor: a model picker lists them, and extensions find
// them with vscode.lm.selectChatModels({ vendor: 'tunewright' }). Nothing is asked, installed or downloaded for it, and a model is
// loaded with the first request to it.
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { isObject } from '../../core/data/formats/rowFields.js';
import { harmlessText } from '../../core/harmlessText.js';
import { samplingSchema } from '../../protocol/sampling.js';
import type { GenerationInput, SessionSettings, ToolCall } from '../../protocol/sessionMessages.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import { settingsOfRun } from '../runs/runSettings.js';
import type { EngineService, HostServices, ModelSession, Run, RunService, SessionService } from '../services.js';
import {
  registerChatProvider,
  textPart,
  toolCallPart,
  type ChatModelInformation,
  type ChatModelProvider,
  type RequestMessage,
  type ResponseOptions,
  type TextPart,
  type ToolCallPart,
} from './chatProviderApi.js';
import { chatTurns, countedTurn } from './chatTurns.js';

/** As `contributes.languageModelChatProviders` of package.json. */
const VENDOR = 'tunewright';

/** Longest answer, as a share of the context and in tokens. */
const OUTPUT_SHARE = 0.25;
const MAX_OUTPUT_TOKENS = 1024;

export interface TunedModel extends ChatModelInformation {
  readonly settings: SessionSettings;
  /** Folder of the adapter; null: the base itself. */
  readonly adapter: string | null;
}

/** A model before its context length is known. */
type Found = Pick<TunedModel, 'id' | 'name' | 'detail' | 'version' | 'settings' | 'adapter'>;

export class TunedModels implements ChatModelProvider<TunedModel>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];
  private readonly contexts = new Map<string, Promise<number>>();
  /** One for each base, kept so that adapters stay attached. */
  private readonly held = new Map<string, Promise<ModelSession>>();

  constructor(
    private readonly engine: Pick<EngineService, 'inspectModel'>,
    private readonly runs: Pick<RunService, 'runs' | 'onDidChange' | 'onDidEnd'>,
    private readonly sessions: Pick<SessionService, 'open'>,
  ) {
    const changed = () => this.changed.fire();
    this.subscriptions = [
      runs.onDidChange(changed),
      runs.onDidEnd(changed),
      vscode.workspace.onDidGrantWorkspaceTrust(changed),
    ];
  }

  async provideLanguageModelChatInformation(): Promise<TunedModel[]> {
    if (!vscode.workspace.isTrusted) return [];
    const described = await Promise.all(foundModels(this.runs.runs()).map(found => this.describe(found)));
    return described.filter(model => model !== null);
  }

  async provideLanguageModelChatResponse(
    model: TunedModel,
    messages: readonly RequestMessage[],
    { modelOptions = {}, tools }: ResponseOptions,
    progress: vscode.Progress<TextPart | ToolCallPart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const session = await this.session(model, token);
    const input: GenerationInput = {
      messages: chatTurns(messages),
      adapters: model.adapter === null ? [] : [{ name: model.adapter }],
      sampling: { max_new_tokens: model.maxOutputTokens, ...samplingOf(modelOptions) },
      ...(tools && tools.length > 0 ? { tools: tools.map(functionOf) } : {}),
    };
    const { tool_calls: calls } = await session.generate(input, {
      token,
      onPiece: ({ text }) => {
        if (text !== '') progress.report(textPart(text));
      },
    });
    for (const call of calls) progress.report(partOf(call));
  }

  async provideTokenCount(
    model: TunedModel,
    text: string | RequestMessage,
    token: vscode.CancellationToken,
  ): Promise<number> {
    const session = await this.session(model, token);
    if (typeof text === 'string') return session.countTokens({ text });
    const turn = countedTurn(text);
    return turn === null ? 0 : session.countTokens({ messages: [turn] });
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions, this.changed).dispose();
    for (const holding of this.held.values())
      void holding.then(
        session => session.dispose(),
        () => {},
      );
    this.held.clear();
  }

  /** Null for a model that isn't on this machine or can't be used. */
  private async describe(found: Found): Promise<TunedModel | null> {
    const { model } = found.settings;
    const reading =
      this.contexts.get(model) ?? this.engine.inspectModel(model).then(({ contextLength }) => contextLength);
    this.contexts.set(model, reading);
    try {
      const context = await reading;
      const maxOutputTokens = Math.min(MAX_OUTPUT_TOKENS, Math.floor(context * OUTPUT_SHARE));
      const limits = { maxInputTokens: context - maxOutputTokens, maxOutputTokens };
      return { ...found, ...limits, family: basename(model), capabilities: {}, isUserSelectable: true };
    } catch {
      this.contexts.delete(model);
      return null;
    }
  }

  private async session(model: TunedModel, token: vscode.CancellationToken): Promise<ModelSession> {
    const key = JSON.stringify(model.settings);
    const holding = this.held.get(key) ?? this.sessions.open(model.settings);
    this.held.set(key, holding);
    const forget = () => {
      if (this.held.get(key) === holding) this.held.delete(key);
    };
    const session = await holding.catch(error => {
      forget();
      throw error;
    });
    // Known to the process already, unless the folder was rewritten or the process started again.
    if (model.adapter !== null) await session.load(model.adapter, model.adapter);
    if (token.isCancellationRequested) throw new vscode.CancellationError();
    return session;
  }
}

export function registerLanguageModels({ engine, runs, sessions }: HostServices): vscode.Disposable {
  const models = new TunedModels(engine, runs, sessions);
  return vscode.Disposable.from(models, registerChatProvider(VENDOR, models));
}

/** The results of runs, and after them their base models, each once. */
function foundModels(runs: readonly Run[]): Found[] {
  const results: Found[] = [];
  const bases = new Map<string, Found>();
  for (const run of runs) {
    const result = resultOf(run);
    const settings = settingsOfRun(run);
    if (result === null || settings === null) continue;
    results.push(resultModel(run, result, settings));
    const base = baseModel(settings);
    bases.set(base.id, base);
  }
  return [...results, ...bases.values()];
}

function resultModel(run: Run, result: string, base: SessionSettings): Found {
  const isModel = isWholeModel(result);
  return {
    id: vscode.workspace.asRelativePath(run.folder),
    name: harmlessText(run.name),
    detail: harmlessText(`fine-tuned from ${basename(base.model)}`),
    version: new Date(run.startedMs).toISOString(),
    settings: isModel ? { ...base, model: result } : base,
    adapter: isModel ? null : result,
  };
}

function baseModel(settings: SessionSettings): Found {
  const { model, base_weights: weights } = settings;
  const detail = weights === 'float32' ? 'base model' : `base model, ${weights}`;
  const id = weights === 'float32' ? model : `${model} ${weights}`;
  return { id, name: harmlessText(basename(model)), detail, version: '1', settings, adapter: null };
}

/** Those of a request's options that sampling has; extensions also pass others. */
function samplingOf(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in samplingSchema.shape));
}

/** A call; shown as text if its arguments are no JSON object, which is all that VS Code can pass on. */
function partOf({ id, name, arguments: json }: ToolCall): TextPart | ToolCallPart {
  try {
    const input: unknown = JSON.parse(json);
    if (isObject(input)) return toolCallPart(id, name, input);
  } catch {
    // Such as NaN, which Python writes.
  }
  return textPart(`\n${name}(${json})`);
}

function functionOf({ name, description, inputSchema }: NonNullable<ResponseOptions['tools']>[number]): object {
  return { type: 'function', function: { name, description, parameters: inputSchema ?? { type: 'object' } } };
}
