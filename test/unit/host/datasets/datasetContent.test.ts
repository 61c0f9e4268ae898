// Which files of a workspace are datasets: the bundled ones, and those that models, adapters, runs and other programs write.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactKind, isPartOfArtifact } from '../../../../extension/src/host/artifactFolders.js';
import { holdsRows, isOtherFile } from '../../../../extension/src/host/datasets/datasetContent.js';
import { root } from '../../../support/datasetWorker.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-found-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Buffer): string {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const isDataset = async (path: string) =>
  !isOtherFile(basename(path)) && !isPartOfArtifact(path, folder) && (await holdsRows(path));
const row = '{"prompt": "a", "completion": "b"}\n';

describe('datasets', () => {
  test.each(readdirSync(join(root, 'media/datasets')))('%s', async name => {
    expect(await holdsRows(join(root, 'media/datasets', name))).toBe(true);
  });

  test.each<[string, string | Buffer]>([
    ['aliases.csv', 'question,answer\na,b\n'],
    ['tabs.tsv', 'prompt\tcompletion\na\tb\n'],
    ['packed.jsonl.gz', gzipSync(row)],
    ['list.json', `[${row}]`],
    ['under-data.json', `{"data": [${row}]}`],
    ['lines.json', row + row],
    ['one-bad-row.jsonl', `${row}{"prompt": \n${row}`],
    ['only-bad-rows.jsonl', '{"prompt": \n{"prompt": \n'],
    ['python.jsonl', "{'prompt': 'a', 'completion': \"it's\"}\n"],
    ['ambiguous.jsonl', '{"text": "a", "prompt": "b", "completion": "c"}\n'],
    ['long.jsonl', `{"text": "${'x'.repeat(300_000)}"}\n`],
    ['my-config.jsonl', row],
    ['data/configs.json', `[${row}]`],
  ])('%s is one', async (name, content) => {
    expect(await isDataset(write(name, content))).toBe(true);
  });
});

describe('files that are none', () => {
  const model = '{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}';
  test.each<[string, string]>([
    ['config.json', model],
    ['llama-config.json', model],
    ['tokenizer.json', '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}}}'],
    ['renamed-tokenizer.json', `{"version": "1.0", "model": {"vocab": {${'"a": 0, '.repeat(100_000)}"b": 1}}}`],
    ['vocab.json', '{"prompt": 0, "completion": 1, "text": 2}'],
    ['renamed-vocab.json', '{"prompt": 0, "completion": 1, "text": 2, "instruction": 3, "output": 4}'],
    ['special_tokens_map.json', '{"eos_token": "</s>"}'],
    ['generation_config.json', '{"eos_token_id": 2}'],
    ['adapter_config.json', '{"peft_type": "LORA"}'],
    ['model.safetensors.index.json', '{"weight_map": {"a": "b"}}'],
    ['package.json', '{"name": "x", "version": "1.0.0"}'],
    ['tsconfig.base.json', '{"compilerOptions": {}}'],
    ['pirate.tune.json', '{"model": "embedded:tiny"}'],
    ['openapi.json', '{"openapi": "3.0.0", "paths": {}}'],
    ['numbers.csv', 'step,loss\n1,2.5\n2,2.4\n'],
    ['chart of a dashboard.csv', 'series,step,value\npirate-lora,1,2.5\npirate-lora,2,2.4\n'],
    ['table.csv', 'name,age\nAnn,30\n'],
    ['log.jsonl', '{"level": "info", "message": "started"}\n'],
    ['numbers.json', '[1, 2, 3]'],
    ['empty.json', ''],
    ['broken.json', '{"a": '],
    ['empty.csv', ''],
    ['empty.jsonl', ''],
    ['events.ndjson', '{"type": "started", "text": "a"}\n'],
    ['tone.eval.jsonl', '{"text": "a", "expected": "b", "checks": [{"type": "exact"}]}\n'],
  ])('%s', async (name, content) => {
    expect(await isDataset(write(name, content))).toBe(false);
  });
});

describe('folders', () => {
  const files: Record<string, string[]> = {
    model: ['config.json', 'extra.json', 'train.jsonl'],
    adapter: ['adapter_config.json', 'train.jsonl'],
  };

  test('what is beside the files of a model or an adapter is part of it; what is in a folder below is not', async () => {
    for (const [kind, names] of Object.entries(files)) {
      for (const name of names)
        write(`${kind}s/mine/${name}`, name.endsWith('.jsonl') ? row : '{"model_type": "llama"}');
      expect(artifactKind(join(folder, `${kind}s/mine`))).toBe(kind);
      expect(await isDataset(join(folder, `${kind}s/mine/train.jsonl`))).toBe(false);
      expect(await isDataset(write(`${kind}s/mine/data/train.jsonl`, row))).toBe(true);
    }
  });

  test('everything in a run is part of it', async () => {
    for (const name of ['run.json', 'events.ndjson']) write(`elsewhere/run-1/${name}`, '{}');
    expect(artifactKind(join(folder, 'elsewhere/run-1'))).toBe('run');
    for (const name of ['rows.jsonl', 'checkpoints/step-3/rows.jsonl', 'adapter/rows.json'])
      expect(await isDataset(write(`elsewhere/run-1/${name}`, row))).toBe(false);
  });

  test('a workspace that is a model has datasets, and a config.json of another program makes no model', async () => {
    const own = mkdtempSync(join(folder, 'workspace-'));
    cpSync(join(root, 'media/models/tiny/config.json'), join(own, 'config.json'));
    writeFileSync(join(own, 'train.jsonl'), row);
    expect(isPartOfArtifact(join(own, 'train.jsonl'), own)).toBe(false);
    write('app/config.json', '{"port": 80}');
    expect(artifactKind(join(folder, 'app'))).toBeNull();
    expect(await isDataset(write('app/train.jsonl', row))).toBe(true);
  });
});
