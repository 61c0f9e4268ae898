// The plan of the claims: its race files are races, and those that are committed are what the plan and the committed results make;
// the code words are a skill that can be learnt and that no held-out row gives away.
import { Tokenizer } from '@huggingface/tokenizers';
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSuite } from '../../../extension/src/engine/data/readSuite.js';
import { expandRace } from '../../../extension/src/core/race/expandRace.js';
import { readRaceFile } from '../../../extension/src/engine/race/planRace.js';
import { raceConfigSchema } from '../../../extension/src/protocol/raceConfig.js';
import { llamaTensors } from '../../../extension/scripts/embedded/initModel.mjs';
import { dataFiles, SMALL_SHAPE } from '../../claims/materials.mjs';
import { readResults, tunedRate } from '../../claims/results.mjs';
import { plan, raceFile, smallPlan } from '../../claims/work.mjs';

const RESULTS = 'media/claims/results';
const RACES = 'media/claims/races';
const inRaces = (path: string) => relative(RACES, path);
const races: any[] = plan().races;

test('has a race of each kind for each model and task', () => {
  expect(new Set(races.map(({ id }) => id)).size).toBe(races.length);
  for (const { models, tasks, races: own } of [plan(), smallPlan()])
    for (const kind of ['rates', 'methods'])
      for (const model of models)
        for (const task of tasks) expect(own.map(({ id }: any) => id)).toContain(`${model.id}-${task.id}-${kind}`);
});

test.each(races)('$id is a race', race => {
  const file = raceFile(race, () => 1e-3, inRaces) as any;
  const entries = expandRace(raceConfigSchema.parse(file), file.run, 'a.race.json');
  expect(entries).toHaveLength(race.runs.length * race.seeds.length);
});

test('a race over methods waits for its rates', () => {
  const race = races.find(({ kind }) => kind === 'methods');
  expect(raceFile(race, (name: string) => (name === 'IA3' ? null : 1e-3), inRaces)).toBeNull();
});

const written = races.filter(({ id }) => existsSync(`${RACES}/${id}.race.json`));

test.each(written)('$id is up to date', race => {
  const rates = races.find(({ kind, model, task }) => kind === 'rates' && model === race.model && task === race.task);
  const rateOf = (name: string) => tunedRate(rates, readResults(RESULTS, rates.id), name)?.rate ?? null;
  const path = `${RACES}/${race.id}.race.json`;
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(raceFile(race, rateOf, inRaces));
  const { train } = readRaceFile(path).race.run['dataset'] as { train: string };
  expect(existsSync(train)).toBe(true);
});

describe('the data', () => {
  test('is what its script writes', async () => {
    for (const [name, content] of Object.entries(await dataFiles()))
      expect(readFileSync(`media/claims/data/${name}`, 'utf8'), name).toBe(content);
  });

  const rowsOf = (name: string): { prompt: string[]; answer: string[] }[] =>
    readFileSync(`media/claims/data/codewords.${name}.jsonl`, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => {
        const [user, assistant] = JSON.parse(line).messages;
        return { prompt: user.content.replace('Code: ', '').split(' '), answer: assistant.content.split(' ') };
      });

  test('code words follow one table, every word of which is in the training rows', () => {
    const table = new Map<string, string>();
    for (const { prompt, answer } of rowsOf('messages'))
      prompt.forEach((word, i) => {
        expect(table.get(word) ?? answer[i], word).toBe(answer[i]);
        table.set(word, answer[i]!);
      });
    expect(new Set(table.values()).size).toBe(table.size);
    for (const { prompt, answer } of rowsOf('validation')) expect(prompt.map(word => table.get(word))).toEqual(answer);
  });

  test('held-out combinations are in no training row', () => {
    const trained = new Set(rowsOf('messages').map(({ prompt }) => prompt.join(' ')));
    for (const { prompt } of rowsOf('validation')) expect(trained).not.toContain(prompt.join(' '));
  });

  test('each word is one token of the embedded model', () => {
    const read = (name: string) => JSON.parse(readFileSync(`media/models/tiny/${name}`, 'utf8'));
    const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
    for (const { prompt } of rowsOf('messages').slice(0, 40))
      for (const word of prompt) expect(tokenizer.encode(` ${word}`).ids, word).toHaveLength(1);
  });

  test('the suite accepts the expected answers only', async () => {
    for (const { id, expected, checks } of await readSuite('media/claims/data/codewords.eval.jsonl')) {
      const passes = (text: string) => checks.every(({ judge }) => judge({ text, toolCalls: [], tokens: 1 }).passed);
      expect([passes(expected!), passes(expected!.split(' ').toReversed().join(' '))], id).toEqual([true, false]);
    }
  });
});

test('the small model has 0.4 million parameters', () => {
  const embedded = JSON.parse(readFileSync('media/models/tiny/config.json', 'utf8'));
  const tensors: [string, number[]][] = llamaTensors({ ...embedded, ...SMALL_SHAPE });
  const sizes = tensors.map(([, shape]) => shape.reduce((product, size) => product * size, 1));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(399_840);
});
