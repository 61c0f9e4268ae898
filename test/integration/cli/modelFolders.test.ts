// Model folders as people have them, through the real command line: a head of its own although config.json ties it,
// unknown keys, quantized weights.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const place = workplace();
afterAll(() => place.remove());

const configOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));

function reconfigure(folder: string, changes: Record<string, unknown>): void {
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...configOf(folder), ...changes }));
}

beforeAll(() => {
  // An untied model whose config.json says that it is tied.
  const own = place.model('own', { changes: { tie_word_embeddings: false } });
  reconfigure(own, { tie_word_embeddings: true, heads_of_state: 3 });
  reconfigure(place.model('untied', { changes: { tie_word_embeddings: false } }), {});
  reconfigure(place.model('quantized'), { quantization_config: { quant_method: 'awq', bits: 4 } });
});

test('a head that isn’t the embedding is used, trained, merged and exported as its own', async () => {
  const evaluate = async (...args: string[]) => {
    const { stdout, stderr } = await succeed(['evaluate', '--dataset', place.file('rows.jsonl'), '--json', ...args]);
    return { ...JSON.parse(stdout), stderr };
  };
  const [own, untied] = [await evaluate('--model', place.file('own')), await evaluate('--model', place.file('untied'))];
  expect(own.loss).toBe(untied.loss);
  expect(own.stderr).toMatch(/warning: .*lm_head\.weight is stored and differs/);

  const run = place.run('head', { model: 'own', method: { target_modules: ['q_proj', 'lm_head'] } });
  await succeed(['train', run, '--out', place.file('head-run')]);
  const warned = place.events('head-run').flatMap(event => (event.type === 'warned' ? [event.code] : []));
  expect(warned).toEqual(expect.arrayContaining(['config_keys_unknown', 'head_not_tied']));

  const adapter = ['--adapter', place.file('head-run', 'adapter')];
  const merged = place.file('merged');
  await succeed(['merge', '--model', place.file('own'), ...adapter, '--out', merged]);
  expect(configOf(merged).tie_word_embeddings).toBe(false);
  const [adapted, ofMerged] = [
    await evaluate('--model', place.file('own'), ...adapter),
    await evaluate('--model', merged),
  ];
  expect(adapted.loss).not.toBe(own.loss);
  expect(ofMerged.loss).toBeCloseTo(adapted.loss, 4);
  expect(ofMerged.stderr).not.toContain('differs');

  // GGUF can't express an adapted head that is tied.
  await succeed(['export', ...adapter, '--model', place.file('own'), '--to', 'gguf', '--out', place.file('head.gguf')]);
});

test('estimate and inspect name what is ignored', async () => {
  const saved = place.run('saved', { model: 'own', method: { modules_to_save: ['lm_head'] } });
  const estimate = await succeed(['estimate', saved, '--json']);
  const untied = await succeed(['estimate', place.run('other', { model: 'untied' }), '--json']);
  const parameters = (text: string) => JSON.parse(text).model.parameters as number;
  expect(parameters(estimate.stdout)).toBe(parameters(untied.stdout));
  const { warnings } = JSON.parse((await succeed(['inspect', place.file('own'), '--json'])).stdout);
  expect(warnings).toEqual([
    expect.stringContaining('unknown to llama models: heads_of_state'),
    expect.stringContaining('differs from model.embed_tokens.weight'),
  ]);
  for (const warning of warnings) expect(estimate.stderr).toContain(warning);
});

test('quantized weights are refused by name in every command', async () => {
  const model = ['--model', place.file('quantized')];
  const run = place.run('quantized', { model: 'quantized' });
  const results = [
    await tunewright(['inspect', place.file('quantized')]),
    await tunewright(['estimate', run]),
    await tunewright(['train', run, '--out', place.file('quantized-run')]),
    await tunewright(['generate', ...model, '--prompt', 'x']),
    await tunewright(['evaluate', ...model, '--dataset', place.file('rows.jsonl')]),
  ];
  for (const result of results) expectRefusal(result, 'quantization_config', 'AWQ, 4 bit');
});
