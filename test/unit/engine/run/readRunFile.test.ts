// Valid run files: defaults, paths, the effect of init_from. Invalid ones are tested in test/integration/cli/badInput.test.ts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRunFile } from '../../../../extension/src/engine/run/readRunFile.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-runfile-'));
afterAll(() => rmSync(folder, { recursive: true }));

function read(content: Record<string, unknown>) {
  const path = join(folder, 'x.json');
  writeFileSync(
    path,
    JSON.stringify({ model: 'm', dataset: { train: 'd.jsonl' }, method: { peft_type: 'LORA' }, ...content }),
  );
  return readRunFile(path);
}

describe('readRunFile', () => {
  it('fills in the defaults', () => {
    const { config, methodConfig } = read({});
    expect(config.dataset).toMatchObject({
      format: 'auto',
      max_length: 512,
      packing: true,
      train_on: 'completions',
      truncation: 'end',
    });
    expect(config.training).toMatchObject({
      num_train_epochs: 3,
      max_steps: -1,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 1,
      learning_rate: 2e-4,
      lr_scheduler_type: 'cosine',
      warmup_steps: 0,
      weight_decay: 0,
      adam_beta1: 0.9,
      adam_beta2: 0.999,
      adam_epsilon: 1e-8,
      max_grad_norm: 1,
      seed: 42,
      shuffle: true,
      logging_steps: 1,
      eval_steps: null,
      save_steps: null,
      save_total_limit: 3,
      load_best_model_at_end: true,
    });
    expect(config.engine).toEqual({
      backend: 'auto',
      adapter: null,
      address: null,
      num_workers: 1,
      use_gpu: false,
      storage_path: null,
      strategy: 'auto',
      runtime_env: null,
      compile: 'auto',
      threads: null,
      base_weights: 'float32',
      precision: 'float32',
    });
    expect(methodConfig).toMatchObject({ r: 8, lora_alpha: 8, target_modules: null });
    expect(config.method).toMatchObject({ peft_type: 'LORA', r: 8, init_from: null });
  });

  it('reads a resolved config as the same run', () => {
    const first = read({ method: { peft_type: 'IA3', target_modules: ['k_proj'] }, $schema: './run.schema.json' });
    expect(read(first.config).config).toEqual(first.config);
  });

  it('resolves paths relative to the run file', () => {
    const run = read({});
    expect(run.resolvePath('d.jsonl')).toBe(join(folder, 'd.jsonl'));
    expect(run.resolvePath('/d.jsonl')).toBe('/d.jsonl');
  });

  it('takes the method’s config from the adapter that init_from names', () => {
    const run = read({ method: { peft_type: 'LORA', r: 4, init_from: 'a' } });
    expect(run).toMatchObject({ initFrom: 'a', methodConfig: null });
    expect(run.config.method).toEqual({ peft_type: 'LORA', init_from: 'a' });
  });
});
