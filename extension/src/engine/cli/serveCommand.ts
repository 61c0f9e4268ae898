// `tunewright serve`: one base and its adapters for other programs, by OpenAI's API over HTTP. It runs until a signal ends it, then
// finishes the answers under way and exits with 0; a second signal ends it at once.
import type { Command } from 'commander';
import { describeError, errorRecord } from '../../core/codedError.js';
import { readApiKey } from '../serve/accessControl.js';
import { checkServerOptions, startServer } from '../serve/server.js';
import { portNumber } from './engineOptions.js';
import { onInterruption } from './failure.js';
import { goOnWithoutOutput, print, printJson, printNote } from './print.js';
import { sessionOf, withSessionOptions, type SessionFlags } from './sessionOptions.js';

interface ServeFlags extends SessionFlags {
  host: string;
  port: number;
  apiKeyFile?: string;
  adaptersFolder?: string[];
  allowOrigin?: string[];
  json?: boolean;
}

export function registerServeCommand(program: Command): void {
  const command = program.command('serve').description('answer other programs by an OpenAI-compatible API over HTTP');
  withSessionOptions(command)
    .option('--host <address>', 'address to listen on; any but loopback needs --api-key-file', '127.0.0.1')
    .option('--port <n>', '0: one that is free', portNumber, 0)
    .option('--api-key-file <file>', 'file with the key that requests must have (readable by you only)')
    .option('--adapters-folder <folder...>', 'clients may load adapters below it (POST /v1/load_lora_adapter)')
    .option('--allow-origin <origin...>', 'pages of this origin may use the server from a browser')
    .option('--json', 'print {"type":"listening","url","models"} as one line once requests are answered')
    .action(serve);
}

async function serve(flags: ServeFlags): Promise<void> {
  goOnWithoutOutput();
  const options = {
    host: flags.host,
    port: flags.port,
    apiKey: flags.apiKeyFile === undefined ? null : readApiKey(flags.apiKeyFile),
    adaptersFolders: flags.adaptersFolder,
    allowOrigins: flags.allowOrigin,
    onFault: (error: unknown) => printNote(`error: ${describeError(errorRecord(error))}`),
  };
  checkServerOptions(options);
  const session = await sessionOf(flags);
  try {
    const server = await startServer(session, options);
    const stopped = new Promise<void>(resolve => void onInterruption(resolve));
    const { url, models } = server;
    if (flags.json) printJson({ type: 'listening', url, models });
    else print(`${url}/v1\n  models: ${models.join(', ')}\n  Ctrl-C ends the server.`);
    await stopped;
    printNote('Ending after the answers under way; a second signal ends at once.');
    await server.end();
  } finally {
    session.dispose();
  }
}
