// Local models: a temporary home with the stores of Hugging Face, Ollama, LM Studio and this program, listed and resolved by name.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { describeModels } from '../../../../extension/src/engine/cli/modelsCommand.js';
import { writeGguf } from '../../../../extension/src/engine/files/ggufWriter.js';
import { parseHubReference } from '../../../../extension/src/engine/hub/hubReference.js';
import { listLocalModels } from '../../../../extension/src/engine/hub/localModels.js';
import { resolveModel } from '../../../../extension/src/engine/hub/resolveModel.js';

let home: string;
const options = () => ({ baseDir: home, allowDownload: false });

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'home-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('HF_HUB_CACHE', join(home, 'hub'));
  vi.stubEnv('OLLAMA_MODELS', '');
  vi.stubEnv('TUNEWRIGHT_CACHE', join(home, 'tunewright'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

const size = (value: number) => ({ type: 'uint32' as const, value });

function gguf(path: string, architecture: string): string {
  const keys = ['block_count', 'context_length', 'embedding_length', 'feed_forward_length', 'attention.head_count'];
  const sizes = Object.fromEntries(keys.map(key => [`${architecture}.${key}`, size(4)]));
  const embedding = { name: 'token_embd.weight', shape: [4, 4], dtype: 'F32' as const, data: new Float32Array(16) };
  writeGguf(path, { 'general.architecture': { type: 'string', value: architecture }, ...sizes }, [embedding]);
  return path;
}

function write(path: string, content: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}

function fillStores() {
  const ollama = join(home, '.ollama', 'models');
  const content = readFileSync(gguf(join(home, 'weights'), 'llama'));
  const digest = createHash('sha256').update(content).digest('hex');
  mkdirSync(join(ollama, 'blobs'), { recursive: true });
  writeFileSync(join(ollama, 'blobs', `sha256-${digest}`), content);
  const manifest = { layers: [{ mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${digest}` }] };
  write(join(ollama, 'manifests', 'registry.ollama.ai', 'library', 'smollm', 'latest'), manifest);
  write(join(ollama, 'manifests', 'hf.co', 'org', 'name', 'Q8_0'), manifest);
  write(join(ollama, 'manifests', 'registry.ollama.ai', 'library', 'gone', 'latest'), { layers: [] });
  write(join(ollama, 'manifests', '.DS_Store'), 'no JSON');
  gguf(join(home, '.lmstudio', 'models', 'org', 'repo', 'model.gguf'), 'mamba');
  write(join(home, '.cache', 'lm-studio', 'models', 'org', 'mlx', 'config.json'), {
    model_type: 'llama',
    quantization: { bits: 4 },
  });
  write(join(home, '.cache', 'lm-studio', 'models', 'org', 'broken', 'x.gguf'), 'broken');
  gguf(join(home, 'tunewright', 'models', 'smollm2-135m-instruct', 'SmolLM2-135M-Instruct.Q4_1.gguf'), 'llama');
  const cached = join(home, 'hub', 'models--org--half');
  write(join(cached, 'refs', 'main'), 'c0');
  write(join(cached, 'snapshots', 'c0', 'config.json'), { model_type: 'qwen2' });
}

test('an empty machine', () => {
  expect(listLocalModels()).toEqual([]);
  expect(describeModels([])).toMatch(/models pull smollm2-135m-instruct/);
});

test('all stores, with the reason if a model can’t be trained', () => {
  fillStores();
  const models = listLocalModels();
  expect(models.map(({ id, store, modelType, reason }) => [id.replace(home, '~'), store, modelType, reason])).toEqual([
    ['smollm2-135m-instruct', 'tunewright', 'llama', null],
    ['org/half', 'huggingface', 'qwen2', 'the safetensors weights are incomplete'],
    ['ollama:hf.co/org/name:Q8_0', 'ollama', 'llama', null],
    ['ollama:smollm:latest', 'ollama', 'llama', null],
    ['~/.lmstudio/models/org/repo/model.gguf', 'lmstudio', 'mamba', 'the architecture mamba is not supported'],
    ['~/.cache/lm-studio/models/org/broken/x.gguf', 'lmstudio', null, 'this is not a GGUF file'],
    ['~/.cache/lm-studio/models/org/mlx', 'lmstudio', 'llama', 'its weights are quantized (MLX, 4 bit)'],
  ]);
  expect(describeModels(models)).toMatch(/ollama:smollm:latest +llama +gguf +ollama +0 MB +yes/);
});

test('folders that are named are listed first, with the model that their card names', () => {
  const folder = join(home, 'work', 'pirate-merged');
  cpSync(new URL('../../../../media/models/tiny', import.meta.url).pathname, folder, { recursive: true });
  write(join(folder, 'README.md'), '---\nbase_model: org/base\n---\n');
  const none = join(home, 'work', 'none');
  expect(listLocalModels([folder, none])).toMatchObject([
    { id: folder, store: 'folder', path: folder, modelType: 'llama', reason: null, base: 'org/base' },
    { id: none, store: 'folder', modelType: null, reason: expect.stringMatching(/./), base: null },
  ]);
});

test('each of them resolves by its id', async () => {
  fillStores();
  const usable = listLocalModels().filter(({ reason }) => reason === null);
  for (const { id, path } of [...usable, { ...usable.at(-1)!, id: 'ollama:smollm' }]) {
    const model = await resolveModel(id, options());
    expect(model).toMatchObject({ reference: id, path, format: 'gguf' });
    model.close();
  }
});

const embedded = fileURLToPath(new URL('../../../../media/models/tiny', import.meta.url));
test.runIf(existsSync(join(embedded, 'model.safetensors')))('the embedded model', async () => {
  const model = await resolveModel('embedded:tiny', options());
  expect(model).toMatchObject({ path: embedded, format: 'huggingface' });
  model.close();
});

test('a path, relative to the run file', async () => {
  gguf(join(home, 'sub', 'm.gguf'), 'llama');
  const model = await resolveModel('sub/m.gguf', options());
  expect(model.path).toBe(join(home, 'sub', 'm.gguf'));
  model.close();
});

test.each([
  ['smollm2-135-instruct', /not on this machine/, /Did you mean smollm2-135m-instruct/],
  ['ollama:smolm', /not in the Ollama store/, /Did you mean ollama:smollm:latest|models list/],
  ['embedded:huge', /unknown embedded model/, /embedded:tiny/],
  ['embedded:../../x', /unknown embedded model/, /embedded:tiny/],
  ['./missing', /not on this machine .*missing/, /models list/],
  ['notes.txt', /this file is not a model/, /\.gguf/],
])('%s', async (reference, message, hint) => {
  fillStores();
  write(join(home, 'notes.txt'), 'x');
  const error = await resolveModel(reference, options()).then(
    () => null,
    caught => caught,
  );
  expect(error).toMatchObject({
    name: 'InputError',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

test.each([
  ['org/name', { id: 'org/name', gguf: null }],
  ['org/name.v2:Q4_K_M', { id: 'org/name.v2', gguf: 'Q4_K_M' }],
  ['hf.co/org/name:a.gguf', { id: 'org/name', gguf: 'a.gguf' }],
  ['https://huggingface.co/org/name', { id: 'org/name', gguf: null }],
  ['../name', null],
  ['org/../x', null],
  ['name', null],
  ['a/b/c', null],
])('reference %s', (text, expected) => expect(parseHubReference(text)).toEqual(expected));
