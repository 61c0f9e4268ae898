// `push` as a process, to a hub on loopback: a run's adapter with its card, the merged model as a folder and as GGUF, a model as it is,
// a dry run that asks nobody, a card that stays, and a token that is nowhere.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { expectRefusal, tunewright, workplace, type CliResult } from '../../support/cli.js';
import { startPushServer, type PushServer } from '../../support/pushServer.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const TOKEN = 'hf_secretOfTheTest';
const media = (path: string) => fileURLToPath(new URL(`../../../media/${path}`, import.meta.url));
const place = workplace();
const base = place.file('my models', 'tiny');
const run = place.file('pirate');
let hub: PushServer;

const push = (source: string, ...args: string[]): Promise<CliResult> =>
  tunewright(['push', source, ...args], { env: environment() });
const environment = () => ({
  ...{ HF_ENDPOINT: hub.url, HF_TOKEN: TOKEN, HF_HOME: place.file('home'), HF_HUB_OFFLINE: '' },
});

/** The answer of a push that succeeds. */
async function pushed(source: string, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await push(source, ...args, '--json');
  expect(code, stderr).toBe(0);
  expect(stdout + stderr).not.toContain(TOKEN);
  return JSON.parse(stdout);
}
const files = (repo: string) => hub.repositories.get(repo)!.branches.get('main')!;
const card = (repo: string) => String(files(repo).get('README.md'));

beforeAll(async () => {
  hub = await startPushServer(TOKEN);
  mkdirSync(base, { recursive: true });
  cpSync(media('models/tiny'), base, { recursive: true });
  writeFileSync(join(base, 'README.md'), '---\nlicense: mit\n---\n');
  const file = place.run('pirate', {
    model: base,
    dataset: { train: media('datasets/pirate.messages.jsonl'), validation: 0.1, max_length: 64 },
    training: { max_steps: 6, learning_rate: 1e-2, eval_steps: 3 },
  });
  const { code, stderr } = await tunewright(['train', file, '--out', run]);
  expect(code, stderr).toBe(0);
});
beforeEach(() => {
  hub.repositories.clear();
  hub.requests.length = 0;
});
afterAll(async () => {
  await hub.close();
  place.remove();
});

test('the adapter of a run, private, with its card and curve', async () => {
  const answer = await pushed(run, '--datasets', 'org/rows');
  expect(answer).toMatchObject({ target: 'hub', place: `${hub.url}/user/pirate`, peft_type: 'LORA' });
  expect(answer.pushed).toMatchObject({ repo: 'user/pirate', private: true, commit: expect.any(String) });
  expect(hub.repositories.get('user/pirate')!.private).toBe(true);
  expect([...files('user/pirate').keys()].toSorted()).toEqual([
    '.gitattributes',
    'README.md',
    'adapter_config.json',
    'adapter_model.safetensors',
    'loss.svg',
  ]);
  const local = readFileSync(join(run, 'adapter', 'adapter_model.safetensors'));
  expect(files('user/pirate').get('adapter_model.safetensors')!.equals(local)).toBe(true);
  // The base is a folder of this machine.
  expect(JSON.parse(String(files('user/pirate').get('adapter_config.json')))).toMatchObject({
    base_model_name_or_path: 'tiny',
  });
  for (const part of ['library_name: peft', 'license: mit', '- org/rows', '| steps | 6 |', '<|im_start|>user\nHello!'])
    expect(card('user/pirate')).toContain(part);
  for (const content of files('user/pirate').values()) expect(String(content)).not.toContain(place.path);
  expect((await pushed(run)).pushed.files.filter((file: { state: string }) => file.state === 'uploaded')).toEqual([
    expect.objectContaining({ path: 'README.md' }),
  ]);
});

test('a card that somebody has changed stays, unless it is to be replaced', async () => {
  expect((await push(join(run, 'run.json'))).stderr).toContain(`Waiting for ${hub.url}`);
  const changed = `${card('user/pirate')}My own words.\n`;
  files('user/pirate').set('README.md', Buffer.from(changed));
  const { code, stdout, stderr } = await push(run);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/user\/pirate has a README\.md.*--force/);
  expect(stdout).toContain('kept');
  expect(card('user/pirate')).toBe(changed);
  await pushed(run, '--force');
  expect(card('user/pirate')).not.toContain('My own words');
});

test('the merged model as a folder, and as GGUF', async () => {
  await pushed(run, '--repo', 'me/folder', '--content', 'folder', '--dtype', 'bfloat16', '--public');
  expect(hub.repositories.get('me/folder')!.private).toBe(false);
  expect([...files('me/folder').keys()]).toEqual(
    expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json', 'README.md']),
  );
  expect(card('me/folder')).toContain('library_name: transformers');
  await pushed(run, '--repo', 'me/gguf', '--content', 'gguf', '--type', 'q8_0', '--no-compare');
  const name = [...files('me/gguf').keys()].find(each => each.endsWith('.gguf'))!;
  expect(String(files('me/gguf').get(name)!.subarray(0, 4))).toBe('GGUF');
  expect(card('me/gguf')).toContain(`--hf-file ${name}`);
  for (const repo of ['me/folder', 'me/gguf'])
    for (const content of files(repo).values()) expect(content.includes(place.path)).toBe(false);
});

test('a model folder and a GGUF file as they are', async () => {
  await pushed(base, '--repo', 'me/copy');
  const weights = readdirSync(base).filter(name => name.endsWith('.safetensors'));
  for (const name of weights)
    expect(
      files('me/copy')
        .get(name)!
        .equals(readFileSync(join(base, name))),
    ).toBe(true);
  const gguf = place.file('a model.gguf');
  const made = await tunewright(['merge', '--model', base, '--out', gguf, '--type', 'q8_0', '--no-compare']);
  expect(made.code, made.stderr).toBe(0);
  await pushed(gguf, '--repo', 'me/file');
  expect(files('me/file').get('a-model.gguf')!.equals(readFileSync(gguf))).toBe(true);
});

test('a dry run asks nobody, and says what would be uploaded', async () => {
  const { code, stdout, stderr } = await push(run, '--repo', 'me/pirate', '--dry-run');
  expect(code, stderr).toBe(0);
  for (const part of ['library_name: peft', 'adapter_model.safetensors', 'loss.svg', 'there: an access token'])
    expect(stdout).toContain(part);
  expect(stdout).not.toContain(TOKEN);
  const plan = JSON.parse((await push(run, '--content', 'folder', '--dry-run', '--json')).stdout);
  expect(plan.files.map((file: { path: string }) => file.path)).toContain('model.safetensors');
  expect(hub.requests).toEqual([]);
});

test('what is wrong is said before anything is sent', async () => {
  const env = { ...environment(), HF_TOKEN: '' };
  expectRefusal(await tunewright(['push', run], { env }), /access token[\s\S]*HF_TOKEN/);
  expectRefusal(await push(run, '--repo', 'pirate'), '--repo: must be text such as user/name');
  expectRefusal(await push(run, '--datasets', 'a,b'), '--datasets: must be text such as user/name');
  expectRefusal(await push(run, '--content', 'folder', '--type', 'q8_0'), '--type', 'content folder', '--content gguf');
  expectRefusal(await push(run, '--dtype', 'float16'), '--dtype', 'content adapter', '--content folder');
  expectRefusal(await push(run, '--public', '--private'), '--public');
  expectRefusal(await push(base, '--content', 'adapter'), 'no adapter');
  expectRefusal(await push(place.file('missing')), 'missing');
  expectRefusal(await push(join(run, 'checkpoints', 'step-6')), 'push the run');
  expect(hub.requests).toEqual([]);
  const file = join(place.file('home'), 'token');
  mkdirSync(place.file('home'), { recursive: true });
  writeFileSync(file, `${TOKEN}\n`);
  const { code, stderr } = await tunewright(['push', run], { env });
  expect(code, stderr).toBe(0);
});
