// Stanford Alpaca's rows (instruction, optional input, output) with LLaMA-Factory's `system` and `history`. A chat if the model
// has a chat template, else plain text in the layout of `plainText` below.
import { InputError } from '../../inputError.js';
import type { ChatMessage, Example, Row } from '../example.js';
import { textOf } from './chatFields.js';
import type { Conversation, DatasetFormat } from './datasetFormat.js';
import { checkRowKeys } from './lossKeys.js';
import { asList, has, readOptionalList, readOptionalText, readText, rowError } from './rowFields.js';

export const alpaca: DatasetFormat = {
  name: 'alpaca',
  title: 'Instructions (Alpaca)',
  fields: [
    {
      name: 'instruction',
      required: true,
      aliases: ['question', 'prompt'],
      description: 'What the model is asked to do',
    },
    {
      name: 'input',
      required: false,
      aliases: ['context', 'query'],
      description: 'Input for the task, placed below the instruction',
    },
    { name: 'output', required: true, aliases: ['response', 'answer'], description: 'The answer to train on' },
    { name: 'system', required: false, description: 'System message' },
    { name: 'history', required: false, description: 'Earlier turns: [[question, answer], ...]' },
  ],
  detect: row => has(row, 'instruction') && has(row, 'output'),
  parse(row, source) {
    checkRowKeys(row, source);
    const system = readOptionalText(row, 'system', source);
    const instruction = readText(row, 'instruction', source);
    const input = readOptionalText(row, 'input', source);
    const output = readText(row, 'output', source);
    const history = (readOptionalList(row, 'history', source) ?? []).map((pair, index) => {
      const [question, answer] = asList(pair) ?? [];
      if (typeof question !== 'string' || typeof answer !== 'string') {
        throw rowError(source, `history[${index}] must be a pair of texts: [question, answer]`);
      }
      return { question, answer };
    });

    const question = input ? `${instruction}\n\n${input}` : instruction;
    const turns: ChatMessage[] = [...history, { question, answer: output }].flatMap(turn => [
      { role: 'user', content: turn.question },
      { role: 'assistant', content: turn.answer },
    ]);
    const earlier = history.map(turn => plainText(turn.question) + turn.answer + '\n\n').join('');
    const lead = system ? `${system}\n\n` : '';
    const example: Example = {
      kind: 'chat',
      messages: system ? [{ role: 'system', content: system }, ...turns] : turns,
      plain: { prompt: lead + earlier + plainText(instruction, input), completion: output },
    };
    return example;
  },
  writes: { conversation: write },
};

/** Questions and answers in turn, at most after a system message. The last pair is the row's own, those before it its history. */
function write({ messages, tools }: Conversation, first: readonly Row[]): Row {
  if (tools) throw new InputError('the format alpaca has no place for the functions that may be called');
  const system = messages[0]?.role === 'system' ? textOf(messages[0], 'system message') : undefined;
  const turns = messages.slice(system === undefined ? 0 : 1);
  const isPaired = turns.length % 2 === 0 && turns.every(({ role }, i) => role === (i % 2 ? 'assistant' : 'user'));
  if (turns.length === 0 || !isPaired) {
    throw new InputError('a row of the format alpaca is questions and answers in turn', {
      hint: 'Choose a dataset of conversations.',
    });
  }
  const texts = turns.map(turn => textOf(turn, turn.role === 'user' ? 'instruction' : 'output'));
  const [instruction, output] = texts.slice(-2);
  const history = texts.slice(0, -2).flatMap((text, i, all) => (i % 2 ? [] : [[text, all[i + 1]]]));
  const known = (field: string) => first.some(row => has(row, field));
  return {
    ...(system === undefined ? {} : { system }),
    instruction,
    ...(known('input') ? { input: '' } : {}),
    output,
    ...(history.length > 0 || known('history') ? { history } : {}),
  };
}

/** The prompt of one turn for a model without a chat template; the answer follows directly. */
function plainText(instruction: string, input?: string): string {
  const material = input ? `### Input:\n${input}\n\n` : '';
  return `### Instruction:\n${instruction}\n\n${material}### Response:\n`;
}
