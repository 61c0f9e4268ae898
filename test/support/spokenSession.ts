// A session without a model that says what a test gives it, by a real tokenizer and chat template: prompts are rendered, answers are
// read token by token as those of a model.
import type { TextTokenizer } from '../../extension/src/core/text/textTokenizer.js';
import { templateVariables } from '../../extension/src/core/text/chatTemplate.js';
import { AnswerStream } from '../../extension/src/engine/generation/answerStream.js';
import { fittingPrompt } from '../../extension/src/engine/generation/prompt.js';
import type { ServedSession } from '../../extension/src/engine/serve/app.js';
import { generationSchema } from '../../extension/src/protocol/sessionMessages.js';
import { scriptedSession } from './scriptedSession.js';

const POSITIONS = 100_000;

export interface SpokenSession extends ServedSession {
  /** As the template writes them. */
  prompts: string[];
}

/** @param answers what it says, request by request */
export function spokenSession(tokenizer: TextTokenizer, answers: readonly string[]): SpokenSession {
  const prompts: string[] = [];
  const scripted = scriptedSession();
  const facts = { ...scripted.facts, context_length: POSITIONS, template_variables: templateVariables(tokenizer) };
  return {
    ...scripted,
    facts: { ...facts, has_chat_template: tokenizer.chatTemplate !== null },
    prompts,
    generate: async (input, { onPiece } = {}) => {
      const request = generationSchema.parse(input);
      const { max_new_tokens: maxNewTokens } = request.sampling;
      const prompt = fittingPrompt(tokenizer, request, { positions: POSITIONS, maxNewTokens });
      const stream = new AnswerStream(tokenizer, request, prompt, onPiece);
      const answer = answers[prompts.push(prompt.chat) - 1] ?? '';
      const ids = tokenizer.encode(answer, { addSpecialTokens: false }).slice(0, maxNewTokens);
      const logits = request.top_logprobs === null ? null : new Float32Array(tokenizer.vocabSize);
      for (const id of ids) {
        await Promise.resolve();
        if (!stream.push(id, logits)) break;
      }
      const { reasoningTokens, ...parts } = stream.end(ids.length === maxNewTokens);
      return {
        ...parts,
        usage: {
          prompt_tokens: prompt.ids.length,
          cached_tokens: 0,
          completion_tokens: stream.tokens,
          reasoning_tokens: reasoningTokens,
        },
        dropped_turns: prompt.droppedTurns,
        first_token_ms: 1,
        tokens_per_second: null,
      };
    },
  };
}
