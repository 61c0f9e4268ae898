// `tunewright resident`: the engine as a long-running process that answers requests of the extension. Standard output carries only
// its messages.
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { knownSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import { runCommand } from '../machine/runCommand.js';
import { residentRequests } from '../resident/requests.js';
import { serveResident } from '../resident/residentEngine.js';
import { endWithParent } from '../../system/endWithParent.js';
import { printNote } from './print.js';

export function registerResidentCommand(program: Command): void {
  program
    .command('resident', { hidden: true })
    .description('answer requests (JSON-RPC 2.0, Content-Length headers) on standard input and output until it ends')
    .addHelpText('after', '\nFor use by programs; the requests are in extension/src/protocol/residentMessages.ts.')
    .action(serve);
}

async function serve(): Promise<void> {
  endWithParent();
  try {
    await serveResident(process.stdin, claimStandardOutput(), residentRequests(measuredSpeed), printNote);
  } catch (error) {
    // An open input would keep the process alive.
    process.stdin.destroy();
    throw error;
  }
  process.exit();
}

/** Redirects all other output to standard error, since a stray line would break the messages. */
export function claimStandardOutput(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return new Writable({ write: (chunk: Buffer, encoding, done) => void write(chunk, encoding, done) });
}

/** Measured once per machine, by another process: this one could not unload TensorFlow or change its number of threads. */
async function measuredSpeed(threads: number | null): Promise<MachineSpeed | null> {
  const known = knownSpeed(threads);
  if (known) return known;
  const flags = threads === null ? [] : ['--threads', String(threads)];
  try {
    await runCommand(process.execPath, [process.argv[1]!, 'engine', 'speed', ...flags]);
  } catch (error) {
    printNote((error as Error).message);
  }
  return knownSpeed(threads);
}
