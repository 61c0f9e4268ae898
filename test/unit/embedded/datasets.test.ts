// The bundled datasets: up to date with their scripts, in the documented form, and with separate validation rows.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { datasetFiles } from '../../../extension/scripts/embedded/writeDatasets.mjs';

const url = (path: string) => new URL(`../../../${path}`, import.meta.url);
const read = (name: string) => readFileSync(url(`media/datasets/${name}`), 'utf8');

interface ChatRow {
  messages: { role: string; content: string }[];
}
const chats = (name: string): ChatRow[] =>
  read(name)
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
const asked = (row: ChatRow) => row.messages[0].content;
const answered = (row: ChatRow) => row.messages[1].content;

describe('the bundled datasets', () => {
  it('are up to date', () => {
    for (const [name, content] of Object.entries<string>(datasetFiles())) {
      expect(read(name) === content, `${name} is stale: run node extension/scripts/embedded/writeDatasets.mjs`).toBe(
        true,
      );
    }
  });

  it('pirate: every answer is in dialect, and no validation question is trained on', () => {
    const [train, validation] = [chats('pirate.messages.jsonl'), chats('pirate.validation.jsonl')];
    expect([train.length, validation.length]).toEqual([300, 40]);
    for (const row of [...train, ...validation]) {
      expect(answered(row)).toMatch(/^Arr, .*(matey|hearty|landlubber)!$/);
      expect(answered(row)).not.toMatch(/\b(is|are|you|your|the)\b/);
    }
    const trained = new Set(train.map(asked));
    expect(validation.filter(row => trained.has(asked(row)))).toEqual([]);
  });

  it('instructions: a summary and three points each, questions all different', () => {
    const [train, validation] = [chats('instructions.messages.jsonl'), chats('instructions.validation.jsonl')];
    expect(train.length).toBeGreaterThanOrEqual(250);
    expect(validation.length).toBeGreaterThanOrEqual(39);
    for (const row of [...train, ...validation]) {
      expect(asked(row)).toMatch(/^[A-Z].*\?$/);
      expect(answered(row)).toMatch(/^In short: [A-Z][^\n]*\.(\n- [A-Z0-9][^\n]*\.){3}$/);
    }
    const questions = [...train, ...validation].map(asked);
    expect(new Set(questions).size).toBe(questions.length);
  });

  it('have the fields of their formats', () => {
    const rows = (name: string) =>
      read(name)
        .trim()
        .split('\n')
        .map(line => JSON.parse(line));
    expect(Object.keys(rows('support-tone.alpaca.jsonl')[0])).toEqual(['instruction', 'input', 'output']);
    expect(Object.keys(rows('stories.text.jsonl')[0])).toEqual(['text']);
    expect(JSON.parse(read('haiku.sharegpt.json'))[0].conversations.map((turn: { from: string }) => turn.from)).toEqual(
      ['human', 'gpt'],
    );
    for (const { conversations } of JSON.parse(read('haiku.sharegpt.json'))) {
      expect(conversations[1].value.split('\n')).toHaveLength(3);
    }
    expect(read('facts.csv')).toMatch(/^prompt,completion\n/);
    for (const row of rows('questions.tokenized.jsonl')) {
      expect(row.labels).toHaveLength(row.input_ids.length);
      row.labels.forEach((label: number, i: number) => expect([-100, row.input_ids[i]]).toContain(label));
    }
  });
});

describe('the example runs', () => {
  it.each(['pirate', 'smollm2'])('%s names existing files', name => {
    const { dataset } = JSON.parse(readFileSync(url(`media/examples/${name}.tune.json`), 'utf8'));
    for (const file of [dataset.train, dataset.validation]) {
      expect(existsSync(new URL(file, url('media/examples/')))).toBe(true);
    }
  });
});
