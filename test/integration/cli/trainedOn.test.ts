// What is trained on ends an answer, and padding has no part in anything: with the embedded model, against Transformers
// (test/fixtures/chats/make.py).
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it, vi } from 'vitest';
import { succeed, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { model: expected } = JSON.parse(readFileSync(join(root, 'test/fixtures/chats/expected.json'), 'utf8')) as {
  model: {
    prompt: string;
    ends: [number, number];
    answer: string;
    padded: Record<string, { input_ids: number[]; attention_mask: number[]; labels: number[]; loss: number }>;
  };
};
const tiny = join(root, 'media/models/tiny');

/** The embedded model with the eos of a base model: its template ends turns with another token. */
function withOtherEos(name: string): string {
  const folder = place.file(name);
  cpSync(tiny, folder, { recursive: true });
  const change = (file: string, changes: Record<string, unknown>) => {
    const path = join(folder, file);
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }));
  };
  change('tokenizer_config.json', { eos_token: '<|endoftext|>' });
  change('config.json', { eos_token_id: expected.ends[0] });
  writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: expected.ends[0] }));
  return folder;
}

it('the token that ends a turn ends the samples of a run, answers, and those of the merged model', async () => {
  const model = withOtherEos('model');
  const run = place.file('run.json');
  const config = {
    name: 'ends',
    model,
    dataset: { train: join(root, 'media/datasets/pirate.messages.jsonl'), max_length: 128 },
    method: { peft_type: 'LORA' },
    training: { max_steps: 1, learning_rate: 1e-6 },
    samples: { prompts: [expected.prompt], max_new_tokens: 48 },
  };
  writeFileSync(run, JSON.stringify(config));
  await succeed(['train', run, '--out', place.file('ends')]);
  const samples = place.events('ends').filter(event => event.type === 'sample');
  expect(samples.length).toBeGreaterThan(0);
  for (const sample of samples) expect(sample).toMatchObject({ text: expected.answer });

  const adapter = place.file('ends/adapter');
  const merged = place.file('merged');
  await succeed(['merge', '--model', model, '--adapter', adapter, '--out', merged]);
  expect(JSON.parse(readFileSync(join(merged, 'generation_config.json'), 'utf8'))).toMatchObject({
    eos_token_id: expected.ends,
  });
  for (const flags of [
    ['--model', model],
    ['--model', model, '--adapter', adapter],
    ['--model', merged],
  ]) {
    const { stdout } = await succeed(['generate', ...flags, '--prompt', expected.prompt, '--max-new-tokens', '48']);
    expect(stdout.trim()).toBe(expected.answer);
  }
});

it.each(Object.entries(expected.padded))('padding on the %s: the loss is that of Transformers', async (name, row) => {
  const { loss, ...fields } = row;
  const dataset = place.file(`${name}.jsonl`);
  writeFileSync(dataset, JSON.stringify(fields));
  const { stdout } = await succeed(['evaluate', '--model', tiny, '--dataset', dataset, '--json']);
  expect((JSON.parse(stdout) as { loss: number }).loss).toBeCloseTo(loss, 4);
});
