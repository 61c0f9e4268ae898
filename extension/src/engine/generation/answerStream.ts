// An answer as it is decoded: from tokens to what a person reads. Text by whole characters, the reasoning told apart, stop texts, calls
// of tools, log-probabilities. One for each request; called by session.ts with each token.
import { randomUUID } from 'node:crypto';
import { ReasoningSplit, REASONING_TOKENS } from '../../core/text/reasoning.js';
import { StopTexts } from '../../core/text/stopTexts.js';
import { TextStream } from '../../core/text/textStream.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { ToolCalls, TOOL_CALL_TOKENS } from '../../core/text/toolCalls.js';
import type { GenerationAnswer, GenerationRequest, Piece, TokenLogprob } from '../../protocol/sessionMessages.js';
import { tokenLogprob } from './logprobs.js';
import type { Prompt } from './prompt.js';

export type AnswerParts = Omit<GenerationAnswer, 'usage' | 'dropped_turns' | 'first_token_ms' | 'tokens_per_second'> & {
  reasoningTokens: number;
};

/** Nothing but text, for a text to continue. */
const PLAIN = { isOver: true, hasReasoning: false, push: toText, end: () => toText('') };

export class AnswerStream {
  private readonly ids: number[] = [];
  private readonly logprobs: TokenLogprob[] | null;
  private readonly stream: TextStream;
  private readonly reasoningSplit: Pick<ReasoningSplit, 'isOver' | 'hasReasoning' | 'push' | 'end'>;
  private readonly stopTexts: StopTexts;
  private readonly toolCalls: ToolCalls | null;
  private text = '';
  private reasoning = '';
  private reasoningTokens = 0;
  /** Log-probabilities that pieces have had. */
  private sentLogprobs = 0;

  constructor(
    private readonly tokenizer: TextTokenizer,
    private readonly request: GenerationRequest,
    prompt: Prompt,
    private readonly onPiece?: (piece: Piece) => void,
  ) {
    const { messages, tools = [], sampling, top_logprobs: top } = request;
    this.logprobs = top === null ? null : [];
    this.toolCalls = messages && tools.length > 0 ? new ToolCalls(tools) : null;
    this.reasoningSplit = messages ? new ReasoningSplit(prompt.chat) : PLAIN;
    this.stopTexts = new StopTexts(sampling.stop);
    this.stream = messages
      ? new TextStream(tokenizer, {
          keptTokens: new Set([...REASONING_TOKENS, ...(this.toolCalls ? TOOL_CALL_TOKENS : [])]),
        })
      : new TextStream(tokenizer, { context: prompt.ids });
  }

  get tokens(): number {
    return this.ids.length;
  }

  /**
   * @param logits of the model before the token, if log-probabilities are asked for
   * @returns false if a stop text ends the answer
   */
  push(id: number, logits: Float32Array | null): boolean {
    this.ids.push(id);
    if (this.logprobs) this.logprobs.push(tokenLogprob(this.tokenizer, logits!, id, this.request.top_logprobs!));
    const isOver = this.reasoningSplit.isOver;
    const { reasoning, text } = this.reasoningSplit.push(this.stream.push(id));
    if (!isOver && this.reasoningSplit.hasReasoning) this.reasoningTokens = this.ids.length;
    const spoken = this.stopTexts.push(text);
    this.send(reasoning, this.toolCalls ? this.toolCalls.push(spoken) : spoken);
    return !this.stopTexts.isStopped;
  }

  /** @param outOfRoom whether the answer ends because it may not be longer */
  end(outOfRoom: boolean): AnswerParts {
    const { reasoning, text } = this.rest();
    this.send(reasoning, text);
    if (this.sentLogprobs < (this.logprobs?.length ?? 0)) this.sendPiece('', '');
    const calls = this.toolCalls?.calls ?? [];
    const isCut = outOfRoom && !this.stopTexts.isStopped;
    return {
      text: this.text,
      reasoning: this.reasoning,
      tool_calls: calls.map(call => ({ id: `call_${randomUUID().replaceAll('-', '')}`, ...call })),
      finish_reason: isCut ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop',
      logprobs: this.logprobs,
      token_ids: this.ids,
      reasoningTokens: this.reasoningTokens,
    };
  }

  /** What was held back. */
  private rest(): { reasoning: string; text: string } {
    const pushed = this.reasoningSplit.push(this.stream.end());
    const held = this.reasoningSplit.end();
    const text = this.stopTexts.push(pushed.text + held.text) + this.stopTexts.end();
    return {
      reasoning: pushed.reasoning + held.reasoning,
      text: this.toolCalls ? this.toolCalls.push(text) + this.toolCalls.end() : text,
    };
  }

  private send(reasoning: string, text: string): void {
    this.reasoning += reasoning;
    this.text += text;
    if (reasoning !== '' || text !== '') this.sendPiece(reasoning, text);
  }

  private sendPiece(reasoning: string, text: string): void {
    const logprobs = this.logprobs?.slice(this.sentLogprobs);
    this.sentLogprobs = this.logprobs?.length ?? 0;
    this.onPiece?.({ text, reasoning, tokens: this.ids.length, ...(logprobs && { logprobs }) });
  }
}

function toText(text: string): { reasoning: string; text: string } {
  return { reasoning: '', text };
}
