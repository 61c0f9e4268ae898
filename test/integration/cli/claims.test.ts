// The small version of `npm run claims`, in two sessions: rates are tuned, taken over by the race of methods, and become a page; what
// has been measured is not measured again.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';

// The machine may be busy.
vi.setConfig({ testTimeout: 480_000 });

const out = mkdtempSync(join(tmpdir(), 'tunewright-claims-'));
afterAll(() => rmSync(out, { recursive: true }));

const read = (name: string) => readFileSync(join(out, name), 'utf8');
const resultsOf = (id: string) => JSON.parse(read(`results/embedded-codewords-${id}.json`));
const readme = readFileSync('README.md', 'utf8');

function claims(...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, ['test/claims/claims.mjs', '--small', '--out', out, ...args], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
}

it('measures in sessions and writes the page', () => {
  claims('rates');
  expect(resultsOf('rates').runs).toHaveLength(4);
  expect(read('claims.md')).toContain('code words: methods (2); the embedded model (1.75M): memory and time (3)');

  claims();
  const { base, runs } = resultsOf('methods');
  for (const { name, status, loss, score, kl, parameters, peakBytes } of runs) {
    expect(status, name).toBe('finished');
    expect(loss, name).toBeLessThan(base.loss);
    expect(score, name).toBeGreaterThanOrEqual(0);
    expect(kl, name).toBeGreaterThan(0);
    expect(parameters, name).toBe({ 'full fine-tuning': 1_750_240, 'LoRA all linear r=8': 115_840 }[name as string]);
    expect(peakBytes, name).toBeGreaterThan(0);
  }
  expect(runs).toHaveLength(2);
  const lowest = resultsOf('rates').runs.filter(({ name }: { name: string }) => name.startsWith('full'));
  const [best] = lowest.toSorted((a: { loss: number }, b: { loss: number }) => a.loss - b.loss);
  const race = JSON.parse(read('races/embedded-codewords-methods.race.json'));
  expect(`full fine-tuning at ${race.vary[0].training.learning_rate}`).toBe(best.name);

  const costs = JSON.parse(read('results/embedded-costs.json'));
  expect(costs.inference).toHaveLength(1);
  for (const { name, peakBytes, estimate } of costs.runs) {
    expect(peakBytes, name).toBeGreaterThan(0);
    expect(estimate.total, name).toBeGreaterThan(estimate.weights);
  }
  const page = read('claims.md');
  expect(page).toContain('All of it has been measured.');
  for (const [, name] of page.matchAll(/\]\(pictures\/(.*?)\)/g))
    expect(readdirSync(join(out, 'pictures'))).toContain(name);

  // Nothing is trained again, and a checkout's own files stay as they are.
  const races = readdirSync(join(out, 'runs/races')).filter(name => !name.endsWith('.json'));
  const folders = races.map(id => join(out, 'runs/races', id, 'runs'));
  const events = folders.flatMap(folder => readdirSync(folder).map(run => join(folder, run, 'events.ndjson')));
  const times = events.map(file => statSync(file).mtimeMs);
  claims();
  expect(events.map(file => statSync(file).mtimeMs)).toEqual(times);
  expect(read('claims.md')).toBe(page);
  expect(readFileSync('README.md', 'utf8')).toBe(readme);
});
