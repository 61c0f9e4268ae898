// TensorBoard's event files contain the metrics of a run, and can't make it fail.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensorBoardWriter } from '../../../../extension/src/engine/run/tensorBoard.js';
import type { EngineEvent } from '../../../../extension/src/protocol/engineEvent.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-board-'));
const step: EngineEvent = {
  seq: 1,
  time: '2026-01-31T14:25:00Z',
  type: 'step',
  step: 3,
  epoch: 1,
  loss: 2.5,
  grad_norm: 0.5,
  learning_rate: 1e-3,
  num_tokens: 10,
  tokens_per_second: 100,
  step_ms: 5,
  rss_bytes: 1,
};

describe('tensorBoardWriter', () => {
  afterAll(() => rmSync(path, { recursive: true }));

  it('writes metrics under the names of Transformers’ Trainer', () => {
    const failures: string[] = [];
    const board = tensorBoardWriter(join(path, 'good'), reason => failures.push(reason));
    board.write(step);
    const metrics = { token_accuracy: 0.5, margin: 2 };
    const evaluated = {
      type: 'evaluated',
      step: 3,
      loss: 2,
      metrics,
      num_label_tokens: 9,
      best: true,
      eval_ms: 1,
    } as const;
    board.write({ seq: 2, time: step.time, ...evaluated });
    const [file] = readdirSync(join(path, 'good'));
    const bytes = readFileSync(join(path, 'good', file!));
    for (const tag of [
      'train/loss',
      'train/grad_norm',
      'train/learning_rate',
      'train/tokens_per_second',
      'eval/loss',
      'eval/token_accuracy',
      'eval/margin',
    ])
      expect(bytes.includes(tag), tag).toBe(true);
    const loss = Buffer.alloc(4);
    loss.writeFloatLE(2.5);
    expect(bytes.includes(loss)).toBe(true);
    expect(bytes.includes('gpu_bytes')).toBe(false);
    board.write({ ...step, gpu_bytes: 2 ** 20 });
    expect(readFileSync(join(path, 'good', file!)).includes('train/gpu_bytes')).toBe(true);
    expect(failures).toEqual([]);
  });

  it('reports once that it can’t write', () => {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'in-the-way'), '');
    const failures: string[] = [];
    const board = tensorBoardWriter(join(path, 'in-the-way', 'board'), reason => failures.push(reason));
    board.write(step);
    board.write(step);
    expect(failures).toHaveLength(1);
    expect(failures[0]).not.toContain('\n');
  });
});
