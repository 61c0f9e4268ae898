// The card of a push, from the events of a recorded run: metadata that a YAML reader reads back, tables and a curve of the run's own
// figures, nothing invented where something isn't known, and text from outside that stays text.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lossCurve } from '../../../../extension/src/core/exports/lossCurve.js';
import { modelCard, type ModelCard } from '../../../../extension/src/core/exports/modelCard.js';
import { codeBlock, plain } from '../../../../extension/src/core/markdownText.js';
import { MetricColumns } from '../../../../extension/src/core/runs/metricColumns.js';
import { initialRunState, reduceRun, type RunState } from '../../../../extension/src/core/runs/runState.js';
import { engineEventSchema } from '../../../../extension/src/protocol/engineEvent.js';
import { runConfigSchema } from '../../../../extension/src/protocol/runConfig.js';

const recorded = readFileSync(new URL('../../../fixtures/runs/pirate-forgetting.ndjson', import.meta.url), 'utf8');
const state: RunState = recorded
  .trimEnd()
  .split('\n')
  .map(line => engineEventSchema.parse(JSON.parse(line)))
  .reduce(reduceRun, initialRunState);

const config = runConfigSchema.parse({
  name: 'a run',
  model: '/home/someone/secret/base',
  dataset: { train: '/home/someone/secret/rows.jsonl', validation: 0.1 },
  method: { peft_type: 'LORA' },
  training: { learning_rate: 3e-4, seed: 5 },
});

const card = (changes: Partial<ModelCard> = {}): string =>
  modelCard({
    repo: 'me/pirate',
    content: 'adapter',
    weights: ['adapter_model.safetensors'],
    base: 'org/base',
    licence: 'apache-2.0',
    datasets: ['org/rows'],
    method: {
      peftType: 'LORA',
      title: 'LoRA',
      isOfPeft: true,
      options: { r: 8, target_modules: ['q_proj', 'v_proj'] },
    },
    run: { config, state },
    suites: [{ name: 'pirate.eval.jsonl', score: 0.75, passed: 6, total: 8, baseScore: 0.25 }],
    promptFormat: '<|user|>Hello!<|assistant|>',
    lossCurve: 'loss.svg',
    comparisons: [],
    ...changes,
  });

/** The lines of the metadata. */
const metadata = (text: string) => /^---\n([^]*?)\n---\n/.exec(text)![1]!.split('\n');

describe('metadata', () => {
  it('says what the hub wants to know', () => {
    const lines = metadata(card());
    for (const line of [
      'base_model: org/base',
      'base_model_relation: adapter',
      'library_name: peft',
      'pipeline_tag: text-generation',
      'license: apache-2.0',
      '- org/rows',
      '- tunewright',
      '- lora',
      '- name: pirate',
    ])
      expect(lines).toContain(line);
  });

  it('leaves out what isn’t known', () => {
    const text = card({ base: null, licence: null, datasets: [], run: null, suites: [], lossCurve: null });
    expect(metadata(text)).toEqual([
      'library_name: peft',
      'pipeline_tag: text-generation',
      'tags:',
      '- tunewright',
      '- lora',
    ]);
    expect(text).not.toMatch(/licen[cs]e|undefined|null|NaN/i);
  });

  it.each([
    { content: 'folder', changes: {}, library: 'transformers', relation: 'finetune' },
    { content: 'gguf', changes: {}, library: null, relation: 'finetune' },
    { content: 'gguf', changes: { method: null, run: null }, library: null, relation: 'quantized' },
    {
      content: 'adapter',
      changes: { method: { peftType: 'OTHER', title: 'Other', isOfPeft: false, options: {} } },
      library: null,
      relation: 'adapter',
    },
  ] as const)('$content: $library, $relation', ({ content, changes, library, relation }) => {
    const text = card({ content, weights: ['pirate-Q8_0.gguf'], ...changes });
    expect(/^library_name: (.*)$/m.exec(text)?.[1] ?? null).toBe(library);
    expect(text).toContain(`base_model_relation: ${relation}`);
    expect(text.includes('PeftModel')).toBe(String(library) === 'peft');
    expect(text.includes('ollama run hf.co/me/pirate')).toBe(content === 'gguf');
  });

  it('has the metrics of the weights that are pushed', () => {
    const { evaluations, completed } = state;
    const kept = Array.from({ length: evaluations.length }, (_, i) => evaluations.row(i)!).findLast(
      ({ step }) => step === completed!.best_step,
    )!;
    const lines = metadata(card());
    const value = (type: string) => Number(lines[lines.indexOf(`    - type: ${type}`) + 1]!.split(': ')[1]);
    expect(value('loss')).toBeCloseTo(kept['loss']!, 4);
    expect(value('score')).toBe(0.75);
    const last = config.training;
    const others = { run: { config: { ...config, training: { ...last, load_best_model_at_end: false } }, state } };
    const lastLoss = evaluations.row(evaluations.length - 1)!['loss']!;
    expect(card(others)).toContain(`value: ${Number(lastLoss.toPrecision(6))}`);
  });

  it('measures nothing on general text as if it were rows of the run', () => {
    expect(state.metrics.map(({ name }) => name)).toContain('kl_from_base');
    expect(metadata(card()).join('\n')).not.toContain('kl_from_base');
    expect(card()).toContain('(on general text)');
  });
});

it('has the run’s figures, and no path of the machine', () => {
  const text = card();
  const { started } = state;
  for (const part of [
    '| r | 8 |',
    '| learning rate | 0.0003 (cosine) |',
    '| seed | 5 |',
    `| training rows | ${started!.train_rows.toLocaleString('en-US')} |`,
    '| pirate.eval.jsonl | 25% | 75% | 6 of 8 |',
    '![Loss by step](loss.svg)',
    '<|user|>Hello!<|assistant|>',
  ])
    expect(text).toContain(part);
  expect(text).not.toMatch(/home|secret|rows\.jsonl/);
});

it('text from outside stays text', () => {
  const evil = '"x"\n- [a](http://b) | <img src=x> `c` # d';
  const text = card({
    licence: evil,
    suites: [{ name: evil, score: 1, passed: 1, total: 1, baseScore: null }],
    promptFormat: '```\n# heading\n````',
  });
  const lines = metadata(text);
  expect(lines).toContain(`license: ${JSON.stringify(evil)}`);
  expect(lines).toContain(`      name: ${JSON.stringify(evil)}`);
  expect(text).toContain(`| ${plain(evil)} | `);
  expect(text).toContain('`````\n```\n# heading\n````\n`````');
  expect(plain(evil)).not.toMatch(/(?<!\\)[[\]<>|`#]|\n/);
  expect(codeBlock('a\u001b[1m')).toContain('a\\x1b[1m');
});

it('has the certificate of what was written', () => {
  const comparison = { compared: 12, unit: 'token', with: 'validation rows | of the run', why: '' } as const;
  const text = card({
    comparisons: [{ ...comparison, what: 'kl', difference: 0.0123, bound: 0.05, verdict: 'within' }],
  });
  expect(text).toContain('## Certificate');
  expect(text).toContain(
    '| KL divergence | 12 tokens | validation rows \\| of the run | 0.01230 nats per token | 0.05000 | within |',
  );
  expect(card()).not.toContain('Certificate');
});

describe('the loss curve', () => {
  it('shows steps and evaluations', () => {
    const svg = lossCurve(state)!;
    const points = /class="train-line" points="([^"]*)"/.exec(svg)![1]!.split(' ');
    expect(points).toHaveLength(state.steps.length);
    expect(svg.match(/<circle class="validation"/g)).toHaveLength(state.evaluations.length);
    expect(svg).not.toContain('NaN');
  });

  it('has few points of many steps, and none of a non-finite loss', () => {
    const keys = state.steps.keys;
    let steps = MetricColumns.empty(keys);
    const row = state.steps.row(0)!;
    for (let step = 1; step <= 5000; step++) steps = steps.append({ ...row, step, loss: step === 9 ? NaN : 1 / step });
    const svg = lossCurve({ ...state, steps })!;
    expect(/class="train-line" points="([^"]*)"/.exec(svg)![1]!.split(' ').length).toBeLessThan(1000);
    expect(svg).not.toContain('NaN');
    expect(lossCurve({ ...state, steps: steps.truncate(1) })).toBeNull();
  });
});
