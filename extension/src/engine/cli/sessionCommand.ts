// `tunewright session`: one model in memory that answers requests of the extension. Standard output carries only its messages.
import type { Command } from 'commander';
import { endWithParent } from '../../system/endWithParent.js';
import { serveResident } from '../resident/residentEngine.js';
import { sessionRequests } from '../resident/sessionRequests.js';
import { printNote } from './print.js';
import { claimStandardOutput } from './residentCommand.js';

export function registerSessionCommand(program: Command): void {
  program
    .command('session', { hidden: true })
    .description(
      'answer with one model (JSON-RPC 2.0, Content-Length headers) on standard input and output until it ends',
    )
    .addHelpText('after', '\nFor use by programs; the requests are in extension/src/protocol/sessionMessages.ts.')
    .action(serve);
}

async function serve(): Promise<void> {
  endWithParent();
  const { requests, dispose } = sessionRequests(printNote);
  try {
    await serveResident(process.stdin, claimStandardOutput(), requests, printNote);
  } catch (error) {
    // An open input would keep the process alive.
    process.stdin.destroy();
    throw error;
  } finally {
    dispose();
  }
  process.exit();
}
