// Runs that faults are injected into: a temporary folder with run files, and training processes of the real command line, with or
// without a fault. What a run must come to is what it comes to undisturbed, bit for bit. Used by faults.ts and its short test.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import type { Operation } from './powerLoss.js';

// Two folders below the repository, as the bundle of this file is.
const program = fileURLToPath(new URL('../../extension/bin/tunewright.mjs', import.meta.url));
const faultyFiles = new URL('../../test/faults/faultyFiles.mjs', import.meta.url).href;

/** In which ways a disk fails. */
export const FAILURES = ['full', 'read-only', 'broken'] as const;

export interface Fault {
  kind: 'kill' | 'record' | (typeof FAILURES)[number];
  /** The change of a file, from 1. */
  at?: number;
  journal?: string;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Training {
  resume?: boolean;
  fault?: Fault;
  /** Called with each event. */
  onLine?(line: string, kill: (signal: NodeJS.Signals) => void): void;
}

/** An undisturbed run: the folder that its own is in, what it came to, and what it did to files. */
export interface Whole {
  root: string;
  result: string;
  operations: readonly Operation[];
  /** Moments at which a fault can be injected. */
  changes: number;
}

/** Settings that are trained: every method, and every way in which a step is computed. */
export const VARIANTS: Readonly<Record<string, { method?: object; engine?: object; dataset?: object }>> = {
  ...Object.fromEntries(
    peftMethods.map(({ peftType }) => [
      peftType,
      { method: { peft_type: peftType, ...(peftType === 'SELECTIVE' && { select: 'norm' }) } },
    ]),
  ),
  eager: { engine: { compile: false } },
  wasm: { engine: { backend: 'wasm' } },
  int8: { engine: { base_weights: 'int8' } },
  int4: { engine: { base_weights: 'int4' } },
  bfloat16: { engine: { base_weights: 'bfloat16' } },
};

const ROWS = Array.from({ length: 16 }, (_, i) => ({
  prompt: `Say ${'ab'.repeat(1 + (i % 5))} ${i}`,
  completion: ` ${'cd'.repeat(1 + (i % 7))}.`,
}));

/** Seeded: mulberry32, from 0 to 1. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Workshop {
  readonly path = mkdtempSync(join(tmpdir(), 'tunewright-faults-'));
  private readonly wholes = new Map<string, Promise<Whole>>();
  private folders = 0;

  constructor() {
    const rows = (from: number, to: number) =>
      ROWS.slice(from, to)
        .map(row => `${JSON.stringify(row)}\n`)
        .join('');
    writeFileSync(join(this.path, 'rows.jsonl'), rows(0, 14));
    writeFileSync(join(this.path, 'held-out.jsonl'), rows(14, 16));
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** A folder that doesn't exist yet, alone in a new one. */
  freshFolder(): string {
    return join(mkdtempSync(join(this.path, `${++this.folders}-`)), 'run');
  }

  runFile(variant: string): string {
    const { method, engine, dataset } = VARIANTS[variant]!;
    const file = join(this.path, `${variant}.json`);
    const run = {
      name: variant,
      model: 'embedded:tiny',
      dataset: { train: 'rows.jsonl', validation: 'held-out.jsonl', max_length: 32, ...dataset },
      method: { peft_type: 'LORA', ...method },
      training: {
        ...{ max_steps: 6, per_device_train_batch_size: 2, learning_rate: 2e-3, measure_forgetting: false },
        ...{ save_steps: 2, eval_steps: 2, save_total_limit: 2 },
      },
      engine: { threads: 1, ...engine },
    };
    writeFileSync(file, JSON.stringify(run));
    return file;
  }

  train(variant: string, out: string, { resume = false, fault, onLine }: Training = {}): Promise<Ended> {
    const args = ['train', this.runFile(variant), '--out', out, '--json', ...(resume ? ['--resume'] : [])];
    const env = { ...process.env };
    if (fault) {
      env.NODE_OPTIONS = `${env.NODE_OPTIONS ?? ''} --import=${faultyFiles}`;
      env.TUNEWRIGHT_FAULT = JSON.stringify({ root: join(out, '..'), ...fault });
    }
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', text => (stdout += String(text)));
      child.stderr.on('data', text => (stderr += String(text)));
      if (onLine) createInterface(child.stdout).on('line', line => onLine(line, signal => child.kill(signal)));
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  }

  /** Resumes until the run ends by itself, and compares. @returns what is wrong; null if nothing is */
  async finish(variant: string, out: string): Promise<string | null> {
    const ended = await this.train(variant, out, { resume: existsSync(out) });
    if (ended.code !== 0) return `resuming ended with ${ended.code ?? ended.signal}: ${ended.stderr.trim()}`;
    return this.compare(variant, out);
  }

  /** Compares a run that has ended with an undisturbed one. @returns what is wrong; null if nothing is */
  async compare(variant: string, out: string): Promise<string | null> {
    if ((await this.whole(variant)).result !== resultOf(out))
      return 'the result differs from that of an undisturbed run';
    const left = leftovers(out);
    return left.length > 0 ? `left behind: ${left.join(', ')}` : null;
  }

  /** An undisturbed run, with a journal of its changes. */
  whole(variant: string): Promise<Whole> {
    const made = this.wholes.get(variant) ?? this.trainWhole(variant);
    this.wholes.set(variant, made);
    return made;
  }

  private async trainWhole(variant: string): Promise<Whole> {
    const out = this.freshFolder();
    const journal = join(this.path, `${variant}.journal`);
    const { code, stderr } = await this.train(variant, out, { fault: { kind: 'record', journal } });
    if (code !== 0) throw new Error(`an undisturbed run of ${variant} ended with ${code}: ${stderr}`);
    const lines = readFileSync(journal, 'utf8').trimEnd().split('\n');
    const operations = lines.map(line => JSON.parse(line) as Operation);
    const end = operations.at(-1) as Extract<Operation, { op: 'end' }>;
    return { root: join(out, '..'), result: resultOf(out), operations, changes: end.count };
  }
}

/** What a process may not say that ended because of a fault outside it. @returns what is wrong; null if nothing is */
export function faultOfRefusal({ code, signal, stderr }: Ended): string | null {
  if (code !== 2) return `ended with ${code ?? signal}: ${stderr.trim()}`;
  if (/^\s+at .*[:(]\d+/m.test(stderr)) return `a stack trace: ${stderr.trim()}`;
  if (/\b(ENOENT|ENOSPC|EROFS|EIO|undefined|TypeError)\b/.test(stderr)) return `a raw error: ${stderr.trim()}`;
  if (!/^error: \/\S+/m.test(stderr)) return `no place is named: ${stderr.trim()}`;
  return /download|learning_rate/.test(stderr) ? `advice that can’t help: ${stderr.trim()}` : null;
}

/** A hash of the result, and of the weights and moments of the last checkpoint. */
export function resultOf(out: string): string {
  const hash = createHash('sha256');
  const folders = ['adapter', 'model', `checkpoints/step-6`].map(name => join(out, name)).filter(existsSync);
  for (const folder of folders)
    for (const name of readdirSync(folder).toSorted())
      if (name.endsWith('.safetensors') || name.startsWith('adapter_config'))
        hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}

/** An unfinished claim is only swept when it is old: another process may just be writing it. */
function leftovers(out: string): string[] {
  const names = readdirSync(out, { recursive: true, encoding: 'utf8' });
  return names.filter(
    name => /\.tmp$|\.(partial|old|unused)$|process\.json/.test(name) && !isUnfinishedClaim(join(out, name)),
  );
}

const isUnfinishedClaim = (path: string) => basename(path).startsWith('process.json.') && statSync(path).size === 0;
