// Writes media/examples/pirate.eval.jsonl, the suite of the bundled pirate run: its validation questions, with a check of the voice and
// one of what is said. Run by hand after writeDatasets.mjs; a test checks that the file is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { importEngineModule } from './engineModule.mjs';

const file = new URL('../../../media/examples/pirate.eval.jsonl', import.meta.url);
const rows = new URL('../../../media/datasets/pirate.validation.jsonl', import.meta.url);

const CHECKS = [
  { type: 'regex', value: '^Arr, .*(matey|me hearty|ye landlubber)!$' },
  { type: 'rouge_l', at_least: 0.5 },
];

/** @param {(example: object) => string} sourceHash of the engine */
export function pirateSuite(sourceHash) {
  return readFileSync(rows, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => {
      const { messages } = JSON.parse(line);
      const [{ content: prompt }, { content: expected }] = messages;
      const source = sourceHash({ kind: 'chat', messages });
      return `${JSON.stringify({ id: prompt, prompt, expected, checks: CHECKS, max_new_tokens: 80, source })}\n`;
    })
    .join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { sourceHash } = await importEngineModule('engine/data/sourceHash.ts');
  writeFileSync(file, pirateSuite(sourceHash));
}
