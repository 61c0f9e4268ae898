// `npm run faults [-- count [seed [group...]]]`: kills, signals, full and read-only disks, deleted folders, damage, lost power and
// rivals, `count` of each group, at seeded moments. Prints each finding as it comes and a table at the end; the exit code is 1 if
// anything was lost, believed or said badly. The short version of it is test/integration/faults.test.ts.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundleClaimant } from '../support/claimant.js';
import { LOSSES } from './powerLoss.js';
import {
  afterDiskFault,
  claimAsPair,
  damage,
  damagesOf,
  failAtChange,
  killAtChange,
  killedRun,
  losePower,
  losePowerEverywhere,
  signalAfter,
  trainAsPair,
  type Finding,
} from './trials.js';
import { FAILURES, faultOfRefusal, randomOf, VARIANTS, Workshop } from './workshop.js';

const [countText = '20', seedText = '1', ...groups] = process.argv.slice(2);
const count = Number(countText);
const random = randomOf(Number(seedText));
const below = (most: number) => Math.floor(random() * most);
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]!;

const shop = new Workshop();
const variants = Object.keys(VARIANTS);
const tally: { group: string; trials: number; faults: number; found: number }[] = [];

/** @param trial returns the number of faults, or what is wrong */
async function group(
  name: string,
  trials: number,
  trial: (i: number) => Promise<{ what: string; faults?: number; finding: Finding }>,
) {
  if (groups.length > 0 && !groups.includes(name)) return;
  const row = { group: name, trials: 0, faults: 0, found: 0 };
  tally.push(row);
  for (let i = 0; i < trials; i++) {
    const { what, faults = 1, finding } = await trial(i);
    row.trials++;
    row.faults += faults;
    if (finding === null) continue;
    row.found++;
    console.log(`${name}: ${what}: ${finding}`);
  }
  console.log(`${name}: ${row.trials} trials, ${row.faults} faults, ${row.found} findings`);
}

try {
  await group('kills', count, async i => {
    const variant = variants[i % variants.length]!;
    const { changes } = await shop.whole(variant);
    const at = Array.from({ length: 1 + below(3) }, () => 1 + below(changes));
    return {
      what: `${variant} at ${at.join(', ')}`,
      faults: at.length,
      finding: await killAtChange(shop, variant, at),
    };
  });

  await group('signals', count, async i => {
    const variant = variants[i % variants.length]!;
    const signal = oneOf(['SIGKILL', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const);
    const event = 1 + below(14);
    return {
      what: `${variant}, ${signal} at event ${event}`,
      finding: await signalAfter(shop, variant, signal, event),
    };
  });

  await group('failing disk', count, async i => {
    const variant = variants[i % variants.length]!;
    const kind = FAILURES[i % FAILURES.length]!;
    const at = 1 + below((await shop.whole(variant)).changes);
    return { what: `${variant}, ${kind} from change ${at}`, finding: await failAtChange(shop, variant, kind, at) };
  });

  await group('real disks', Math.ceil(count / 4), async i => {
    const kind = (['full', 'read-only', 'deleted', 'no checkpoints'] as const)[i % 4]!;
    return { what: kind, finding: await onRealDisk(kind) };
  });

  await group('kills in order', count, async i => {
    const { changes } = await shop.whole('LORA');
    const at = 1 + Math.floor((i * changes) / count);
    return { what: `LORA at ${at}`, finding: await killAtChange(shop, 'LORA', [at]) };
  });

  let killed: Awaited<ReturnType<typeof killedRun>> | undefined;
  let damages: [string, string][] = [];
  await group('damage', count, async () => {
    killed ??= await killedRun(shop, 'LORA');
    // Each once before any is repeated.
    if (damages.length === 0)
      damages = killed.files.flatMap(file => damagesOf(file).map((kind): [string, string] => [file, kind]));
    const [[file, kind]] = damages.splice(below(damages.length), 1) as [[string, string]];
    return { what: `${file}, ${kind}`, finding: await damage(shop, 'LORA', killed, file, kind, random) };
  });

  await group('power, reports', 1, async () => {
    const { moments, finding } = await losePowerEverywhere(shop, 'LORA', random);
    return { what: 'a reported checkpoint', faults: moments, finding };
  });
  await group('power', count, async i => {
    const loss = LOSSES[i % LOSSES.length]!;
    return { what: loss, finding: await losePower(shop, 'LORA', loss, random) };
  });

  await group('engines', Math.ceil(count / 4), async i => {
    const variant = variants[i % variants.length]!;
    return { what: `two of ${variant}`, finding: await trainAsPair(shop, variant) };
  });

  let program: string | undefined;
  await group('rivals', 10 * count, async () => {
    program ??= await bundleClaimant(shop.path, 'tunewright.mjs');
    return { what: 'a pair', finding: await claimAsPair(join(shop.path, 'process.json'), program, random) };
  });
} finally {
  shop.close();
}
console.table(tally);
process.exitCode = tally.some(({ found }) => found > 0) ? 1 : 0;

/** What needs a file system of its own, which only root can mount. */
async function onRealDisk(kind: 'full' | 'read-only' | 'deleted' | 'no checkpoints'): Promise<Finding> {
  const disk = join(shop.path, 'disk');
  const out = join(disk, 'run');
  mkdirSync(disk, { recursive: true });
  // A checkpoint of the LoRA run has 250 kB.
  const size = kind === 'full' ? `${150 + below(900)}k` : '64m';
  const mount = (options: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk]);
  const remount = (options: string) => execFileSync('mount', ['-o', `remount,${options}`, disk]);
  mount(`size=${size}`);
  try {
    if (kind === 'full') {
      const ended = await shop.train('LORA', out);
      remount('size=64m');
      return await afterDiskFault(shop, 'LORA', out, ended);
    }
    let isDone = false;
    const ended = await shop.train('LORA', out, {
      onLine: (line, kill) => {
        if (isDone || !line.includes('"checkpoint_saved","step":2')) return;
        isDone = true;
        // No disk becomes read-only while files are written: the next process finds it so.
        if (kind === 'read-only') kill('SIGKILL');
        else rmSync(kind === 'deleted' ? out : join(out, 'checkpoints'), { recursive: true });
      },
    });
    if (kind === 'read-only') {
      remount('ro');
      const resumed = await shop.train('LORA', out, { resume: true });
      remount('rw');
      return await afterDiskFault(shop, 'LORA', out, resumed);
    }
    if (kind === 'deleted') return faultOfRefusal(ended) ?? (existsSync(out) ? 'the folder was made again' : null);
    return ended.code === 0 ? null : `ended with ${ended.code}: ${ended.stderr}`;
  } finally {
    execFileSync('umount', [disk]);
  }
}
