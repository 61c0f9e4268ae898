// `tunewright export --to ollama | lm-studio` as a process, with these programs on loopback.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exportedSchema, exportPlanSchema } from '../../../extension/src/protocol/exportAnswers.js';
import { expectRefusal, succeed, tunewright } from '../../support/cli.js';
import { startPrograms, type InstalledPrograms } from '../../support/installedPrograms.js';

let programs: InstalledPrograms;
let env: Record<string, string>;

beforeEach(async () => {
  programs = await startPrograms({ ollama: { answer: prompt => ({ content: `${prompt}?` }) } });
  ({ env } = programs);
});

afterEach(() => programs.close());

const toOllama = ['export', '--model', 'embedded:tiny', '--to', 'ollama'];

it('installs a model in Ollama and shows its answers beside ours', async () => {
  const { stdout } = await succeed([...toOllama, '--name', 'me/tiny', '--type', 'q8_0'], { env });
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('Ollama: me/tiny:latest');
  expect(stdout).toContain('Ollama 0.34.1 answers 0 of 2 prompts as this program does (me/tiny:latest).');
  expect(stdout).toContain('  Ollama  Hello! Who are you??');
  expect(stdout).toMatch(/part from ours although the prompt is the same/);
  expect([...programs.ollama.models.keys()]).toEqual(['me/tiny:latest']);
});

it('prints the answer for programs', async () => {
  const { stdout } = await succeed([...toOllama, '--json', '--no-compare'], { env });
  const answer = exportedSchema.parse(JSON.parse(stdout));
  expect(answer).toMatchObject({
    target: 'ollama',
    path: null,
    certificate: { installed: { program: 'Ollama', answers: [] } },
  });
  expect(answer.place).toMatch(/^Ollama: .*:latest$/);
});

it('plans without writing anything', async () => {
  const { stdout } = await succeed([...toOllama, '--dry-run'], { env });
  expect(stdout).toContain(`there: Ollama 0.34.1 at ${programs.ollama.url}`);
  expect(stdout).toContain('Nothing was written');
  const { stdout: json } = await succeed(
    ['export', '--model', 'embedded:tiny', '--to', 'lm-studio', '--dry-run', '--json'],
    {
      env,
    },
  );
  expect(exportPlanSchema.parse(JSON.parse(json)).path).toContain(join('models', 'tunewright'));
  expect(programs.ollama.models.size).toBe(0);
  expect(existsSync(programs.models)).toBe(false);
});

it('installs a model in LM Studio', async () => {
  programs.lmStudio.models.push({ id: 'tiny', publisher: 'tunewright' });
  const { stdout } = await succeed(['export', '--model', 'embedded:tiny', '--to', 'lm-studio', '--name', 'tiny'], {
    env,
  });
  const [path] = stdout.split('\n');
  expect(path).toMatch(join(programs.models, 'tunewright', 'tiny', 'Tiny-'));
  expect(existsSync(path!)).toBe(true);
  expect(stdout).toContain('LM Studio answers 0 of 2 prompts as this program does (tiny).');
});

it('refuses what the target doesn’t have, and names that are taken', async () => {
  const run = (...more: string[]) => tunewright([...toOllama, ...more], { env });
  expectRefusal(await run('--out', 'x.gguf'), '--out', '--to merged-gguf');
  expectRefusal(await run('--touched', 'q8_0'), '--touched');
  expectRefusal(await run('--name', 'no name'), '--name');
  await succeed([...toOllama, '--name', 'taken', '--no-compare'], { env });
  expectRefusal(await run('--name', 'taken'), 'taken:latest', '--force');
  expectRefusal(
    await tunewright(['export', '--model', 'embedded:tiny', '--to', 'lm-studio', '--name', '../x'], { env }),
    '--name',
  );
});

it('says what to do without Ollama, and ends with 1', async () => {
  programs.ollama.close();
  const { code, stderr } = await tunewright(toOllama, { env: { ...env, PATH: programs.models } });
  expect(stderr).toMatch(/Ollama doesn't answer at http:\/\/127.*OLLAMA_HOST/s);
  expect(code).toBe(1);
});
