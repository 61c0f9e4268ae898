// The targets that install the embedded model in Ollama and LM Studio: what they send, and what is said of answers that differ.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unmistakable } from '../../../../../extension/src/core/exports/ollama.js';
import { askInstalled, servedLanguage } from '../../../../../extension/src/engine/export/askInstalled.js';
import { openExportSource, type ExportSource } from '../../../../../extension/src/engine/export/exportSource.js';
import {
  performExport,
  planExport,
  type ExportOptions,
} from '../../../../../extension/src/engine/export/performExport.js';
import { createRng } from '../../../../../extension/src/engine/data/rng.js';
import { loadModel } from '../../../../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../../../../extension/src/engine/peft/adapter.js';
import { saveAdapter } from '../../../../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../../extension/src/engine/peft/registry.js';
import { readGgufHeader } from '../../../../../extension/src/engine/files/ggufHeader.js';
import { RandomAccessFile } from '../../../../../extension/src/engine/files/randomAccessFile.js';
import { findModelFiles } from '../../../../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../../../../extension/src/engine/run/reporter.js';
import type { Exported } from '../../../../../extension/src/protocol/exportAnswers.js';
import type { InstalledAnswers } from '../../../../../extension/src/protocol/installedAnswers.js';
import { exportEntrySchema } from '../../../../../extension/src/protocol/exportConfig.js';
import { inputErrorOf } from '../../../../support/inputErrors.js';
import { startPrograms, type InstalledPrograms } from '../../../../support/installedPrograms.js';
import type { OllamaOptions } from '../../../../support/ollamaServer.js';
import type { LmStudioOptions } from '../../../../support/lmStudioServer.js';

const MODEL = 'embedded:tiny';

let folder: string;
let source: ExportSource;
let programs: InstalledPrograms | null;
let warnings: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-targets-'));
  source = await openExportSource({ model: MODEL, adapters: [] }, '.', silentReporter);
  programs = null;
  warnings = [];
});

afterEach(() => {
  vi.unstubAllEnvs();
  programs?.close();
  source.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(ollama: OllamaOptions = {}, lmStudio: LmStudioOptions = {}): Promise<InstalledPrograms> {
  programs = await startPrograms({ ollama, lmStudio });
  for (const [name, value] of Object.entries(programs.env)) vi.stubEnv(name, value);
  return programs;
}

const requestFor = (entry: object) => ({
  source,
  entry: exportEntrySchema.parse(entry),
  out: null,
  folder,
  engine: { backend: 'tensorflow' as const, threads: null },
  reporter: { ...silentReporter, warn: (_: string, message: string) => warnings.push(message) },
});

async function perform(
  entry: object,
  options: Partial<ExportOptions> = {},
): Promise<Exported & { installed: InstalledAnswers }> {
  const signal = new AbortController().signal;
  const all = { signal, compare: true, generalTexts: null, force: false, ...options };
  const exported = await performExport(requestFor(entry), all);
  return { ...exported, installed: exported.certificate!.installed! };
}

/** chat_template of a GGUF file. */
function templateIn(content: Buffer): string {
  const path = join(folder, 'sent.gguf');
  writeFileSync(path, content);
  const file = new RandomAccessFile(path);
  try {
    return readGgufHeader(file).metadata.get('tokenizer.chat_template') as string;
  } finally {
    file.close();
  }
}

async function ownTemplate(): Promise<string> {
  const files = await findModelFiles(MODEL, '.', silentReporter);
  files.close();
  return files.tokenizer!.config['chat_template'] as string;
}

/** Replaces templates as Ollama does, which knows that of the embedded model. */
async function detection(): Promise<OllamaOptions['detectTemplate']> {
  const known = await ownTemplate();
  return file =>
    edits(templateIn(file), known) < 100
      ? { name: 'chatml', template: '{{ range .Messages }}{{ .Content }}{{ end }}', parameters: { num_keep: 1 } }
      : null;
}

/** Levenshtein's distance. */
function edits(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)));
    row = next;
  }
  return row.at(-1)!;
}

describe('Ollama', () => {
  it('gets a file whose template it doesn’t replace, the stops, and no penalty of its own', async () => {
    const { ollama } = await start({ detectTemplate: await detection() });
    const exported = await perform({ target: 'ollama', name: 'pirate:v1' }, { compare: false });
    expect(exported).toMatchObject({ path: null, place: 'Ollama: pirate:v1', peft_type: null });
    const [content] = [...ollama.blobs.values()];
    expect(content!.length).toBe(exported.bytes);
    expect(templateIn(content!)).toBe(unmistakable(await ownTemplate()));
    expect(ollama.models.get('pirate:v1')).toMatchObject({
      template: null,
      parameters: { stop: ['<|im_end|>'], repeat_penalty: 1 },
    });
    expect(exported.installed).toEqual({
      program: 'Ollama',
      version: '0.34.1',
      model: 'pirate:v1',
      answers: [],
      differences: [],
      not_asked: 'left out with --no-compare',
    });
    expect(warnings).toEqual([]);
    expect(readdirSync(folder)).toEqual(['sent.gguf']);
    expect(existsSync(join(programs!.env['TUNEWRIGHT_CACHE']!, 'exports'))).toBe(false);
  });

  it('is asked greedily, and its answers are ours if the model is', async () => {
    // First answers, of which ours are taken.
    await start();
    const { installed } = await perform({ target: 'ollama' });
    const ours = new Map(installed.answers.map(({ prompt, ours }) => [prompt, ours]));
    expect(ours.size).toBe(2);
    programs!.close();
    vi.unstubAllEnvs();
    const template = await ownTemplate();
    const render = (prompt: string) => {
      expect(template).toContain('<|im_start|>');
      return `<|im_start|>user\n${prompt}<|im_end|>\n<|im_start|>assistant\n`;
    };
    const { ollama } = await start({ render, answer: prompt => ({ content: `${ours.get(prompt)} ` }) });
    const again = (await perform({ target: 'ollama' })).installed;
    expect(again.answers.map(({ same, file }) => [same, file])).toEqual([
      [true, null],
      [true, null],
    ]);
    expect(again.differences).toEqual([]);
    expect(ollama.options).toContainEqual({ temperature: 0, seed: 0, num_predict: 48, repeat_penalty: 1 });
  });

  it('that has replaced the template is found by the text that its model reads', async () => {
    await start({
      detectTemplate: () => ({ name: 'zephyr', template: '<|user|>{{ .Prompt }}' }),
      render: prompt => `<|user|>${prompt}`,
    });
    const { differences, answers } = (await perform({ target: 'ollama' })).installed;
    expect(answers.map(({ theirs }) => theirs)).toEqual(answers.map(({ prompt }) => `You said: ${prompt}`));
    expect(differences).toEqual([
      {
        cause: 'template',
        text: expect.stringMatching(
          /^Ollama writes 2 of 2 prompts otherwise than here: "<\|user\|>.*OLLAMA_GO_TEMPLATE=0/,
        ) as string,
      },
    ]);
  });

  it('that writes prompts otherwise without having replaced the template isn’t said to have replaced it', async () => {
    await start({ render: prompt => `${prompt}!` });
    const { differences } = (await perform({ target: 'ollama' })).installed;
    expect(differences[0]!.text).toMatch(/^Ollama writes 2 of 2 prompts otherwise.*at character 1\.$/);
  });

  it('before Jinja gets the template as it is, and says so', async () => {
    const { ollama } = await start({ version: '0.24.0', detectTemplate: await detection() });
    const plan = await planExport(requestFor({ target: 'ollama' }));
    expect(plan.needs[0]).toMatchObject({ met: true, hint: expect.stringContaining('0.30.0') as string });
    const { bytes } = await perform({ target: 'ollama', type: 'f16' }, { compare: false });
    expect(bytes).toBeGreaterThan(0);
    expect([...ollama.models.values()][0]!.template).toContain('range .Messages');
    expect(templateIn([...ollama.blobs.values()][0]!)).toBe(await ownTemplate());
    expect(warnings).toEqual([expect.stringContaining('0.24.0 doesn’t render'.replace('’', "'")) as string]);
  });

  it('keeps a model of that name unless it is told otherwise, which is found before any work', async () => {
    const { ollama } = await start();
    await perform({ target: 'ollama', name: 'pirate' }, { compare: false });
    const sent = ollama.requests.length;
    const error = await inputErrorOf(() => perform({ target: 'ollama', name: 'pirate', type: 'q8_0' }));
    expect(error.describe()).toContain('pirate:latest: Ollama has a model of this name');
    expect(await planExport(requestFor({ target: 'ollama', name: 'pirate' }))).toMatchObject({ taken: true });
    expect(await planExport(requestFor({ target: 'ollama', name: 'other' }))).toMatchObject({ taken: false });
    expect(ollama.requests.slice(sent).join()).not.toContain('blobs');
    await perform({ target: 'ollama', name: 'pirate', type: 'q8_0' }, { compare: false, force: true });
    expect(ollama.blobs.size).toBe(2);
  });

  it('is missed before any work, and a plan says so', async () => {
    const { ollama } = await start();
    ollama.close();
    vi.stubEnv('PATH', folder);
    await expect(perform({ target: 'ollama' })).rejects.toMatchObject({ code: 'unreachable' });
    const { needs } = await planExport(requestFor({ target: 'ollama' }));
    expect(needs[0]).toMatchObject({ met: false, hint: expect.stringContaining('ollama serve') as string });
  });

  it('refuses a name before any work', async () => {
    const { ollama } = await start();
    expect((await inputErrorOf(() => perform({ target: 'ollama', name: 'no name' }))).describe()).toContain('--name');
    expect(ollama.requests).toEqual([]);
  });

  it('that fails when it is asked has the model all the same', async () => {
    const { ollama } = await start({
      answer: () => {
        throw new Error('no more');
      },
    });
    const { installed } = await perform({ target: 'ollama' });
    expect(installed).toMatchObject({ answers: [], not_asked: expect.stringContaining("can't be reached") as string });
    expect(ollama.models.size).toBe(1);
  });

  it('that has lost the model is no server that doesn’t answer', async () => {
    const { ollama } = await start();
    ollama.models.set = () => ollama.models;
    const { installed } = await perform({ target: 'ollama', name: 'pirate:v1' });
    expect(installed).toMatchObject({ answers: [], not_asked: 'its server doesn’t know pirate:v1' });
  });
});

describe('LM Studio', () => {
  const listed = (id: string) => programs!.lmStudio.models.push({ id, publisher: 'tunewright' });

  it('gets a file in its models folder, and is asked', async () => {
    const { models, lmStudio } = await start({}, { answer: prompt => ({ content: prompt, prompt_tokens: 3 }) });
    listed('tiny');
    const { path, bytes, installed } = await perform({ target: 'lm_studio', type: 'q8_0', name: 'tiny' });
    expect(path).toBe(join(models, 'tunewright', 'tiny', 'Tiny-1.8M-Q8_0.gguf'));
    expect(bytes).toBeGreaterThan(0);
    expect(readdirSync(join(models, 'tunewright', 'tiny'))).toEqual([
      'Tiny-1.8M-Q8_0.gguf',
      'Tiny-1.8M-Q8_0.gguf.certificate.json',
    ]);
    expect(lmStudio.asked[0]).toMatchObject({ model: 'tiny', temperature: 0, seed: 0, max_tokens: 48 });
    expect(installed).toMatchObject({ program: 'LM Studio', version: null, model: 'tiny', not_asked: null });
    expect(installed.differences[0]!.text).toMatch(/^LM Studio writes 2 of 2 prompts otherwise than here: 3 tokens/);
  });

  it('whose server doesn’t run has the file all the same', async () => {
    const { lmStudio, models } = await start();
    lmStudio.close();
    const { path, installed } = await perform({ target: 'lm_studio', name: 'me/tiny' });
    expect(path).toMatch(join(models, 'me', 'tiny'));
    expect(installed.not_asked).toContain('lms server start');
  });

  it('keeps a file that it has unless it is told otherwise', async () => {
    await start();
    const entry = { target: 'lm_studio', name: 'tiny' };
    await perform(entry, { compare: false });
    expect((await inputErrorOf(() => perform(entry))).describe()).toContain('--force');
    await perform(entry, { compare: false, force: true });
  });

  it('that was never started is missed before any work', async () => {
    const { models } = await start();
    rmSync(join(models, '..'), { recursive: true });
    const error = await inputErrorOf(() => perform({ target: 'lm_studio' }));
    expect(error.describe()).toContain('lms import --hard-link');
    const { needs } = await planExport(requestFor({ target: 'lm_studio' }));
    expect(needs[0]!.met).toBe(false);
    expect(existsSync(models)).toBe(false);
  });

  it.each(['../x', 'a/b/c', ' ', '/x', 'x/', '.x', 'a b'])('refuses the name %j', async name => {
    await start();
    expect((await inputErrorOf(() => perform({ target: 'lm_studio', name }))).describe()).toContain('--name');
  });
});

it('tells rounding from other reasons by the written file', async () => {
  await start();
  // As if rounding had undone the adapter.
  const { path } = await perform({ target: 'gguf' }, { compare: false });
  source.close();
  const adapter = join(folder, 'adapter');
  await saveStrongAdapter(adapter);
  source = await openExportSource({ model: MODEL, adapters: [adapter] }, '.', silentReporter);
  const asked = (ask: (prompt: string) => string) =>
    askInstalled({
      source,
      language: servedLanguage(source),
      file: path!,
      ask: prompt =>
        Promise.resolve({ text: ask(prompt), reasoning: '', finish: 'stop', promptTokens: null, rendered: null }),
      facts: {
        program: 'Ollama',
        version: '0.34.1',
        model: 'tiny',
        type: 'own',
        stopsThere: null,
        templateReason: null,
      },
      reporter: silentReporter,
      signal: new AbortController().signal,
    });
  const first = await asked(() => 'something else');
  expect(first.differences.map(({ cause }) => cause)).toEqual(['arithmetic']);
  const ofFile = new Map(first.answers.map(({ prompt, file }) => [prompt, file!]));
  const second = await asked(prompt => ofFile.get(prompt)!);
  expect(second.answers.map(({ same }) => same)).toEqual([false, false]);
  expect(second.differences.map(({ cause }) => cause)).toEqual(['rounding']);
});

/** LoRA that changes every answer. */
async function saveStrongAdapter(path: string): Promise<void> {
  const files = await findModelFiles(MODEL, '.', silentReporter);
  const model = loadModel(files);
  const method = peftMethod('LORA')!;
  const attached = new AttachedMethod(method, method.schema.parse({ r: 2 }), model.architecture);
  const made = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(3) });
  tf.tidy(() => {
    for (const variable of made.variables.values()) variable.assign(tf.add(variable, 1));
  });
  await saveAdapter(path, made, MODEL);
  made.dispose();
  model.dispose();
  files.close();
}
