// `merge` of a GGUF base, as a process: what the adapter doesn't change is the base's bytes, what it changes is read again with the
// same values within the error of its type, and what can't be done is refused with nothing written.
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { exportTargets } from '../../../extension/src/engine/export/targets/registry.js';
import { readGgufHeader, type GgufHeader } from '../../../extension/src/engine/files/ggufHeader.js';
import { RandomAccessFile } from '../../../extension/src/engine/files/randomAccessFile.js';
import { encodedBytes } from '../../../extension/src/engine/files/ggufQuantizers.js';
import { valueCount } from '../../../extension/src/engine/files/tensorEntry.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';
import { writeGgufModel, type GgmlBlockType } from '../../support/ggufModel.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const media = (path: string) => fileURLToPath(new URL(`../../../media/${path}`, import.meta.url));
const place = workplace();
afterAll(() => place.remove());

const TEMPLATE = '{% for m in messages %}[{{ m.role }}] {{ m.content }}<|im_end|>{% endfor %}[assistant] ';
const baseOf = (type: GgmlBlockType) => place.file(`base-${type}.gguf`);
const adapter = ['--adapter', place.file('attention-run', 'adapter')];
const jsonOf = async (...args: string[]) => JSON.parse((await succeed([...args, '--json'])).stdout);
const lossOf = async (...model: string[]): Promise<number> => {
  const rows = ['--dataset', media('datasets/pirate.validation.jsonl'), '--max-length', '64'];
  return (await jsonOf('evaluate', ...model, ...rows)).loss;
};

beforeAll(async () => {
  for (const type of ['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1'] as const)
    writeGgufModel(baseOf(type), media('models/tiny'), type);
  const train = (name: string, method: Record<string, unknown>, dataset?: Record<string, unknown>) => {
    const run = place.run(name, {
      model: baseOf('Q8_0'),
      dataset: { train: media('datasets/pirate.messages.jsonl'), max_length: 64, ...dataset },
      method,
      training: { max_steps: 8, learning_rate: 1e-2 },
    });
    return succeed(['train', run, '--out', place.file(`${name}-run`)]);
  };
  await train('attention', { peft_type: 'LORA', target_modules: ['q_proj', 'v_proj', 'down_proj'] });
  await train(
    'templated',
    { peft_type: 'LORA', target_modules: ['v_proj'] },
    {
      chat_template: place.write('own.jinja', TEMPLATE),
    },
  );
});

interface OpenedGguf extends GgufHeader {
  dataOf(name: string): Buffer;
  pairOf(key: string): Buffer;
}

function opened(path: string): OpenedGguf {
  const file = new RandomAccessFile(path);
  const header = readGgufHeader(file);
  file.close();
  const bytes = readFileSync(path);
  return {
    ...header,
    dataOf: name => {
      const { shape, dtype, offset } = header.tensors.find(tensor => tensor.name === name)!;
      const begin = header.dataStart + offset;
      return bytes.subarray(begin, begin + encodedBytes(dtype, valueCount(shape)));
    },
    pairOf: key => bytes.subarray(header.pairs.get(key)!.begin, header.pairs.get(key)!.end),
  };
}

const TOUCHED = /attn_q|attn_v|ffn_down/;

describe('a GGUF base', () => {
  test.each([
    ['Q8_0', 0.05],
    ['Q5_0', 0.25],
    ['Q5_1', 0.25],
    ['Q4_0', 0.5],
    ['Q4_1', 0.5],
  ] as const)('in %s keeps every byte that the adapter doesn’t change', async (type, most) => {
    const out = place.file(`merged-${type}.gguf`);
    const answer = await jsonOf('merge', '--model', baseOf(type), ...adapter, '--out', out);
    const [before, after] = [opened(baseOf(type)), opened(out)];
    expect(after.tensors.map(({ name, dtype }) => [name, dtype])).toEqual(
      before.tensors.map(({ name, dtype }) => [name, dtype]),
    );
    for (const { name } of before.tensors) {
      const same = before.dataOf(name).equals(after.dataOf(name));
      expect(same, name).toBe(!TOUCHED.test(name));
    }
    expect([...after.pairs.keys()]).toEqual([...before.pairs.keys(), 'general.quantization_version']);
    for (const key of before.pairs.keys()) expect(after.pairOf(key).equals(before.pairOf(key)), key).toBe(true);
    expect(answer).toMatchObject({ file: out, peft_type: 'LORA', changed_parameters: 15 });
    expect(answer.rounding.kl).toBeGreaterThan(0);
    const trained = await lossOf('--model', baseOf(type), ...adapter);
    expect(Math.abs((await lossOf('--model', out)) - trained)).toBeLessThan(most);
  });

  test('is merged exactly where the touched tensors are float32', async () => {
    const out = place.file('exact.gguf');
    const answer = await jsonOf('merge', '--model', baseOf('Q4_0'), ...adapter, '--touched', 'f32', '--out', out);
    expect(answer.types).toMatchObject({ F32: 26, Q4_0: 21 });
    expect(answer.rounding.kl).toBeLessThan(1e-6);
    expect(answer.rounding.adapter_kl).toBeGreaterThan(1e-3);
    expect(await lossOf('--model', out)).toBeCloseTo(await lossOf('--model', baseOf('Q4_0'), ...adapter), 4);
  });

  test('is converted as a whole with --type', async () => {
    const out = place.file('converted.gguf');
    const answer = await jsonOf('merge', '--model', baseOf('Q8_0'), '--type', 'q5_1', '--out', out);
    // Rows of 432 values aren't whole blocks.
    expect(answer.types).toEqual({ Q8_0: 1, Q5_1: 30, F16: 5, F32: 11 });
    expect(answer).toMatchObject({ peft_type: null, changed_parameters: 0 });
    expect(opened(out).metadata.get('general.file_type')).toBe(9);
    expect(await lossOf('--model', out)).toBeCloseTo(await lossOf('--model', baseOf('Q8_0')), 0);
  });

  test('gets the chat template that the adapter was trained with', async () => {
    const out = place.file('templated.gguf');
    const templated = ['--adapter', place.file('templated-run', 'adapter')];
    await succeed(['merge', '--model', baseOf('Q8_0'), ...templated, '--out', out, '--no-compare']);
    const after = opened(out);
    expect(after.metadata.get('tokenizer.chat_template')).toBe(TEMPLATE);
    const before = opened(baseOf('Q8_0'));
    for (const key of before.pairs.keys())
      if (key !== 'tokenizer.chat_template') expect(after.pairOf(key).equals(before.pairOf(key)), key).toBe(true);
  });

  test('takes several adapters, one on top of the other', async () => {
    const out = place.file('twice.gguf');
    const both = [...adapter, '--adapter', place.file('templated-run', 'adapter')];
    const merged = ['merge', '--model', baseOf('Q8_0'), ...both, '--touched', 'f32', '--out', out, '--json'];
    const { stdout, stderr } = await succeed(merged);
    expect(stderr).toContain(`the model has that of ${both.at(-1)!}`);
    expect(JSON.parse(stdout)).toMatchObject({ peft_type: ['LORA', 'LORA'], changed_parameters: 15 });
    const one = place.file('one.gguf');
    await succeed(['merge', '--model', baseOf('Q8_0'), ...adapter, '--touched', 'f32', '--out', one]);
    const two = place.file('two.gguf');
    await succeed(['merge', '--model', one, ...both.slice(2), '--touched', 'f32', '--out', two]);
    expect(opened(out).dataOf('blk.0.attn_v.weight').equals(opened(two).dataOf('blk.0.attn_v.weight'))).toBe(true);
  });
});

describe('a folder', () => {
  const folder = ['--model', media('models/tiny')];

  test.each([
    ['own', { F16: 36, F32: 11 }, 0.001],
    ['q8_0', { Q8_0: 31, F16: 5, F32: 11 }, 0.1],
    // Rows of 160 values are whole blocks of the types that replace K types.
    ['q4_k_m', { Q8_0: 3, Q5_0: 28, F16: 5, F32: 11 }, 0.5],
  ])('is written as GGUF in %s', async (type, types, most) => {
    const out = place.file(`folder-${type}.gguf`);
    const answer = await jsonOf('merge', ...folder, '--type', type, '--out', out);
    expect(answer.types).toEqual(types);
    const { metadata } = opened(out);
    expect(metadata.get('general.architecture')).toBe('llama');
    expect(metadata.get('tokenizer.ggml.pre')).toBe('gpt-2');
    expect(Math.abs((await lossOf('--model', out)) - (await lossOf(...folder)))).toBeLessThan(most);
  });

  test('is merged and written as GGUF, as base and adapter answer', async () => {
    const out = place.file('folder-merged.gguf');
    const answer = await jsonOf('merge', ...folder, ...adapter, '--type', 'f32', '--out', out);
    expect(answer.rounding.kl).toBeLessThan(1e-6);
    expect(await lossOf('--model', out)).toBeCloseTo(await lossOf(...folder, ...adapter), 4);
  });

  test('with a pre-tokenizer that llama.cpp doesn’t know is refused', async () => {
    const copy = place.file('other-tokenizer');
    cpSync(media('models/tiny'), copy, { recursive: true });
    const tokenizer = JSON.parse(readFileSync(join(copy, 'tokenizer.json'), 'utf8'));
    const pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: '\\p{L}{1,3}' }, behavior: 'Isolated', invert: false },
        tokenizer.pre_tokenizer,
      ],
    };
    writeFileSync(join(copy, 'tokenizer.json'), JSON.stringify({ ...tokenizer, pre_tokenizer }));
    const out = place.file('unknown.gguf');
    expectRefusal(await tunewright(['merge', '--model', copy, '--out', out]), 'pre_tokenizer', '--out FOLDER');
    expect(existsSync(out)).toBe(false);
  });
});

test('a file is not overwritten without --force, and a folder never', async () => {
  const out = place.file('taken.gguf');
  writeFileSync(out, 'mine');
  const args = ['merge', '--model', baseOf('Q8_0'), ...adapter, '--no-compare', '--out'];
  expectRefusal(await tunewright([...args, out]), 'taken.gguf', 'this file exists', '--force');
  expect(readFileSync(out, 'utf8')).toBe('mine');
  await succeed([...args, out, '--force']);
  expect(opened(out).tensors).toHaveLength(47);
  expectRefusal(await tunewright([...args, baseOf('Q8_0'), '--force']), 'this is the base model itself');
  place.write('folder.gguf/a.txt', 'x');
  expectRefusal(await tunewright([...args, place.file('folder.gguf'), '--force']), 'this is a folder');
});

test('options without effect are refused, by merge and export alike', async () => {
  const folder = ['merge', '--model', media('models/tiny'), '--out', place.file('unused')];
  expectRefusal(await tunewright([...folder, '--force']), '--force', 'A folder is never replaced');
  expectRefusal(await tunewright([...folder, '--type', 'q8_0']), '--type', 'Hugging Face folder takes --dtype');
  expectRefusal(await tunewright([...folder.slice(0, -1), '']), '--out', 'is empty');
  const own = ['export', '--model', media('models/tiny')];
  expectRefusal(await tunewright([...own, '--to', 'ollama', '--name', '']), '--name', 'must be non-empty text');
  expectRefusal(await tunewright([...own, '--to', 'merged-gguf', '--out', place.file('x')]), '.gguf', 'Name it x.gguf');
  expectRefusal(
    await tunewright([...own, '--to', 'mlx', '--out', '~/x']),
    '--out',
    '~ stands for the home folder only',
  );
  expectRefusal(await tunewright([...folder, '--adapter', '']), '--adapter', 'is empty');
  const gguf = ['merge', '--model', media('models/tiny'), '--out', place.file('unused.gguf'), '--no-compare'];
  expectRefusal(await tunewright([...gguf, '--general-texts', 'a.jsonl']), '--general-texts', 'Leave out --no-compare');
  const mlx = [
    'export',
    '--adapter',
    place.file('attention-run', 'adapter'),
    '--to',
    'mlx',
    '--out',
    place.file('unused'),
  ];
  expectRefusal(await tunewright([...mlx, '--touched', 'q8_0']), '--touched', 'LoRA for MLX takes no options');
  expectRefusal(await tunewright(['export', '--to', 'gguf', '--out', '']), '--out', 'is empty');
  expectRefusal(await tunewright(['export', '--to', 'gguf']), 'nothing to export is named', '--adapter');
  expect(existsSync(place.file('unused'))).toBe(false);
});

test('an export says what was compared, and keeps it as a certificate in its run folder', async () => {
  const out = place.file('certified.gguf');
  const args = ['merge', '--model', baseOf('Q8_0'), ...adapter, '--out', out];
  const { stdout } = await succeed(args);
  expect(stdout).toMatch(/^Certified: read again by tunewright \S+, it differs .* by no more than its type must\.$/m);
  expect(stdout).toMatch(/^Token ids +\d+ texts .* none +none +same$/m);
  expect(stdout).toMatch(/^KL divergence +\d+ tokens .* nats per token +0\.02000 +within$/m);
  const file = place.file('attention-run', 'exports', 'certified.gguf.certificate.json');
  expect(stdout).toContain(`Certificate: ${file}`);
  const { certificate } = await jsonOf(...args, '--force', '--no-compare');
  expect(certificate).toMatchObject({ file, path: out, run: place.file('attention-run'), verdict: 'not compared' });
  const { file: _, ...kept } = certificate;
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(kept);
  rmSync(place.file('attention-run', 'exports'), { recursive: true });
});

test('export overwrites no file without --force, and only plans with --dry-run', async () => {
  const out = place.write('adapter.gguf', 'mine');
  const args = ['export', ...adapter, '--to', 'gguf'];
  expectRefusal(await tunewright([...args, '--out', out]), 'adapter.gguf', 'this file exists', '--force');
  expect(readFileSync(out, 'utf8')).toBe('mine');
  const forced = [...args, '--out', out, '--force'];
  const plan = await jsonOf(...forced, '--dry-run');
  expect(plan).toMatchObject({ format: 'gguf', target: 'adapter_gguf', path: out, needs: [{ met: true }] });
  expect(readFileSync(out, 'utf8')).toBe('mine');
  const { stdout } = await succeed([...args, '--dry-run']);
  expect(stdout).toContain(place.file('attention-run', 'exports', 'base-1.8M-attention-F32-LoRA.gguf'));
  expect(stdout).toMatch(/kB, about [\d.]+ m?s\nthere: .* free\nNothing was written/);
  expect(existsSync(place.file('attention-run', 'exports'))).toBe(false);
  const lines = (await succeed([...forced, '--json', '--progress'])).stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(lines.at(-1)).toMatchObject({ format: 'gguf', path: out, bytes: plan.bytes });
  expectRefusal(await tunewright([...forced, '--progress']), '--progress', 'Add --json');
  expect(readFileSync(out)).toHaveLength(plan.bytes);
});

test('export --dry-run without a target plans all of them, and says what keeps one from being done', async () => {
  const { plans } = await jsonOf('export', ...adapter, '--dry-run');
  expect(plans.map(({ target, refused }: Record<string, unknown>) => [target, refused])).toEqual(
    exportTargets.map(({ target }) => [target, null]),
  );
  const { stdout } = await succeed(['export', '--model', baseOf('Q8_0'), '--dry-run']);
  expect(stdout).toMatch(/merged-gguf +\d+ MB, about \d+ s\n/);
  expect(stdout).toMatch(/\nmlx +not possible: this exports one adapter, not 0\n/);
  expectRefusal(await tunewright(['export', ...adapter, '--dry-run', '--type', 'q8_0']), '--type', 'add --to');
});

test('what can’t be done is refused, and leaves nothing', async () => {
  const out = place.file('refused.gguf');
  const args = ['merge', '--model', baseOf('Q8_0'), '--out', out];
  expectRefusal(await tunewright([...args, '--touched', 'q8_0']), '--touched', 'Use --type');
  expectRefusal(await tunewright([...args, '--dtype', 'float16']), '--dtype', 'GGUF takes --type, --touched');
  expectRefusal(await tunewright([...args, '--type', 'q3_k']), 'q3_k');
  const prompt = place.run('prompt', {
    model: baseOf('Q8_0'),
    dataset: { train: media('datasets/pirate.messages.jsonl'), max_length: 64 },
    method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4 },
    training: { max_steps: 1 },
  });
  await succeed(['train', prompt, '--out', place.file('prompt-run')]);
  expectRefusal(
    await tunewright([...args, '--adapter', place.file('prompt-run', 'adapter')]),
    'can’t be merged'.replace('’', "'"),
    'PeftModel.from_pretrained',
    'tunewright serve',
  );
  expect(existsSync(out)).toBe(false);
  expect(readdirSync(place.path).filter(name => name.includes('.tmp'))).toEqual([]);
});
