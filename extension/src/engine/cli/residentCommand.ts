// `tunewright resident`: the engine as a process that stays and answers requests, for the extension. Standard output carries
// its messages and nothing else.
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { knownSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import { runCommand } from '../machine/runCommand.js';
import { residentRequests } from '../resident/requests.js';
import { serveResident } from '../resident/residentEngine.js';

export function registerResidentCommand(program: Command): void {
  program
    .command('resident', { hidden: true })
    .description('answer requests (JSON-RPC 2.0, Content-Length headers) on standard input and output until it ends')
    .addHelpText('after', '\nFor programs; extension/src/protocol/residentMessages.ts has the requests.')
    .action(serve);
}

async function serve(): Promise<void> {
  await serveResident(process.stdin, claimStandardOutput(), residentRequests(measuredSpeed), text =>
    console.error(text),
  );
  process.exit();
}

/** From here on what anything else prints goes to standard error: a stray line would break the messages. */
export function claimStandardOutput(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return new Writable({ write: (chunk: Buffer, encoding, done) => void write(chunk, encoding, done) });
}

/** Measured by another process, once a machine: this one would have to keep TensorFlow, with the threads of the first call. */
async function measuredSpeed(threads: number | null): Promise<MachineSpeed | null> {
  const known = knownSpeed(threads);
  if (known) return known;
  const flags = threads === null ? [] : ['--threads', String(threads)];
  try {
    await runCommand(process.execPath, [process.argv[1]!, 'engine', 'speed', ...flags]);
  } catch (error) {
    console.error((error as Error).message);
  }
  return knownSpeed(threads);
}
