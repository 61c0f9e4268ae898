// Completion in rows of suites, by the schema that comes with the extension.
import { expect, test, vi } from 'vitest';
import { checkTypes } from '../../../../extension/src/core/evaluation/checks/registry.js';
import { SuiteCompletion } from '../../../../extension/src/host/suites/suiteCompletion.js';

vi.mock('vscode', () => ({
  CompletionItemKind: { Property: 1, Snippet: 2, EnumMember: 3 },
  CompletionItem: class {
    constructor(readonly label: string) {}
  },
  Position: class {
    constructor(
      readonly line: number,
      readonly character: number,
    ) {}
  },
  Range: class {
    constructor(
      readonly start: object,
      readonly end: object,
    ) {}
  },
}));

interface Item {
  label: string;
  insertText: string;
  documentation?: string;
  range: { start: { character: number }; end: { character: number } };
}

/** @param row with `|` where the cursor is */
function offered(row: string, path = '/tone.eval.jsonl'): Item[] {
  const character = row.indexOf('|');
  const text = row.replace('|', '');
  const document = { uri: { scheme: 'file', path, fsPath: path }, lineCount: 1, lineAt: () => ({ text }) };
  const completion = new SuiteCompletion('media/schemas/eval.schema.json');
  return completion.provideCompletionItems(document as never, { line: 0, character } as never) as never;
}
/** The rows that result. */
const results = (row: string) =>
  offered(row).map(({ insertText, range: { start, end } }) => {
    const text = row.replace('|', '');
    return text.slice(0, start.character) + insertText + text.slice(end.character);
  });
const types = checkTypes.map(({ type }) => type);

test('keys of a row, with what they mean', () => {
  expect(results('{|')).toContain('{"prompt": ');
  expect(results('{"pro|"')).toContain('{"prompt": ');
  expect(results('{"pro|": "a", "checks": []}')).toContain('{"prompt": "a", "checks": []}');
  expect(offered('{|').find(({ label }) => label === 'expected')!.documentation).toContain('The right answer');
});

test('checks, their types and their keys', () => {
  expect(offered('{"checks": [|]}').map(({ label }) => label)).toEqual(types);
  expect(results('{"checks": [|]}')).toContain(
    '{"checks": [{"type":"max_tokens","value":40}]}'.replace('40', String(maxTokens())),
  );
  expect(results('{"checks": [{"type": "|"}]}')).toEqual(types.map(type => `{"checks": [{"type": "${type}"}]}`));
  expect(offered('{"checks": [{"type": "rouge_l", |}]}').map(({ label }) => label)).toContain('at_least');
  expect(offered('{"checks": [{|}]}').map(({ label }) => label)).toEqual(['type']);
});

test('nothing within texts, and nothing in datasets', () => {
  expect(offered('{"prompt": "a|"}')).toEqual([]);
  expect(offered('{"messages": [|]}')).toEqual([]);
  expect(offered('{|', '/tone.jsonl')).toEqual([]);
});

function maxTokens(): number {
  const { options } = checkTypes.find(({ type }) => type === 'max_tokens')!.example;
  return (options as { value: number }).value;
}
