// Processes that claim a file, as engines do: their program is bundled once, under a name that makes its command line that of an
// engine, or not.
import { build } from 'esbuild';
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../extension/src/system/fileClaim.ts', import.meta.url));

/** Claims the file that it is told, at the time that it is told; releases it or ends when asked to. */
const PROGRAM = `
import { claimFile } from ${JSON.stringify(source)};
let claim = null;
process.on('message', ({ path, at }) => {
  if (path === null) {
    claim.release();
    return process.send({ released: true });
  }
  while (Date.now() < at);
  const outcome = claimFile(path);
  if (!('heldBy' in outcome)) claim = outcome;
  process.send({ heldBy: outcome.heldBy?.pid ?? null });
});
process.send({ ready: true });
`;

/** @returns path of the program, to be named as the argument of `Claimant.start` */
export async function bundleClaimant(folder: string, name: string): Promise<string> {
  const outfile = join(folder, name);
  const stdin = { contents: PROGRAM, resolveDir: folder };
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm' });
  return outfile;
}

export class Claimant {
  private constructor(readonly child: ChildProcess) {}

  static async start(program: string, ...args: string[]): Promise<Claimant> {
    const claimant = new Claimant(fork(program, args, { execArgv: [] }));
    await claimant.answer();
    return claimant;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Pid of the process that holds the file already; null if this one holds it now. */
  async claim(path: string, at = 0): Promise<number | null> {
    this.child.send({ path, at });
    return ((await this.answer()) as { heldBy: number | null }).heldBy;
  }

  async release(): Promise<void> {
    this.child.send({ path: null });
    await this.answer();
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise(resolve => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }

  private answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (code: number | null) => reject(new Error(`the claimant ended with ${code}`));
      this.child.once('exit', fail);
      this.child.once('message', message => {
        this.child.off('exit', fail);
        resolve(message);
      });
    });
  }
}
