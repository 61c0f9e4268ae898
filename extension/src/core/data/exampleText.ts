// An example as readable text: an excerpt for lists of rows, turns for the preview's rendered view. Pure.
import type { AnsweredExample, Example } from './example.js';
import { writeJsonText } from './jsonText.js';

/** A part of an example that is trained on, or not. */
export interface ExampleTurn {
  role: string;
  content: string;
  trained: boolean;
}

export const EXCERPT_LENGTH = 300;

/** Text that distinguishes a row at a glance; null: use the row's own text. */
export function excerptOf(example: Example): string | null {
  switch (example.kind) {
    case 'chat':
      return example.messages
        .filter(({ role }) => role !== 'system')
        .map(({ content }) => (content ?? '').slice(0, EXCERPT_LENGTH / 2))
        .join(' → ')
        .slice(0, EXCERPT_LENGTH);
    case 'completion':
      return `${example.prompt.slice(0, EXCERPT_LENGTH / 2)} → ${example.completion.slice(0, EXCERPT_LENGTH / 2)}`;
    case 'preference':
      return [excerptOf(example.chosen), answerOf(example.rejected).map(({ content }) => content)]
        .join(' ≻ ')
        .slice(0, EXCERPT_LENGTH);
    case 'text':
      return example.text.slice(0, EXCERPT_LENGTH);
    case 'tokenized':
      return null;
  }
}

/** What an example asks, before its last answer; '' for examples without answers. */
export function questionOf(example: Example): string {
  switch (example.kind) {
    case 'chat': {
      const last = example.messages.findLastIndex(({ role }) => role === 'assistant');
      return example.messages
        .slice(0, Math.max(0, last))
        .map(({ content }) => content ?? '')
        .join('\n');
    }
    case 'completion':
      return example.prompt;
    case 'preference':
      return questionOf(example.chosen);
    case 'text':
    case 'tokenized':
      return '';
  }
}

/** The row's turns, and whether each is trained on; empty for tokenized rows. */
export function turnsOf(example: Example, trainOn: 'completions' | 'all'): ExampleTurn[] {
  const all = trainOn === 'all';
  switch (example.kind) {
    case 'chat':
      return example.messages.map(({ role, content, tool_calls: calls, noLoss }, index) => ({
        role,
        content: calls ? [content, writeJsonText(calls, 2)].filter(Boolean).join('\n') : (content ?? ''),
        trained: (all || (role === 'assistant' && index >= (example.trainFrom ?? 0))) && !noLoss,
      }));
    case 'completion':
      return [
        { role: 'prompt', content: example.prompt, trained: all },
        { role: 'completion', content: example.completion, trained: true },
      ];
    case 'preference': {
      const { chosen, rejected } = example;
      const whole = turnsOf(chosen, trainOn);
      const prompt = whole.slice(0, whole.length - answerOf(chosen).length);
      const named = (name: string, answer: AnsweredExample) =>
        answerOf(answer).map(turn => ({ ...turn, role: turn.role === 'assistant' ? name : `${name}: ${turn.role}` }));
      const turns = [...prompt, ...named('chosen', chosen), ...named('rejected', rejected)];
      return turns.map(turn => ({ ...turn, trained: false }));
    }
    case 'text':
      return [{ role: 'text', content: example.text, trained: true }];
    case 'tokenized':
      return [];
  }
}

/** The turns after the prompt. */
function answerOf(example: AnsweredExample): ExampleTurn[] {
  if (example.kind === 'completion') return [{ role: 'assistant', content: example.completion, trained: true }];
  return turnsOf(example, 'completions').slice(example.trainFrom ?? 0);
}
