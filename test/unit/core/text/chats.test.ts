// Chats against Transformers (test/fixtures/chats): rendered texts, token ids, and what is trained on, with templates that mark
// it by {% generation %} and with the same templates without the marks.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { messages as messagesFormat } from '../../../../extension/src/core/data/formats/messages.js';
import { parseJsonText } from '../../../../extension/src/core/data/jsonText.js';
import { encodeChat, type EncodedChat } from '../../../../extension/src/core/text/encodeChat.js';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';

interface Rendered {
  text: string;
  trained: string[];
  input_ids: number[];
  assistant_masks: number[];
}
type Result = Rendered | { error: string };

const fixtures = new URL('../../../fixtures/chats/', import.meta.url);
const read = (url: URL) => readFileSync(url, 'utf8');
const expected = JSON.parse(read(new URL('expected.json', fixtures))) as {
  templates: Record<string, Record<string, Result>>;
};
const tiny = new URL('../../../../media/models/tiny/', import.meta.url);
const tokenizer = createTokenizer({
  tokenizer: JSON.parse(read(new URL('tokenizer.json', tiny))),
  config: JSON.parse(read(new URL('tokenizer_config.json', tiny))),
});

/** The rows as a run reads them, so that numbers and the order of keys are those of the text. */
const rows = parseJsonText(read(new URL('rows.json', fixtures))) as Record<string, unknown>;
const encode = (template: string, row: string, trainOn: 'completions' | 'all' = 'completions'): EncodedChat => {
  const example = messagesFormat.parse({ messages: rows[row] }, { file: 'rows.json', line: 1 });
  if (example.kind !== 'chat') throw new Error('not a chat');
  return encodeChat(tokenizer, example.messages, { template, trainOn });
};

const cases = readdirSync(new URL('templates/', fixtures)).flatMap(file => {
  const name = file.replace('.jinja', '');
  const template = read(new URL(`templates/${file}`, fixtures));
  return Object.entries(expected.templates[name]!).map(([row, result]) => ({ name, row, template, result }));
});
const accepted = cases.filter(({ result }) => !('error' in result)) as ((typeof cases)[number] & {
  result: Rendered;
})[];
/** Calls are nothing but an empty text in them. */
const bare = new Set(['call', 'call-in-text', 'values']);
const leavesOutCalls = ({ row, result }: { row: string; result: Rendered }) =>
  bare.has(row) && !/Paris|whole/.test(result.text);
const complete = accepted.filter(each => !leavesOutCalls(each));

test('every template has rows that it renders', () => {
  expect(new Set(complete.map(({ name }) => name)).size).toBe(readdirSync(new URL('templates/', fixtures)).length);
});

test.each(complete)('$name renders and marks $row as Transformers does', ({ template, row, result }) => {
  const { inputIds, labels, unlocatedTurns } = encode(template, row);
  expect(tokenizer.decode(inputIds)).toBe(result.text);
  expect([...inputIds]).toEqual(result.input_ids);
  expect(Array.from(labels, label => Number(label >= 0))).toEqual(result.assistant_masks);
  expect(unlocatedTurns).toEqual([]);
});

/** The texts with labels. */
function trained({ inputIds, labels }: EncodedChat): string[] {
  const parts: number[][] = [];
  labels.forEach((label, i) => {
    if (label < 0) return;
    if (i === 0 || labels[i - 1]! < 0) parts.push([]);
    parts[parts.length - 1]!.push(inputIds[i]!);
  });
  return parts.map(ids => tokenizer.decode(ids));
}

test.each(complete)('$name without marks: the turns of $row are found', ({ template, row, result }) => {
  const unmarked = template.replace(/\{%-?\s*(end)?generation\s*-?%\}/g, '');
  const found = encode(unmarked, row);
  expect(found.unlocatedTurns).toEqual([]);
  // A turn is one span here, with what is between its marks.
  const text = trained(found).join('\n');
  for (const part of result.trained) expect(text).toContain(part.trim());
});

describe('a template that leaves out tool calls', () => {
  test.each(accepted.filter(leavesOutCalls))('$name: $row is an error instead of an empty answer', each => {
    expect(() => encode(each.template, each.row)).toThrow(/leaves out the tool calls/);
  });
});
