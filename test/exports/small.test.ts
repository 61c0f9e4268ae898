// The small version of `npm run test:exports`: its exports of the embedded model, read by this engine alone, and its tables.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { pageOf, summaryOf } from './tables.mjs';

interface Cell {
  method: string;
  target: string;
  type: string | null;
  problem: string | null;
  certified: number | null;
}

const folder = mkdtempSync(join(tmpdir(), 'tunewright-exports-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('exports what can be exported and refuses the rest', { timeout: 400_000 }, () => {
  const script = fileURLToPath(new URL('exports.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--small', '--out', folder], { encoding: 'utf8' });
  expect(stderr).not.toMatch(/differ/);
  expect(status).toBe(0);
  const { cells }: { cells: Cell[] } = JSON.parse(readFileSync(join(folder, 'results', 'embedded.json'), 'utf8'));
  expect(cells.map(({ method, target, type }) => [method, target, type])).toEqual([
    ['LORA', 'gguf', 'q8_0'],
    ['LORA', 'folder', 'float32'],
    ['LORA', 'adapter_gguf', null],
    ['LORA', 'adapter_mlx', null],
    ...['gguf', 'folder', 'mlx', 'adapter_gguf', 'adapter_mlx'].map(target => ['PREFIX_TUNING', target, null]),
  ]);
  expect(cells.map(({ problem }) => problem)).toEqual(cells.map(() => null));
  expect(cells[0]!.certified).toBeGreaterThan(0);
});

describe('the tables', () => {
  const cell = {
    method: 'LORA',
    problem: null,
    certified: 0.001,
    program: 'llama.cpp',
    kl: 0.0021,
    others: 0,
    theirs: null,
  };
  const results = {
    embedded: {
      title: 'folder',
      programs: { llama: 'llama 1' },
      cells: [
        { ...cell, target: 'gguf', type: 'q8_0' },
        { ...cell, target: 'gguf', type: 'q4_0', kl: 0.21, others: 3, theirs: 0.2 },
        { ...cell, method: 'FULL', target: 'gguf', type: 'q4_0', kl: 0.3, theirs: 0.2, problem: 'too much' },
        { ...cell, method: 'P_TUNING', target: 'gguf', type: null, kl: null, certified: null },
      ],
    },
  };

  test('have a row for each target and a column for each method', () => {
    expect(summaryOf(results)).toContain('| GGUF, Q8_0 | folder | – | 0.0021 | – |');
    // What differs isn't verified.
    expect(summaryOf(results)).toContain(
      '| GGUF, 4 to 6 bits | folder | – | 0.21 | – | – | – | – | – | – | llama.cpp |',
    );
  });

  test('say what differs, what isn’t measured, and llama.cpp’s own files', () => {
    const page = pageOf(results);
    expect(page).toContain('3 exports were opened, 1 differ (marked with **!**)');
    expect(page).toMatch(/Not measured yet: llama, .*smollm2/);
    expect(page).toContain('| GGUF Q4_0 | 0.21 (1.05) | 0.30 (1.50) **!** | llama.cpp |');
    expect(page).toContain('| Q4_0 | 1.0 | 0.0010 | 0.30 | 0.20 | 1.50 | 93.8% |');
  });
});
