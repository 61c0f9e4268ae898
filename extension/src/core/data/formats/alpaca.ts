// Stanford Alpaca's rows (instruction, optional input, output) with LLaMA-Factory's `system` and `history`. A chat if the model
// has a chat template, else plain text in the layout of `plainText` below.
import type { ChatMessage, Example } from '../example.js';
import type { DatasetFormat } from './datasetFormat.js';
import { checkRowKeys } from './lossKeys.js';
import { asList, has, readOptionalList, readOptionalText, readText, rowError, questionAndAnswer } from './rowFields.js';

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
  toRow: messages => {
    const { question, answer } = questionAndAnswer(messages);
    return { instruction: question, input: '', output: answer };
  },
};

/** The prompt of one turn for a model without a chat template; the answer follows directly. */
function plainText(instruction: string, input?: string): string {
  const material = input ? `### Input:\n${input}\n\n` : '';
  return `### Instruction:\n${instruction}\n\n${material}### Response:\n`;
}
