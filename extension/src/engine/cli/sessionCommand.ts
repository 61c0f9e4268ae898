// `tunewright session`: one model in memory that answers requests of the extension. Standard output carries only its messages.
import type { Command } from 'commander';
import { sessionRequests } from '../resident/sessionRequests.js';
import { printNote } from './print.js';
import { serveStandardStreams } from './serveStandardStreams.js';

export function registerSessionCommand(program: Command): void {
  program
    .command('session', { hidden: true })
    .description(
      'answer with one model (JSON-RPC 2.0, Content-Length headers) on standard input and output until it ends',
    )
    .addHelpText('after', '\nFor use by programs; the requests are in extension/src/protocol/sessionMessages.ts.')
    .action(() => {
      const { requests, dispose } = sessionRequests(printNote);
      return serveStandardStreams(requests, { close: dispose });
    });
}
