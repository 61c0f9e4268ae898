// Wrong input gives an InputError that says where and what, before anything is lost or large memory is allocated. Most cases call
// the run in this process; one of each kind goes through the real command line.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { trainRun } from '../../../extension/src/engine/run/trainRun.js';
import { silentReporter } from '../../../extension/src/engine/run/reporter.js';
import { expectRefusal, succeed, tunewright, workplace, type RunChanges } from '../../support/cli.js';
import { inputErrorOf } from '../../support/inputErrors.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

/** For unique names. */
let runs = 0;

type Parts = readonly (string | RegExp)[];

/** Starts the run file in this process; it must be rejected with these texts, and leave no run folder behind. */
async function refused(runFile: string, parts: Parts): Promise<void> {
  const out = place.file(`refused-${runs++}`);
  const error = await inputErrorOf(() =>
    trainRun({
      runFile,
      out,
      resume: false,
      force: false,
      reporter: silentReporter,
      onEvent: () => {},
      signal: new AbortController().signal,
    }),
  );
  for (const part of parts)
    if (typeof part === 'string') expect(error.describe()).toContain(part);
    else expect(error.describe()).toMatch(part);
  expect(existsSync(out), 'a run folder was created for a run that never began').toBe(false);
}

const runWith = (changes: RunChanges) => place.run(`case-${runs++}`, changes);

describe('a run file', () => {
  const keys: [string, RunChanges, Parts][] = [
    ['a misspelt block', { trainning: {} }, ['unknown key "trainning"', 'did you mean "training"?']],
    ['a misspelt key', { training: { learnig_rate: 1 } }, ['training', '"learnig_rate"', '"learning_rate"']],
    ['a misspelt dataset key', { dataset: { maxlength: 5 } }, ['"maxlength"', '"max_length"']],
    ['a misspelt method key', { method: { lora_aplha: 5 } }, ['method', '"lora_aplha"', '"lora_alpha"']],
    ['a key of another method', { method: { peft_type: 'IA3', r: 8 } }, ['method', '"r"']],
    ['a misspelt engine key', { engine: { backnd: 'wasm' } }, ['"backnd"', '"backend"']],
    ['a misspelt sample key', { samples: { promts: [] } }, ['"promts"', '"prompts"']],
    ['two errors at once', { training: { sead: 1, learning_rate: -1 } }, ['"seed"', 'training.learning_rate']],
    [
      'a misspelt method',
      { method: { peft_type: 'LORAA' } },
      ['method.peft_type', 'did you mean "LORA"?', 'PREFIX_TUNING'],
    ],
    ['a method in small letters', { method: { peft_type: 'prefix_tuning' } }, ['did you mean "PREFIX_TUNING"?']],
    ['a misspelt backend', { engine: { backend: 'cuda' } }, ['engine.backend', 'tensorflow', 'wasm']],
    ['a misspelt schedule', { training: { lr_scheduler_type: 'cosin' } }, ['training.lr_scheduler_type', '"cosine"']],
    ['a misspelt format', { dataset: { format: 'alpacca' } }, ['dataset.format', '"alpaca"']],
    [
      'a learning rate of null',
      { training: { learning_rate: null } },
      ['training.learning_rate', 'must be a number above 0'],
    ],
    [
      'a learning rate of "NaN"',
      { training: { learning_rate: 'NaN' } },
      ['training.learning_rate', 'must be a number above 0'],
    ],
    ['a learning rate of -1', { training: { learning_rate: -1 } }, ['training.learning_rate', 'above 0']],
    ['a learning rate of 0', { training: { learning_rate: 0 } }, ['training.learning_rate', 'above 0']],
    [
      'a batch of 0',
      { training: { per_device_train_batch_size: 0 } },
      ['training.per_device_train_batch_size', 'at least 1'],
    ],
    ['a batch of 1.5', { training: { per_device_train_batch_size: 1.5 } }, ['training.per_device_train_batch_size']],
    ['a share of 1', { dataset: { validation: 1 } }, ['dataset.validation']],
    ['a rank of 0', { method: { r: 0 } }, ['method.r', 'from 1 to 65536']],
    ['an absurd rank', { method: { r: 1e9 } }, ['method.r']],
    [
      'a misspelt key next to init_from',
      { method: { init_from: 'x', use_rslra: true } },
      ['"use_rslra"', '"use_rslora"'],
    ],
    ['an unknown target', { method: { target_modules: ['qproj'] } }, ['"qproj"', 'q_proj', 'target_modules']],
    [
      'an unknown layer',
      { method: { layers_to_transform: [7] } },
      ['method.layers_to_transform', 'Its layers are 0 to 1'],
    ],
    [
      'an invalid expression',
      { method: { target_modules: '(' } },
      ['method.target_modules: "("', 'regular expression'],
    ],
    [
      'a prompt without its text',
      { method: { peft_type: 'PROMPT_TUNING', prompt_tuning_init: 'TEXT' } },
      ['method.prompt_tuning_init_text'],
    ],
    ['a missing pattern', { method: { peft_type: 'SELECTIVE', select: 'pattern' } }, ['method.pattern']],
    [
      'more layers than there are',
      { method: { peft_type: 'SELECTIVE', num_layers: 9 } },
      ['method.num_layers', '2 layers'],
    ],
    [
      'virtual tokens that fill the model',
      { method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 256 } },
      ['num_virtual_tokens'],
    ],
    [
      'a batch that fits in no memory',
      { training: { per_device_train_batch_size: 2e5 } },
      ['of memory', 'per_device_train_batch_size', 'max_length', '--force'],
    ],
    [
      'a prompt longer than the model supports',
      { samples: { prompts: ['x '.repeat(600)] } },
      ['samples.prompts', '256'],
    ],
  ];
  it.each(keys)('with %s', (_, changes, parts) => refused(runWith(changes), parts));

  it.each([
    ['that does not exist', null, ['does not exist']],
    ['that is empty', '', ['not JSON']],
    ['with a syntax error on line 3', '{\n"name": "x",\n"model" "y"\n}', ['texts.json:3:9', 'not JSON']],
    ['that is a list', '[]', ['not a JSON object']],
    ['that is UTF-16', Buffer.from('\ufeff{}', 'utf16le'), ['not UTF-8']],
    ['that lacks everything', '{}', ['model', 'dataset', 'method']],
    [
      'with a number that is infinite',
      '{"model":"base","dataset":{"train":"rows.jsonl"},"method":{"peft_type":"LORA"},"training":{"learning_rate":1e999}}',
      ['training.learning_rate'],
    ],
  ] as const)('%s', async (_, text, parts) => {
    const path = place.file('texts.json');
    rmSync(path, { force: true });
    if (text !== null) writeFileSync(path, text);
    await refused(path, [path, ...parts]);
  });
});

describe('a model', () => {
  /** A copy of the base with damaged files. */
  const broken = (change: (folder: string) => void) => {
    const folder = place.file(`model-${runs++}`);
    place.model(folder.slice(place.path.length + 1));
    change(folder);
    return folder;
  };
  const weights = (folder: string) => join(folder, 'model.safetensors');
  /** Rewrites the header of the weights, its length included. */
  const relabel = (folder: string, change: (header: Record<string, any>) => void) => {
    const bytes = readFileSync(weights(folder));
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    change(header);
    const text = Buffer.from(JSON.stringify(header));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(weights(folder), Buffer.concat([prefix, text, bytes.subarray(8 + length)]));
  };
  const reconfigure = (folder: string, change: Record<string, unknown>) => {
    const path = join(folder, 'config.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
  };
  const NORM = 'model.norm.weight';
  /** The base as shards by an index. */
  const sharded = (folder: string, shard: string) => {
    const bytes = readFileSync(weights(folder));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE())));
    const names = Object.keys(header).filter(name => name !== '__metadata__');
    rmSync(weights(folder));
    writeFileSync(join(folder, 'part-1.safetensors'), bytes);
    const map = Object.fromEntries(names.map(name => [name, name === NORM ? shard : 'part-1.safetensors']));
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  };

  const cases: [string, (folder: string) => void, Parts][] = [
    ['truncated weights', f => truncateSync(weights(f), 40_000), ['model.safetensors', 'truncated']],
    ['weights of 4 bytes', f => truncateSync(weights(f), 4), ['model.safetensors', '8 bytes']],
    ['empty weights', f => truncateSync(weights(f), 0), ['model.safetensors', '8 bytes']],
    ['weights truncated within their header', f => truncateSync(weights(f), 100), ['model.safetensors', 'header']],
    [
      'weights that are a web page',
      f => writeFileSync(weights(f), '<!doctype html><html></html>'),
      ['model.safetensors', 'header'],
    ],
    [
      'a header that claims exabytes',
      f => {
        const bytes = readFileSync(weights(f));
        bytes.writeBigUInt64LE(1n << 60n);
        writeFileSync(weights(f), bytes);
      },
      ['model.safetensors', String(1n << 60n)],
    ],
    ['a shape of exabytes', f => relabel(f, h => (h[NORM].shape = [2 ** 31, 2 ** 31])), [NORM, '2147483648']],
    ['a shape that overflows', f => relabel(f, h => (h[NORM].shape = [2 ** 52, 2 ** 52])), [NORM]],
    ['a negative shape', f => relabel(f, h => (h[NORM].shape = [-16])), [NORM, '-16']],
    ['offsets beyond the file', f => relabel(f, h => (h[NORM].data_offsets = [0, 1e9])), [NORM, '1000000000']],
    ['offsets the wrong way', f => relabel(f, h => h[NORM].data_offsets.reverse()), [NORM, 'data_offsets']],
    ['overlapping tensors', f => relabel(f, h => (h[NORM].data_offsets = [0, 64])), [/overlap|gap/]],
    ['an unknown dtype', f => relabel(f, h => (h[NORM].dtype = 'F8_E4M3')), [NORM, 'F8_E4M3']],
    [
      'a missing tensor',
      f =>
        relabel(f, h => {
          h['other.weight'] = h[NORM];
          delete h[NORM];
        }),
      [NORM, 'missing'],
    ],
    ['a tensor of another shape', f => reconfigure(f, { vocab_size: 521 }), ['embed_tokens', '[522, 16]', '[521, 16]']],
    ['a config of a far larger model', f => reconfigure(f, { hidden_size: 8_000_000 }), ['config']],
    ['layers beyond all bounds', f => reconfigure(f, { num_hidden_layers: 1e9 }), ['config.json', 'num_hidden_layers']],
    [
      'heads that do not divide',
      f => reconfigure(f, { num_attention_heads: 3 }),
      ['config.json', 'num_attention_heads'],
    ],
    ['an unknown model_type', f => reconfigure(f, { model_type: 'bert' }), ['config.json', '"bert"', 'llama', 'gpt2']],
    [
      'a key that is not supported',
      f => reconfigure(f, { is_causal: false }),
      ['config.json: is_causal', 'later ones'],
    ],
    ['a classifier', f => reconfigure(f, { architectures: ['LlamaForTokenClassification'] }), ['LlamaForTokenClass']],
    ['no config.json', f => rmSync(join(f, 'config.json')), ['config.json']],
    ['an invalid config.json', f => writeFileSync(join(f, 'config.json'), '{"a":\n1,}'), ['config.json:2', 'not JSON']],
    ['no weights', f => rmSync(weights(f)), ['model.safetensors']],
    ['no tokenizer', f => rmSync(join(f, 'tokenizer.json')), ['tokenizer.json']],
    ['an invalid tokenizer', f => writeFileSync(join(f, 'tokenizer.json'), '{}'), ['tokenizer.json']],
    ['a missing shard', f => sharded(f, 'part-2.safetensors'), ['part-2.safetensors', 'missing', 'index.json']],
    ['a shard outside of the folder', f => sharded(f, '../base/model.safetensors'), ['outside', 'index.json']],
    ['a shard with an absolute path', f => sharded(f, '/etc/passwd'), ['outside', 'index.json']],
    ['a shard through a subfolder', f => sharded(f, 'a/../../base/model.safetensors'), ['outside', 'index.json']],
    ['a shard that is not a string', f => sharded(f, 7 as unknown as string), ['outside', 'index.json']],
    ['a shard without its tensor', f => sharded(f, 'empty.safetensors'), ['empty.safetensors']],
  ];
  it.each(cases)('with %s', (_, change, parts) => refused(runWith({ model: broken(change) }), parts));

  it('with a tokenizer of a larger vocabulary', () =>
    refused(runWith({ model: place.model('small', { changes: { vocab_size: 60 } }) }), ['rows.jsonl:1', '60']));

  it.each([
    ['a folder that does not exist', './nowhere', ['nowhere']],
    ['a file that is not a model', 'rows.jsonl', ['rows.jsonl', 'not a model']],
    ['an empty folder', 'empty-folder', ['empty-folder', 'config.json']],
    ['an unknown embedded model', 'embedded:large', ['embedded:large', 'embedded:tiny']],
    ['an unknown Ollama model', 'ollama:nothing', ['ollama:nothing']],
    ['a GGUF file of 3 bytes', 'short.gguf', ['short.gguf']],
    ['an invalid GGUF file', 'page.gguf', ['page.gguf']],
    ['a GGUF file that claims exabytes', 'lying.gguf', ['lying.gguf']],
    ['a truncated GGUF file', 'cut.gguf', ['cut.gguf']],
  ] as const)('%s', async (_, model, parts) => {
    mkdirSync(place.file('empty-folder'), { recursive: true });
    const header = (tensors: bigint, keys: bigint) => {
      const bytes = Buffer.alloc(24);
      bytes.write('GGUF');
      bytes.writeUInt32LE(3, 4);
      bytes.writeBigUInt64LE(tensors, 8);
      bytes.writeBigUInt64LE(keys, 16);
      return bytes;
    };
    writeFileSync(place.file('short.gguf'), 'GGU');
    writeFileSync(place.file('page.gguf'), '<!doctype html><html><body></body></html>');
    writeFileSync(place.file('lying.gguf'), Buffer.concat([header(1n << 60n, 1n << 60n), Buffer.alloc(100)]));
    writeFileSync(place.file('cut.gguf'), header(3n, 2n));
    await refused(runWith({ model }), parts);
  });
});

describe('a dataset', () => {
  const row = { prompt: 'a', completion: 'b' };
  const lines = (...texts: string[]) => texts.join('\n');
  const good = JSON.stringify(row);
  const cases: [string, string, string | Buffer | null, Parts, RunChanges?][] = [
    ['that does not exist', 'd.jsonl', null, ['d.jsonl', 'does not exist']],
    ['that is empty', 'd.jsonl', '', ['d.jsonl', 'empty']],
    ['of blank lines', 'd.jsonl', '\n \n\n', ['d.jsonl', 'empty']],
    ['of an empty list', 'd.json', '[]', ['d.json', 'empty']],
    ['of a header only', 'd.csv', 'prompt,completion\n', ['d.csv', 'empty']],
    [
      'with invalid JSON on line 3',
      'd.jsonl',
      lines(good, good, '{"prompt": "a", completion}'),
      ['d.jsonl:3', 'invalid JSON'],
    ],
    [
      'with half a row on its last line',
      'd.jsonl',
      lines(good, '{"prompt": "a", "compl'),
      ['d.jsonl:2', 'invalid JSON'],
    ],
    ['with a row that is a list', 'd.jsonl', lines(good, '[1]'), ['d.jsonl:2', 'a list']],
    ['with a row of wrong values', 'd.jsonl', lines(good, '{"prompt": 1, "completion": "b"}'), ['d.jsonl:2', 'prompt']],
    ['with a row of another format', 'd.jsonl', lines(good, '{"text": "a"}'), ['d.jsonl', 'format']],
    [
      'with rows of no format',
      'd.jsonl',
      '{"frage": "a", "antwort": "b"}',
      ['d.jsonl:1', 'frage', 'dataset.columns', 'instruction'],
    ],
    [
      'in Latin-1 on line 2',
      'd.jsonl',
      Buffer.from(lines(good, '{"prompt":"é","completion":"b"}'), 'latin1'),
      ['d.jsonl:2', 'UTF-8'],
    ],
    ['in Latin-1 as CSV', 'd.csv', Buffer.from('prompt,completion\né,b\n', 'latin1'), ['d.csv:2', 'UTF-8']],
    ['with an open quote in CSV', 'd.csv', 'prompt,completion\n"a,b\n', ['d.csv:2']],
    ['of an unknown type', 'd.xlsx', 'PK', ['d.xlsx', '.jsonl']],
    ['that is not Parquet', 'd.parquet', 'PAR1', ['d.parquet']],
    ['with nothing to train on', 'd.jsonl', '{"input_ids":[1,2],"labels":[-100,-100]}', ['d.jsonl', 'no row']],
    ['with ids beyond the vocabulary', 'd.jsonl', '{"input_ids":[1,99999]}', ['d.jsonl:1', '99999']],
    [
      'with rows that are too long',
      'd.jsonl',
      lines(good, JSON.stringify({ ...row, completion: 'b '.repeat(99) })),
      ['d.jsonl:2', 'max_length', 'truncation'],
      { dataset: { truncation: 'error' } },
    ],
    [
      'with more than a tenth of rows that can’t be used',
      'd.jsonl',
      lines(...Array(20).fill(good), '{"prompt": "a"', '{"prompt": 1, "completion": "b"}', '{"prompt": "a"}'),
      ['d.jsonl:21:15', '3 of 23 rows', 'more than a tenth', 'invalid JSON', '"prompt" must be a text', 'd.jsonl:23'],
      { dataset: { on_bad_row: 'skip' } },
    ],
    [
      'with only rows that can’t be used',
      'd.jsonl',
      lines('{"prompt": 1, "completion": "b"}', '{"prompt": "a", "completion": ["b"]}'),
      [
        'd.jsonl:1',
        'no row of the dataset can be trained on',
        '"prompt" must be a text',
        '"completion" must be a text',
      ],
      { dataset: { on_bad_row: 'skip' } },
    ],
    ['that is an HTML page', 'd.json', '<!doctype html>\n<html></html>', ['d.json', 'HTML', 'download']],
    [
      'that is a Git LFS pointer',
      'd.parquet',
      'version https://git-lfs.github.com/spec/v1\n',
      ['d.parquet', 'git lfs pull'],
    ],
    [
      'compressed and cut off',
      'd.jsonl.gz',
      gzipSync(lines(good)).subarray(0, 20),
      ['d.jsonl.gz', "can't be unpacked"],
    ],
    [
      'with too many epochs of packed rows',
      'd.jsonl',
      good.repeat(1100),
      [/case-\d+\.json: training\.num_train_epochs: .* too many/],
      { dataset: { packing: true, validation: null }, training: { num_train_epochs: 100_000, max_steps: -1 } },
    ],
    ['with one row to split', 'd.jsonl', good, ['dataset.validation'], { dataset: { validation: 0.5 } }],
    [
      'with an unknown column',
      'd.jsonl',
      good,
      ['dataset.columns.prompt', '"promt"', '"prompt"'],
      { dataset: { columns: { prompt: 'promt' } } },
    ],
    [
      'with a template that does not exist',
      'd.jsonl',
      good,
      ['dataset.chat_template', 'none.jinja'],
      { dataset: { chat_template: 'none.jinja' } },
    ],
  ];
  it.each(cases)('%s', async (_, name, content, parts, changes = {}) => {
    const folder = place.file(`data-${runs++}`);
    mkdirSync(folder);
    const path = join(folder, name);
    if (content !== null) writeFileSync(path, content);
    await refused(runWith({ ...changes, dataset: { on_bad_row: 'error', ...changes.dataset, train: path } }), parts);
  });

  it('of chats for a model without a chat template', async () => {
    const chats = [
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b' },
        ],
      },
    ];
    const train = place.write('chats.jsonl', chats);
    const model = place.model('no-template', { tokenizer: 'gpt2' });
    await refused(runWith({ model, dataset: { train } }), ['chats.jsonl:1', 'chat template', 'dataset.chat_template']);
  });

  it.each<[string, string, (text: string, before: string) => string, string, string[]]>([
    ['merge', 'chat_template.jinja', text => text, 'chat_template.jinja:2', ['--out', 'merged']],
    ['merge', 'chat_template.jinja', text => text, 'chat_template.jinja:2', ['--out', 'merged.gguf']],
    [
      'generate',
      'tokenizer_config.json',
      (text, before) => JSON.stringify({ ...JSON.parse(before), chat_template: text }),
      'tokenizer_config.json: chat_template',
      ['--prompt', 'ab'],
    ],
    [
      'generate',
      'additional_chat_templates/default.jinja',
      text => text,
      'additional_chat_templates',
      ['--prompt', 'ab'],
    ],
  ])('%s of a model whose template in %s isn’t Jinja', async (command, name, content, named, args) => {
    const model = place.model(`broken-template-${runs++}`);
    const path = join(model, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content('Hi\n{% if %}', existsSync(path) ? readFileSync(path, 'utf8') : ''));
    const result = await tunewright([command, '--model', model, ...args], { cwd: place.path });
    expectRefusal(result, `${model}/${named}`, 'chat template failed');
    expect(existsSync(place.file('merged'))).toBe(false);
    expect(existsSync(place.file('merged.gguf'))).toBe(false);
  });

  it('for validation that is broken', () => {
    const validation = place.write('validation.jsonl', 'nothing\n');
    return refused(runWith({ dataset: { validation } }), ['validation.jsonl:1', 'invalid JSON']);
  });
});

describe('an adapter', () => {
  const trained = succeed(['train', place.run('adapter'), '--out', place.file('adapter-run')]);
  const copy = async (name: string, change: (folder: string) => void) => {
    await trained;
    const folder = place.file(name);
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(place.file('adapter-run/adapter')))
      writeFileSync(join(folder, file), readFileSync(place.file('adapter-run/adapter', file)));
    change(folder);
    return folder;
  };
  const start = (init_from: string, model = 'base') => runWith({ model, method: { init_from } });
  const rewrite = (folder: string, change: Record<string, unknown>) => {
    const path = join(folder, 'adapter_config.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
  };

  it('for another width', async () => {
    await trained;
    const model = place.model('wider', { changes: { hidden_size: 32, head_dim: 8 } });
    await refused(start('adapter-run/adapter', model), [
      'adapter_model.safetensors',
      '[8, 16]',
      '[8, 32]',
      place.file('base'),
    ]);
  });

  it('for another family', async () => {
    await trained;
    const model = place.model('gpt2', { modelType: 'gpt2' });
    await refused(start('adapter-run/adapter', model), ['adapter_config.json', 'q_proj', 'c_attn', place.file('base')]);
  });

  it.each([
    ['that is a whole model', 'base', ['base: this is a whole model', '"model" of the run file', '--model']],
    ['that is the folder of a run', 'adapter-run', ['adapter-run: this is the folder of a run', 'adapter-run/adapter']],
    ['that does not exist', 'none', ['none: this folder does not exist', 'Check the path']],
  ])('%s', async (_, folder, parts) => {
    await trained;
    await refused(start(folder), parts);
  });

  const cases: [string, (folder: string) => void, Parts][] = [
    ['without a config', f => rmSync(join(f, 'adapter_config.json')), ['adapter_config.json']],
    [
      'without its tensors',
      f => rmSync(join(f, 'adapter_model.safetensors')),
      ['adapter_model.safetensors', 'missing'],
    ],
    [
      'with truncated tensors',
      f => truncateSync(join(f, 'adapter_model.safetensors'), 900),
      ['adapter_model.safetensors'],
    ],
    [
      'with an invalid config',
      f => writeFileSync(join(f, 'adapter_config.json'), 'x'),
      ['adapter_config.json', 'not JSON'],
    ],
    ['of an unknown method', f => rewrite(f, { peft_type: 'BOFT' }), ['adapter_config.json', '"BOFT"', 'LORA']],
    ['with an invalid rank', f => rewrite(f, { r: 'eight' }), ['adapter_config.json', 'r:']],
    ['of another rank', f => rewrite(f, { r: 9 }), ['adapter_model.safetensors', '[9, 16]', '[8, 16]']],
    [
      'with more targets than tensors',
      f => rewrite(f, { target_modules: ['q_proj', 'v_proj', 'k_proj'] }),
      ['k_proj', 'missing'],
    ],
    [
      'with fewer targets than tensors',
      f => rewrite(f, { target_modules: ['q_proj'] }),
      ['v_proj', 'adapter_model.safetensors'],
    ],
  ];
  it.each(cases)('%s', async (name, change, parts) => refused(start(await copy(`adapter ${name}`, change)), parts));
});

describe('the command line', () => {
  it('rejects it with a message and exit code 2, immediately', async () => {
    const cut = place.model('cut');
    truncateSync(join(cut, 'model.safetensors'), 40_000);
    const bad = place.write('bad.jsonl', 'nothing\n');
    const base = place.file('base');
    const results = await Promise.all(
      [
        ['train', place.run('c1', { training: { learning_rate: null } })],
        ['train', place.run('c2', { model: cut })],
        ['train', place.run('c3', { dataset: { train: bad } })],
        ['train', place.file('none.json')],
        ['generate', '--model', base, '--adapter', place.path, '--prompt', 'a'],
        ['generate', '--model', base],
        ['generate', '--model', base, '--prompt', 'a', '--temperature', 'NaN'],
        ['generate', '--model', base, '--prompt', 'a', '--backend', 'cuda'],
        ['evaluate', '--model', base, '--dataset', bad],
        ['evaluate', '--model', base, '--dataset', place.file('rows.jsonl'), '--train-on', 'questions'],
        ['evaluate', '--model', base, '--dataset', place.file('rows.jsonl'), '--batch-size', '0'],
        ['trian'],
        ['train', place.run('c4'), '--otu', 'x'],
      ].map(args => tunewright(args)),
    );
    const parts: Parts[] = [
      ['c1.json', 'training.learning_rate'],
      ['model.safetensors', 'truncated'],
      ['bad.jsonl:1', 'invalid JSON'],
      ['none.json'],
      [place.path, 'adapter_config.json'],
      ['--prompt'],
      ['NaN'],
      ['cuda', 'wasm'],
      ['bad.jsonl:1'],
      ['questions', 'completions'],
      ['batch-size'],
      ['train'],
      ['--out'],
    ];
    results.forEach((result, i) => {
      expectRefusal(result, ...parts[i]!);
      expect(result.stdout).toBe('');
    });
    expect(readdirSync(place.path)).not.toContain('runs');
  });

  it('does not touch a run folder that is not empty', async () => {
    const folder = place.file('kept');
    place.write('kept/thesis.txt', 'ten years of work');
    const result = await tunewright(['train', place.run('kept-by'), '--out', folder]);
    expectRefusal(result, folder, 'not empty', '--out');
    expect(readdirSync(folder)).toEqual(['thesis.txt']);
  });
});

/** A file system of a fixed size, if this user may mount one. */
function smallDisk(path: string, kilobytes: number): boolean {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'none', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a full disk', () => {
  const disk = place.file('disk');
  let mounted = false;
  beforeAll(() => {
    mounted = smallDisk(disk, 400);
  });
  afterAll(() => {
    if (mounted) execFileSync('umount', [disk]);
  });

  it('stops the run with a message and keeps what was saved', async context => {
    context.skip(!mounted, 'no file system can be mounted here');
    const run = place.run('full-disk', {
      method: { peft_type: 'LORA', target_modules: 'all-linear', r: 16 },
      training: { max_steps: 40, save_steps: 2, save_total_limit: null },
    });
    const out = join(disk, 'run');
    const result = await tunewright(['train', run, '--out', out]);
    expectRefusal(result, out, 'disk is full');
    const checkpoints = readdirSync(join(out, 'checkpoints'));
    expect(checkpoints.length).toBeGreaterThan(0);
    for (const name of checkpoints) {
      expect(name).toMatch(/^step-\d+$/);
      expect(readdirSync(join(out, 'checkpoints', name)).toSorted()).toEqual([
        'manifest.json',
        'optimizer.safetensors',
        'state.json',
        'trainable.safetensors',
      ]);
    }
    // The run can be resumed once there is space again.
    execFileSync('mount', ['-o', 'remount,size=20m', disk]);
    await succeed(['train', run, '--out', out, '--resume']);
    const events = readFileSync(join(out, 'events.ndjson'), 'utf8').trimEnd().split('\n');
    expect(events.map(line => JSON.parse(line).seq)).toEqual([...events.keys()]);
    expect(existsSync(join(out, 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });

  it('is reported before training if there is no space for the run folder', async context => {
    context.skip(!mounted, 'no file system can be mounted here');
    rmSync(join(disk, 'run'), { recursive: true, force: true });
    execFileSync('mount', ['-o', 'remount,size=64k', disk]);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(60 * 1024));
    const result = await tunewright(['train', place.run('no-room'), '--out', join(disk, 'none')]);
    expectRefusal(result, join(disk, 'none'), 'disk is full');
  });
});
