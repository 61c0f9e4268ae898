// What is said of the rows of a run whose training file was edited: before it was resumed, or since.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fileHash } from '../../../../extension/src/engine/data/fileHash.js';
import { readSuite } from '../../../../extension/src/engine/data/readSuite.js';
import { checkContamination } from '../../../../extension/src/engine/run/contamination.js';
import { suiteOfDataset, suiteOfRun } from '../../../../extension/src/engine/run/makeSuite.js';
import { changeQuarantine, quarantinedDataset } from '../../../../extension/src/engine/run/quarantineRows.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { recordedHashes } from '../../../../extension/src/engine/run/trainedRows.js';
import { trainRun } from '../../../../extension/src/engine/run/trainRun.js';
import { ROWS, workplace } from '../../../support/cli.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const place = workplace();
afterAll(() => place.remove());

const folder = place.file('run');
const file = place.file('rows.jsonl');
const versions = { first: '', second: '', third: '' };

async function train(resume: boolean, stopAfter: number): Promise<void> {
  const stop = new AbortController();
  await trainRun({
    runFile: place.run('run', {
      dataset: { validation: 0.25 },
      training: { max_steps: 6, measure_forgetting: false },
      engine: { backend: 'wasm' },
    }),
    ...{ out: folder, resume, force: true, reporter: silentReporter, signal: stop.signal },
    onEvent: event => {
      if (event.type === 'step' && event.step >= stopAfter) stop.abort();
    },
  });
}

beforeAll(async () => {
  place.write('rows.jsonl', ROWS);
  versions.first = readFileSync(file, 'utf8');
  versions.second = versions.first.replace('ab', 'xy');
  versions.third = versions.first.split('\n').slice(2).join('\n');
  await train(false, 3);
  writeFileSync(file, versions.second);
  await train(true, 6);
});
beforeEach(() => writeFileSync(file, versions.second));

it('has a hash of each time that the run was started or resumed', async () => {
  const second = await fileHash(file);
  writeFileSync(file, versions.first);
  expect(recordedHashes(folder)).toEqual([await fileHash(file), second]);
  expect(recordedHashes(place.path)).toEqual([]);
});

it('lines of a run are those of the file that it read last', async () => {
  const add = (line: number) => changeQuarantine(quarantinedDataset(folder, 'auto'), { add: [{ line }], remove: [] });
  expect((await add(3)).rows).toMatchObject([{ line: 3 }]);
  writeFileSync(file, versions.first);
  expect((await inputErrorOf(() => add(4))).message).toMatch(/^the file has been edited since the run/);
});

it.each(['first', 'second', 'third'] as const)(
  'no suite is made of what a run holds out of an edited file, since that may be what it was trained on: the %s',
  async version => {
    writeFileSync(file, versions[version]);
    const error = await inputErrorOf(() => suiteOfRun(folder, 'exact', silentReporter));
    expect(error.record()).toMatchObject({ message: 'this is not what the run was trained on', file });
    // A run that begins now divides the file as it is.
    expect((await suiteOfRun(place.file('run.json'), 'exact', silentReporter)).rows.length).toBeGreaterThan(0);
  },
);

/** The codes of warnings. @throws InputError for rows of the suite that the run was trained on */
async function contamination(rows: object[]): Promise<string[]> {
  const suite = await readSuite(place.write('suite.eval.jsonl', rows));
  const warnings: string[] = [];
  const reporter = { ...silentReporter, warn: (code: string) => void warnings.push(code) };
  await checkContamination(suite, { name: 'it', path: join(folder, 'adapter') }, place.file('base'), reporter);
  return warnings;
}

it.each(['first', 'second'] as const)('rows of a suite that are of the %s file were trained on', async version => {
  writeFileSync(file, versions[version]);
  const { rows } = await suiteOfDataset(file, { check: 'exact', share: 1, seed: 1 });
  expect((await inputErrorOf(() => contamination(rows))).message).toMatch(/^"it" was trained on 18 of 24 rows/);
});

it('whether others were trained on is unknown, also if the file is again what the run began with', async () => {
  const other = { prompt: 'Who?', checks: [{ type: 'exact', value: 'I' }], source: `sha256:${'0'.repeat(64)}` };
  for (const text of Object.values(versions)) {
    writeFileSync(file, text);
    expect(await contamination([other])).toEqual(['contamination_unknown']);
  }
});

it('whether an adapter outside a run folder was trained on them is unknown; a base is not asked for', async () => {
  const suite = await readSuite(place.file('suite.eval.jsonl'));
  const warnings: string[] = [];
  const reporter = { ...silentReporter, warn: (_code: string, message: string) => void warnings.push(message) };
  const base = place.file('base');
  cpSync(join(folder, 'adapter'), place.file('moved'), { recursive: true });
  for (const path of [base, place.file('moved')]) await checkContamination(suite, { name: 'it', path }, base, reporter);
  expect(warnings).toEqual([expect.stringMatching(/unknown: .*moved is not in the folder of the run that wrote it$/)]);
});
