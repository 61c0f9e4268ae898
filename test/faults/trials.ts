// The faults that are injected, a function for each kind. Each makes a run, disturbs it, has it finished, and says what is wrong: a
// result that differs from that of an undisturbed run, or a message that doesn't help. Used by faults.ts and its short test.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { inspectCheckpoint } from '../../extension/src/engine/training/checkpoint.js';
import { Claimant } from '../support/claimant.js';
import { LOSSES, PlayedDisk, type Loss } from './powerLoss.js';
import { faultOfRefusal, resultOf, type Ended, type FAILURES, type Workshop } from './workshop.js';

/** What is wrong; null if nothing is. */
export type Finding = string | null;

/** Killed at a change of a file, and perhaps at another one while it is resumed. */
export async function killAtChange(shop: Workshop, variant: string, changes: readonly number[]): Promise<Finding> {
  const out = shop.freshFolder();
  for (const at of changes) await shop.train(variant, out, { fault: { kind: 'kill', at }, resume: existsSync(out) });
  return shop.finish(variant, out);
}

/** Killed or asked to end after some time, wherever it is then. */
export async function signalAfter(
  shop: Workshop,
  variant: string,
  signal: NodeJS.Signals,
  event: number,
): Promise<Finding> {
  const out = shop.freshFolder();
  let seen = 0;
  const ended = await shop.train(variant, out, {
    onLine: (_, kill) => ++seen === event && kill(signal),
  });
  if (signal !== 'SIGKILL' && ended.code !== 0) return `${signal} ended it with ${ended.code}: ${ended.stderr.trim()}`;
  return shop.finish(variant, out);
}

/** The disk fails from a change on; then it is good again. */
export async function failAtChange(
  shop: Workshop,
  variant: string,
  kind: (typeof FAILURES)[number],
  at: number,
): Promise<Finding> {
  const out = shop.freshFolder();
  const ended = await shop.train(variant, out, { fault: { kind, at } });
  return afterDiskFault(shop, variant, out, ended);
}

export async function afterDiskFault(shop: Workshop, variant: string, out: string, ended: Ended): Promise<Finding> {
  if (ended.code === 0) return shop.compare(variant, out);
  const wrong = faultOfRefusal(ended) ?? lostCheckpoint(ended.stdout, out);
  return wrong ?? shop.finish(variant, out);
}

/** A checkpoint that the run said to have saved last must be intact. */
function lostCheckpoint(stdout: string, out: string): Finding {
  const saved = [...stdout.matchAll(/"checkpoint_saved","step":(\d+)/g)].at(-1)?.[1];
  if (saved === undefined) return null;
  const found = inspectCheckpoint(join(out, 'checkpoints', `step-${saved}`));
  return 'damage' in found ? `the last checkpoint is lost: ${found.damage}` : null;
}

/**
 * What is left after a power loss after each operation: the checkpoint that was reported last must be there, intact, and once the
 * run was reported to be completed, its result.
 * @param share of the moments that are tried
 */
export async function losePowerEverywhere(
  shop: Workshop,
  variant: string,
  random: () => number,
  share = 1,
): Promise<{ moments: number; finding: Finding }> {
  const { root, operations, result } = await shop.whole(variant);
  let moments = 0;
  let saved: string | null = null;
  let isCompleted = false;
  const disk = new PlayedDisk(root);
  for (const operation of operations) {
    disk.apply(operation);
    const event = operation.op === 'write' ? Buffer.from(operation.data, 'base64').toString('latin1') : '';
    saved = /"checkpoint_saved","step":(\d+)/.exec(event)?.[1] ?? saved;
    isCompleted ||= event.includes('"type":"completed"');
    if (saved === null || (random() >= share && !isCompleted)) continue;
    for (const loss of LOSSES) {
      moments++;
      const left = shop.freshFolder();
      disk.writeTo(join(left, '..'), loss, random);
      const found = inspectCheckpoint(join(left, 'checkpoints', `step-${saved}`));
      const isResult = !isCompleted || resultOf(left) === result;
      rmSync(join(left, '..'), { recursive: true });
      if ('damage' in found) return { moments, finding: `${loss}: ${found.damage}` };
      if (!isResult) return { moments, finding: `${loss}: the result of a completed run is lost` };
    }
  }
  return { moments, finding: null };
}

/** Power is lost after so many operations; the run is resumed on what is left. */
export async function losePower(shop: Workshop, variant: string, loss: Loss, random: () => number): Promise<Finding> {
  const { root, operations } = await shop.whole(variant);
  const disk = new PlayedDisk(root);
  for (const operation of operations.slice(0, Math.floor(random() * operations.length))) disk.apply(operation);
  const left = shop.freshFolder();
  disk.writeTo(join(left, '..'), loss, random);
  return shop.finish(variant, left);
}

const bytesOf = (path: string) => readFileSync(path);

/** What may happen to a file. */
export const DAMAGES: Readonly<Record<string, (path: string, random: () => number) => void>> = {
  missing: path => rmSync(path),
  empty: path => truncateSync(path),
  // At least two bytes: JSON means the same without its last line break.
  cut: (path, random) => truncateSync(path, Math.floor(random() * (statSync(path).size - 1))),
  flipped: (path, random) => {
    const bytes = bytesOf(path);
    bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
    writeFileSync(path, bytes);
  },
  zeros: (path, random) => {
    const bytes = bytesOf(path);
    bytes.fill(0, Math.floor(random() * bytes.length));
    writeFileSync(path, bytes);
  },
  longer: path => appendFileSync(path, Buffer.alloc(512, 'x')),
  'a folder': path => {
    rmSync(path);
    mkdirSync(path);
  },
  'a link': path => {
    cpSync(path, `${path}-elsewhere`);
    rmSync(path);
    symlinkSync(`${path}-elsewhere`, path);
  },
  'of another checkpoint': path => cpSync(path.replace('step-4', 'step-2'), path),
};

/** The damages that a file of a run folder can have. */
export function damagesOf(file: string): string[] {
  const isCheckpoint = file.startsWith('checkpoints/step-4');
  return Object.keys(DAMAGES).filter(kind => isCheckpoint || kind !== 'of another checkpoint');
}

/** A run that was killed after a checkpoint, to be damaged. @returns its folder and its files */
export async function killedRun(shop: Workshop, variant: string): Promise<{ out: string; files: string[] }> {
  const out = shop.freshFolder();
  await shop.train(variant, out, {
    onLine: (line, kill) => line.includes('"checkpoint_saved","step":4') && kill('SIGKILL'),
  });
  const names = readdirSync(out, { recursive: true, encoding: 'utf8' });
  return {
    out,
    files: names.filter(name => statSync(join(out, name)).isFile() && !name.startsWith('tensorboard')).toSorted(),
  };
}

/**
 * A file of a killed run is damaged, then the run is resumed: it must end as an undisturbed one, or be refused with the file's name.
 * Checkpoints that were damaged must have been named.
 */
export async function damage(
  shop: Workshop,
  variant: string,
  { out: killed }: { out: string },
  file: string,
  kind: string,
  random: () => number,
): Promise<Finding> {
  const out = shop.freshFolder();
  cpSync(killed, out, { recursive: true });
  DAMAGES[kind]!(join(out, file), random);
  const ended = await shop.train(variant, out, { resume: true });
  if (ended.code !== 0) {
    const isNamed = ended.stderr.includes(basename(file));
    return faultOfRefusal(ended) ?? (isNamed ? null : `the refusal doesn’t name the file: ${ended.stderr.trim()}`);
  }
  const isOfCheckpoint = file.startsWith('checkpoints/step-4');
  if (isOfCheckpoint && !ended.stdout.includes('"checkpoint_damaged"')) return 'the damage was not noticed';
  // Another length is taken for what the user wants, and named.
  if (ended.stdout.includes('"run_length_changed"')) return null;
  rmSync(join(out, `${file}-elsewhere`), { force: true });
  return shop.compare(variant, out);
}

/** A pair of processes claims a file that a dead one holds; one of them may be killed at any moment. */
export async function claimAsPair(path: string, program: string, random: () => number): Promise<Finding> {
  const pair = await Promise.all([0, 1].map(() => Claimant.start(program, 'train')));
  try {
    const at = Date.now() + 10;
    const dies = random() < 0.3;
    const claims = pair.map(claimant => claimant.claim(path, at).catch(() => 'died' as const));
    if (dies) setTimeout(() => void pair[0]!.child.kill('SIGKILL'), 10 + random() * 3);
    const outcomes = await Promise.all(claims);
    const holders = outcomes.filter(outcome => outcome === null).length;
    const died = outcomes.includes('died') || pair[0]!.child.signalCode !== null;
    if (holders > 1) return 'both processes hold the file';
    if (holders === 0 && !died) return `none holds it: each was told ${outcomes.join(' and ')}`;
    const named = outcomes.filter(outcome => typeof outcome === 'number');
    if (named.some(pid => !pair.some(claimant => claimant.pid === pid))) return `told that ${named.join()} holds it`;
    return null;
  } finally {
    // Killed, so that the next pair finds the claim of a dead process.
    await Promise.all(pair.map(claimant => claimant.kill()));
  }
}

/** Two engines are started in the same new folder: one trains, the other is told so. */
export async function trainAsPair(shop: Workshop, variant: string): Promise<Finding> {
  const out = shop.freshFolder();
  const pair = await Promise.all([0, 1].map(() => shop.train(variant, out)));
  const refused = pair.find(({ code }) => code !== 0);
  if (!refused || !pair.some(({ code }) => code === 0)) return `both ended with ${pair[0]!.code}: ${pair[0]!.stderr}`;
  const isTold = /process \d+ is training in this run folder since|the run folder is not empty/.test(refused.stderr);
  return faultOfRefusal(refused) ?? (isTold ? shop.compare(variant, out) : `told ${refused.stderr.trim()}`);
}
