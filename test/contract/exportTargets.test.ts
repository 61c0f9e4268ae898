// Every export target: writes what its plan says, where it was told to; overwrites nothing without a word; leaves nothing when it is
// cancelled or fails. No target is named here: a new one is checked once it has a line in the registry.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { describedExports } from '../../extension/src/engine/resident/capabilities.js';
import { openExportSource, type ExportSource } from '../../extension/src/engine/export/exportSource.js';
import {
  performExport,
  planExport,
  type ExportOptions,
  type ExportRequest,
} from '../../extension/src/engine/export/performExport.js';
import { exportTargets } from '../../extension/src/engine/export/targets/registry.js';
import { loadModel } from '../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { saveAdapter } from '../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../extension/src/engine/peft/registry.js';
import { findModelFiles } from '../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { certificateSchema } from '../../extension/src/protocol/certificate.js';
import { exportEntrySchema, exportSchemas } from '../../extension/src/protocol/exportConfig.js';
import { inputErrorOf } from '../support/inputErrors.js';
import { startPrograms, type InstalledPrograms } from '../support/installedPrograms.js';
import { startPushServer, type PushServer } from '../support/pushServer.js';

const MODEL = 'embedded:tiny';
const TOKEN = 'hf_test';
const path = mkdtempSync(join(tmpdir(), 'tunewright-export-targets-'));
const adapter = join(path, 'a run', 'adapter');
const place = join(path, 'place');
let source: ExportSource;
let hub: PushServer;
/** Into which some targets install. */
let programs: InstalledPrograms;

beforeAll(async () => {
  hub = await startPushServer(TOKEN);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_TOKEN', TOKEN);
  programs = await startPrograms();
  for (const [name, value] of Object.entries(programs.env)) vi.stubEnv(name, value);
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  const files = await findModelFiles(MODEL, '.', silentReporter);
  const model = loadModel(files);
  const method = peftMethod('LORA')!;
  const attached = new AttachedMethod(method, method.schema.parse({ r: 2 }), model.architecture);
  const made = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(3) });
  for (const variable of made.variables.values()) variable.assign(tf.add(variable, 0.01));
  await saveAdapter(adapter, made, MODEL);
  made.dispose();
  model.dispose();
  files.close();
  source = await openExportSource({ model: null, adapters: [adapter] }, '.', silentReporter);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  programs.close();
  source.close();
  rmSync(path, { recursive: true });
});
beforeEach(() => {
  hub.repositories.clear();
  hub.storage.clear();
  rmSync(programs.models, { recursive: true, force: true });
  programs.ollama.models.clear();
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
});

const requestFor = (target: string, out: string | null = null): ExportRequest => ({
  source,
  entry: exportEntrySchema.parse({ target }),
  out,
  folder: place,
  engine: { backend: 'tensorflow', threads: null },
  reporter: silentReporter,
});
const options = (changes: Partial<ExportOptions> = {}): ExportOptions => ({
  signal: new AbortController().signal,
  compare: false,
  generalTexts: null,
  force: false,
  ...changes,
});
const bytesIn = (file: string): number =>
  statSync(file).isDirectory()
    ? readdirSync(file).reduce((sum, name) => sum + bytesIn(join(file, name)), 0)
    : statSync(file).size;

describe.each(exportTargets)('$target', ({ target, to, writes, takes }) => {
  it('is in the schema of run files and described', () => {
    expect(exportEntrySchema.parse({ target })).toMatchObject({ target, ...(writes !== 'elsewhere' && { out: null }) });
    const described = describedExports().find(each => each.target === target)!;
    expect(described).toMatchObject({ to, takes, writes });
    for (const { description } of [described, ...described.options]) expect(description).toMatch(/^[A-Z]\S* .+[^.]$/);
  });

  it('writes as many bytes as planned under a name of its own, and leaves no tensors', async () => {
    const before = tf.memory().numTensors;
    const plan = await planExport(requestFor(target));
    expect(readdirSync(place)).toEqual([]);
    expect(plan.seconds).toBeGreaterThan(0);
    expect(plan.taken).toBe(false);
    expect(plan.needs.map(({ met }) => met)).toEqual(plan.needs.map(() => true));
    const exported = await performExport(requestFor(target), options());
    expect(exported).toMatchObject({ target, path: plan.path, bytes: plan.bytes, peft_type: 'LORA' });
    expect(tf.memory().numTensors).toBe(before);
    if (plan.path === null) return;
    const name = basename(plan.path);
    expect(readdirSync(dirname(plan.path))).toEqual([name, `${name}.certificate.json`]);
    expect(plan.path).toMatch(/a-run/);
    expect(bytesIn(plan.path)).toBe(plan.bytes);
  });

  it('creates folders above the place', async () => {
    const out = join(place, 'new', 'deep', 'result');
    const { path: written } = await performExport(requestFor(target, out), options());
    expect(existsSync(out)).toBe(written !== null);
  });

  it('leaves nothing when it is cancelled', async () => {
    const stop = new AbortController();
    const reporter = { ...silentReporter, progress: () => stop.abort() };
    if (takes === 'adapter') stop.abort();
    const request = { ...requestFor(target, join(place, 'new', 'result')), reporter };
    const before = tf.memory().numTensors;
    await expect(performExport(request, options({ signal: stop.signal }))).rejects.toMatchObject({ code: 'cancelled' });
    expect(readdirSync(place)).toEqual([]);
    expect(programs.ollama.models.size).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves nothing when it fails, and names the place that was asked for', async () => {
    const tensors = new Map(source.base.tensors);
    const name = [...tensors.keys()].find(key => key.endsWith('q_proj.weight'))!;
    const fail = () => {
      throw new Error('the disk is broken');
    };
    tensors.set(name, { ...tensors.get(name)!, readFloat32: fail, readRows: fail });
    const adapters = source.adapters.map(each => ({
      ...each,
      tensors: new Map([...each.tensors].map(([key, tensor]) => [key, { ...tensor, readFloat32: fail }])),
    }));
    const broken = { ...source, base: { ...source.base, tensors }, adapters };
    const request = { ...requestFor(target, join(place, 'new', 'result')), source: broken };
    await expect(performExport(request, options())).rejects.toThrow('the disk is broken');
    expect(readdirSync(place)).toEqual([]);
    expect(programs.ollama.models.size).toBe(0);
  });

  it.skipIf(writes === 'elsewhere')('refuses a place that is taken', async () => {
    const out = join(place, 'taken');
    writeFileSync(out, 'mine');
    const file = requestFor(target, out);
    expect((await inputErrorOf(() => performExport(file, options()))).describe()).toContain(out);
    expect(await planExport(file)).toMatchObject({ path: out, taken: true });
    expect(readFileSync(out, 'utf8')).toBe('mine');
    const full = join(place, 'full');
    mkdirSync(full);
    writeFileSync(join(full, 'mine.txt'), 'mine');
    const error = await inputErrorOf(() => performExport(requestFor(target, full), options({ force: true })));
    expect(error.describe()).toContain(full);
    expect(readdirSync(full)).toEqual(['mine.txt']);
    expect(readdirSync(place)).toEqual(['full', 'taken']);
  });

  it.skipIf(writes !== 'file')('replaces a file with --force, which stays as it is when it is cancelled', async () => {
    const out = join(place, 'taken');
    writeFileSync(out, 'mine');
    const stopped = options({ force: true, signal: AbortSignal.abort() });
    await expect(performExport(requestFor(target, out), stopped)).rejects.toMatchObject({ code: 'cancelled' });
    expect(readFileSync(out, 'utf8')).toBe('mine');
    const { bytes } = await performExport(requestFor(target, out), options({ force: true }));
    expect(bytesIn(out)).toBe(bytes);
    expect(readdirSync(place)).toEqual(['taken', 'taken.certificate.json']);
  });

  it('has a certificate of all that was written and compared', async () => {
    const { certificate } = await performExport(requestFor(target), options({ compare: true }));
    // Of an adapter that is pushed as it is, nothing was written.
    if (target === 'hub') return expect(certificate).toBeNull();
    const { file, ...content } = certificate!;
    if (writes !== 'elsewhere')
      expect(certificateSchema.parse(JSON.parse(readFileSync(file!, 'utf8')))).toEqual(content);
    expect(content).toMatchObject({ target, base: MODEL, adapters: [{ peft_type: 'LORA' }], run: null });
    const compared = content.comparisons.map(({ what }) => what);
    expect(compared).toEqual(
      takes === 'model' ? ['layers', 'chat template', 'stop tokens', 'token ids', 'kl'] : ['tensors', 'kl'],
    );
    for (const { verdict, difference, bound, compared: count } of content.comparisons) {
      expect(count).toBeGreaterThan(0);
      expect(['same', 'within']).toContain(verdict);
      expect(difference).toBeLessThanOrEqual(bound!);
    }
    if (writes === 'elsewhere') return;
    const isFolder = statSync(content.path).isDirectory();
    for (const { name, bytes, sha256 } of content.files) {
      const written = readFileSync(isFolder ? join(content.path, name) : content.path);
      expect([written.length, createHash('sha256').update(written).digest('hex')]).toEqual([bytes, sha256]);
    }
  });
});

it('of an export of a run, the certificate is in the run folder, also where another export has its name', async () => {
  const run = join(path, 'a run');
  const ofRun = { ...source, run };
  const files = [];
  for (const folder of ['here', 'there', 'here']) {
    const request = { ...requestFor('adapter_mlx', join(place, folder, 'lora')), source: ofRun };
    rmSync(request.out!, { recursive: true, force: true });
    files.push((await performExport(request, options())).certificate!.file);
  }
  const names = ['lora.certificate.json', 'lora.2.certificate.json', 'lora.certificate.json'];
  expect(files).toEqual(names.map(name => join(run, 'exports', name)));
  expect(readdirSync(join(place, 'here'))).toEqual(['lora']);
  rmSync(join(run, 'exports'), { recursive: true });
});

it('for a file in a folder, the name that llama.cpp’s converter would give it is proposed', async () => {
  const error = await inputErrorOf(() => performExport(requestFor('gguf', place), options()));
  expect(error.describe()).toContain(join(place, 'tiny-1.8M-a-run-F16.gguf'));
});

it('the schema of run files has exactly the registry’s targets, in its order', () => {
  expect(Object.keys(exportSchemas)).toEqual(exportTargets.map(({ target }) => target));
  expect(exportEntrySchema.options.map(({ shape }) => shape.target.value)).toEqual(Object.keys(exportSchemas));
  expect(new Set(exportTargets.map(({ to }) => to)).size).toBe(exportTargets.length);
});
