// `tunewright resident`: the engine as a long-running process that answers requests of the extension. Standard output carries only
// its messages.
import type { Command } from 'commander';
import { knownSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import { runCommand } from '../machine/runCommand.js';
import { residentRequests } from '../resident/requests.js';
import { printNote } from './print.js';
import { serveStandardStreams } from './serveStandardStreams.js';

/** Its requests pause every tenth of a second; the host starts another process for the next one. */
const STUCK_MS = 120_000;

export function registerResidentCommand(program: Command): void {
  program
    .command('resident', { hidden: true })
    .description('answer requests (JSON-RPC 2.0, Content-Length headers) on standard input and output until it ends')
    .addHelpText('after', '\nFor use by programs; the requests are in extension/src/protocol/residentMessages.ts.')
    .action(() => serveStandardStreams(residentRequests(measuredSpeed), { stuckMs: STUCK_MS }));
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
