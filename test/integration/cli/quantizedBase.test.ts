// The embedded model as quantized GGUF files, used without dequantizing: training, generation and evaluation through the real
// command line, compared with the same file dequantized to float32.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';
import { writeGgufModel } from '../../support/ggufModel.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const media = (path: string) => fileURLToPath(new URL(`../../../media/${path}`, import.meta.url));
const place = workplace();
afterAll(() => place.remove());

const types = [
  ['Q8_0', 'int8'],
  ['Q4_0', 'int4'],
  ['Q4_1', 'int4'],
] as const;
const fileOf = (type: string) => place.file(`tiny-${type}.gguf`);
beforeAll(() => {
  for (const [type] of types) writeGgufModel(fileOf(type), media('models/tiny'), type);
});

const ROWS = media('datasets/pirate.messages.jsonl');
const jsonOf = async (...args: string[]) => JSON.parse((await succeed([...args, '--json'])).stdout);

describe.each(types)('a base in %s', (type, kept) => {
  const base = ['--model', fileOf(type)];

  test('trains with losses within 2% of those of its float32 values', async () => {
    const losses = async (baseWeights: string) => {
      const name = `${type}-${baseWeights}`;
      const file = place.run(name, {
        model: fileOf(type),
        dataset: { train: ROWS, max_length: 128 },
        method: { target_modules: 'all-linear' },
        training: { max_steps: 24, per_device_train_batch_size: 4 },
        engine: { base_weights: baseWeights },
      });
      await succeed(['train', file, '--out', place.file(`${name}-run`)]);
      return place.events(`${name}-run`).flatMap(event => (event.type === 'step' ? [event.loss] : []));
    };
    const [actual, expected] = await Promise.all([losses(kept), losses('float32')]);
    expect(actual).toHaveLength(24);
    const off = Math.max(...actual.map((loss, i) => Math.abs(loss / expected[i]! - 1)));
    console.log(
      `${type}, ${expected[0]!.toFixed(4)} to ${expected.at(-1)!.toFixed(4)}: losses differ by ${off} at most`,
    );
    expect(expected.at(-1)).toBeLessThan(0.8 * expected[0]!);
    expect(off).toBeLessThan(0.02);
  });

  test('generates and evaluates without dequantizing', async () => {
    const answering = [...base, '--prompt', 'What does a doctor do?', '--max-new-tokens', '80'];
    const evaluating = [...base, '--dataset', media('datasets/pirate.validation.jsonl'), '--max-length', '128'];
    const [answer, floatAnswer, figures, floatFigures] = await Promise.all([
      jsonOf('generate', ...answering, '--base-weights', kept),
      jsonOf('generate', ...answering),
      jsonOf('evaluate', ...evaluating, '--base-weights', kept),
      jsonOf('evaluate', ...evaluating),
    ]);
    expect(answer.answers[0].text).toBe(floatAnswer.answers[0].text);
    expect(answer.answers[0].text).toContain('doctor');
    expect(Math.abs(figures.loss / floatFigures.loss - 1)).toBeLessThan(0.02);
  });
});

test('wasm is rejected with the same message in all commands', async () => {
  const base = ['--model', fileOf('Q8_0'), '--backend', 'wasm', '--base-weights', 'int8'];
  const run = place.run('wasm', {
    model: fileOf('Q8_0'),
    dataset: { train: ROWS },
    engine: { backend: 'wasm', base_weights: 'int8' },
  });
  const results = await Promise.all([
    tunewright(['train', run, '--out', place.file('wasm-run')]),
    tunewright(['estimate', run]),
    tunewright(['generate', ...base, '--prompt', 'Ahoy']),
    tunewright(['evaluate', ...base, '--dataset', ROWS]),
    tunewright(['generate', '--model', fileOf('Q8_0'), '--prompt', 'Ahoy', '--base-weights', 'int2']),
  ]);
  for (const result of results.slice(0, 4))
    expectRefusal(result, 'engine.base_weights', "the wasm backend can't compute with int8 weights", 'engine install');
  expectRefusal(results[4]!, '--base-weights', 'float32, bfloat16, int8, int4');
});

test('FULL is rejected by train and estimate alike', async () => {
  const run = place.run('full', {
    model: fileOf('Q8_0'),
    dataset: { train: ROWS },
    method: { peft_type: 'FULL' },
    engine: { base_weights: 'int8' },
  });
  const results = [
    await tunewright(['train', run, '--out', place.file('full-run')]),
    await tunewright(['estimate', run]),
  ];
  for (const result of results) expectRefusal(result, 'engine.base_weights', 'FULL trains all weights', '"float32"');
});
