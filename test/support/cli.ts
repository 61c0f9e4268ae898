// Runs the real command line in a separate process, like a user; and makes a folder with a tiny model and rows for it.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { engineEventSchema, type EngineEvent } from '../../extension/src/protocol/engineEvent.js';
import { writeTinyModel, type TinyFolderOptions } from './tinyModels.js';

export const bin = fileURLToPath(new URL('../../extension/bin/tunewright.mjs', import.meta.url));

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** For SIGHUP: a test that is run under `nohup` itself must not make the command deaf (engine/machine/hangup.ts). */
  ownSession?: boolean;
  /** Called with each line of standard output. */
  onLine?(line: string, child: ChildProcess): void;
  /** Called once, with the first text on standard error. */
  onWords?(child: ChildProcess): void;
  /** Called with each text on standard error. */
  onError?(text: string, child: ChildProcess): void;
}

export function tunewright(
  args: readonly string[],
  { cwd, env, ownSession = false, onLine, onWords, onError }: CliOptions = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const own = ownSession ? { _: '' } : {};
    const child = spawn(process.execPath, [bin, ...args], {
      cwd,
      env: { ...process.env, ...own, ...env },
      detached: ownSession,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', chunk => (stdout += chunk));
    child.stderr.on('data', chunk => (stderr += chunk));
    if (onError) child.stderr.on('data', chunk => onError(String(chunk), child));
    if (onWords) child.stderr.once('data', () => onWords(child));
    if (onLine) createInterface(child.stdout).on('line', line => onLine(line, child));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The same, and expects success. */
export async function succeed(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  const result = await tunewright(args, options);
  expect(result.code, `${args.join(' ')}\n${result.stderr}`).toBe(0);
  return result;
}

/** Expects a refusal: exit code 2, a message that says where and what to change, no stack trace. */
export function expectRefusal(result: CliResult, ...parts: (string | RegExp)[]): void {
  expect(result.stderr).toMatch(/^error: \S/m);
  expect(result.code, result.stderr).toBe(2);
  expect(result.stderr).not.toMatch(/^\s*at .*[:(]\d+/m);
  expect(result.stderr).not.toMatch(/\b(undefined|\[object Object\]|NaN is not|TypeError|ZodError)\b/);
  for (const part of parts)
    if (typeof part === 'string') expect(result.stderr).toContain(part);
    else expect(result.stderr).toMatch(part);
}

export interface Workplace {
  path: string;
  file(...parts: string[]): string;
  /** Writes JSON, JSONL (an array of rows, if the name ends in .jsonl) or text. */
  write(name: string, content: unknown): string;
  model(name: string, options?: TinyFolderOptions): string;
  /** Writes a run file for the folder's model and rows, with changed blocks. */
  run(name: string, changes?: RunChanges): string;
  events(run: string): EngineEvent[];
  remove(): void;
}

export interface RunChanges {
  model?: unknown;
  dataset?: Record<string, unknown>;
  method?: Record<string, unknown>;
  training?: Record<string, unknown>;
  [block: string]: unknown;
}

export const ROWS = Array.from({ length: 24 }, (_, i) => ({
  prompt: `Say ${'ab'.repeat(1 + (i % 5))} ${i}`,
  completion: ` ${'cd'.repeat(1 + (i % 7))}.`,
}));

/** A temporary folder with `base` (a tiny Llama) and `rows.jsonl`. */
export function workplace(): Workplace {
  const path = mkdtempSync(join(tmpdir(), 'tunewright-cli-'));
  const file = (...parts: string[]) => join(path, ...parts);
  const write = (name: string, content: unknown) => {
    const isRows = name.endsWith('.jsonl') && Array.isArray(content);
    const text = isRows
      ? content.map(row => `${JSON.stringify(row)}\n`).join('')
      : typeof content === 'string'
        ? content
        : JSON.stringify(content);
    mkdirSync(join(file(name), '..'), { recursive: true });
    writeFileSync(file(name), text);
    return file(name);
  };
  const place: Workplace = {
    path,
    file,
    write,
    model: (name, options) => writeTinyModel(file(name), options),
    run: (name, { model = 'base', dataset, method, training, ...rest } = {}) =>
      write(`${name}.json`, {
        name,
        model,
        dataset: { train: 'rows.jsonl', max_length: 48, ...dataset },
        method: { peft_type: 'LORA', ...method },
        training: { max_steps: 6, per_device_train_batch_size: 2, learning_rate: 5e-3, ...training },
        ...rest,
      }),
    events: run =>
      readFileSync(file(run, 'events.ndjson'), 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => engineEventSchema.parse(JSON.parse(line))),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
  place.model('base');
  write('rows.jsonl', ROWS);
  return place;
}
