// The bench on the embedded model: its materials and its runner, with the losses of PyTorch. Tests neither speed nor memory, which are the bench's own results. Update the losses
// with peer.py (torch 2.15) if the embedded model's weights change.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { modelFolder, rowsFile } from './materials.mjs';
import { trainOurs } from './ours.mjs';
import { exportOurs } from './exports.mjs';
import { decodingReport, exportReport, largeReport, report, servingReport } from './report.mjs';
import { serveOurs, trainedAdapters } from './serving.mjs';
import { decoding, largeBases, serving, works } from './work.mjs';

interface Step {
  tokens: number;
  loss: number;
}

const folder = mkdtempSync(join(tmpdir(), 'tunewright-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

const job = { batchSize: 4, maxLength: 64, packing: false, epochs: 1, learningRate: 1e-3, compile: 'auto' };
const cases = [
  { method: { peft_type: 'FULL' }, losses: [14.464048, 12.645077, 11.540694] },
  {
    method: { peft_type: 'SELECTIVE', select: 'last_layers', num_layers: 2 },
    losses: [14.464048, 14.000203, 12.53982],
  },
];

test.each(cases)('$method.peft_type: the losses of PyTorch', { timeout: 240_000 }, async ({ method, losses }) => {
  const rows = await rowsFile({ count: 12, length: 64 }, folder);
  const run = await trainOurs({ ...job, model: await modelFolder('embedded', folder), rows, method });
  expect(run.steps.map(({ tokens }: Step) => tokens)).toEqual([256, 256, 256]);
  run.steps.forEach(({ loss }: Step, i: number) =>
    expect(loss / losses[i]!, `loss of step ${i + 1}`).toBeCloseTo(1, 4),
  );
  for (const key of ['peakBytes', 'estimatedBytes'] as const) expect(run[key], key).toBeGreaterThan(1e8);
});

test('exports: a merged file, with the memory of its process', { timeout: 240_000 }, async () => {
  const run = await exportOurs({ model: 'embedded', withLora: true }, folder);
  expect(run.peakBytes).toBeGreaterThan(1e8);
  expect(run.bytes).toBeGreaterThan(1e6);
  expect(run.divergence).toBeGreaterThan(0);
  const work = { title: 'embedded', seconds: 15, within: 2e8 };
  const text = exportReport([{ work, rounds: [{ ...run, seconds: 20, peakBytes: 1e8 }] }]);
  expect(text).toMatch(/embedded \| 20\.0 .*\(wanted < 15\): \*\*not reached\*\*.*0\.10 \(wanted < 0\.2\): reached/);
});

test('serving: swaps of every method and speeds of every load', { timeout: 240_000 }, async () => {
  const model = await modelFolder('embedded', folder);
  const adapters = await trainedAdapters({ ...serving, model: 'embedded' }, model, folder);
  const loads = serving.loads.filter(({ sequences }: { sequences: number }) => sequences < 8);
  const { swaps, speeds } = await serveOurs({ model, adapters, loads, tokens: 4 });
  expect(Object.keys(swaps)).toEqual(Object.keys(serving.methods));
  expect(Object.keys(speeds)).toEqual(loads.map(({ id }: { id: string }) => id));
  for (const value of [
    ...Object.values<{ firstTokenMs: number }>(swaps).map(swap => swap.firstTokenMs),
    ...Object.values(speeds),
  ])
    expect(value).toBeGreaterThan(0);
});

describe('the report', () => {
  const side = (ms: number, gigabytes: number) => ({
    steps: Array.from({ length: 6 }, (_, epoch) => ({ epoch, ms, loss: 1, tokens: 1000 })),
    peakBytes: gigabytes * 1e9,
    estimatedBytes: 1.1 * gigabytes * 1e9,
    compileMs: 100,
    library: '2.21.0',
    rowsOfEpoch: 40,
  });
  const work = works.find(({ id }: { id: string }) => id === 'lora-4x256')!;
  const written = (ours: ReturnType<typeof side>, peer: ReturnType<typeof side>) =>
    report({ results: [{ work, rounds: [{ ours, peer }] }] }, ['a machine']);

  test('says which targets are reached', () => {
    const text = written(side(1000, 2), side(1300, 4));
    expect(text).toContain('| tokens/s | 1,000 (1,000-1,000) | 769 (769-769) | 1.30 x (wanted >= 1.2): reached |');
    expect(text).toContain('0.50 x (wanted <= 0.6): reached | 2.20 | +10% (wanted within 15%): reached');
  });

  test('and which are not', () => {
    const text = written(side(1300, 4), side(1000, 4));
    expect(text).toContain('0.77 x (wanted >= 1.2): **not reached**');
    expect(text).toContain('1.00 x (wanted <= 0.6): **not reached**');
  });

  test('decoding is compared with both peers', () => {
    const of = (tokensPerSecond: number) => ({ tokensPerSecond, firstTokenMs: 9, shortMs: 9, wholeTokensPerSecond: 8 });
    const text = decodingReport(decoding, [{ ours: of(30), transformers: of(15), llama: of(50) }]);
    expect(text).toContain('| 15.0 (15.0-15.0) | 2.00 x (wanted >= 1.5): reached | 50.0 (50.0-50.0) | 0.60 x');
    expect(text).toContain('0.60 x (wanted >= 0.8): **not reached**');
  });

  test('serving is compared with PEFT, and with llama.cpp where it can do the same', () => {
    const loads: { id: string; adapters: string }[] = serving.loads;
    const of = (swapMs: number, speed: number, methods: string[], which: string[]) => ({
      swaps: Object.fromEntries(methods.map(method => [method, { addMs: 100, swapMs, firstTokenMs: 40 }])),
      speeds: Object.fromEntries(loads.filter(({ adapters }) => which.includes(adapters)).map(({ id }) => [id, speed])),
    });
    const all = ['none', 'same', 'different'];
    const methods = Object.keys(serving.methods);
    const text = servingReport(serving, [
      { ours: of(5, 30, methods, all), peft: of(4, 12, ['LORA'], all), llama: of(90, 40, ['LORA'], ['none', 'same']) },
    ]);
    const row = (name: string) => text.split('\n').find((line: string) => line.startsWith(`| ${name} |`));
    expect(row('LORA')).toContain('100 (100-100) (wanted <= 300): reached');
    expect(row('LORA')).toContain('5.00 (5.00-5.00) (wanted <= 4.00): **not reached** | 4.00 (4.00-4.00) | 90.0');
    expect(row('SELECTIVE')).toContain('(wanted <= 50.0): reached |  |  | 40.0');
    expect(row('1, no adapter')).toContain('| 40.0 (40.0-40.0) | 0.75 x |');
    expect(row('8, a LoRA adapter each')).toContain('2.50 x (wanted >= 2): reached |  |  |');
  });

  test('the memory of a large base is compared with its target', () => {
    const work = largeBases.find(({ id }: { id: string }) => id === '7b-int4')!;
    const text = largeReport([{ work, run: side(60_000, 6) }]);
    expect(text).toContain('| 6.00 (wanted <= 8): reached | 6.60 | +10% (wanted within 15%): reached | 60 |');
  });
});
