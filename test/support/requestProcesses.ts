// Processes of the engine that answer requests on standard input and output, `resident` and `session`, as the extension starts them.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { afterEach, expect } from 'vitest';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
  type ResponseError,
} from 'vscode-jsonrpc/node';
import { engineErrorSchema, type EngineError } from '../../extension/src/protocol/engineError.js';
import { bin } from './cli.js';

export interface StartedProcess {
  child: ChildProcessWithoutNullStreams;
  connection: MessageConnection;
  /** Standard output so far. */
  output(): string;
  /** Standard error so far. */
  errors(): string;
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>;
}

/** What starts them; each is killed after its test. */
export function requestProcesses(command: 'resident' | 'session'): (nodeOptions?: string[]) => StartedProcess {
  const started: ChildProcessWithoutNullStreams[] = [];
  afterEach(() => started.splice(0).forEach(child => child.kill('SIGKILL')));
  return (nodeOptions = []) => {
    const child = spawn(process.execPath, [...nodeOptions, bin, command], { stdio: ['pipe', 'pipe', 'pipe'] });
    started.push(child);
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    connection.listen();
    const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
    return { child, connection, output: () => output, errors: () => errors, ended };
  };
}

/** Fails if there is anything between the messages. */
export function expectOnlyMessages(output: string): void {
  let rest = Buffer.from(output);
  while (rest.length > 0) {
    const head = /^Content-Length: (\d+)\r\n\r\n/.exec(rest.toString('latin1'));
    expect(head, `between two messages: ${rest.toString().slice(0, 200)}`).not.toBeNull();
    rest = rest.subarray(head![0].length + Number(head![1]));
  }
}

export async function errorOf(request: Promise<unknown>): Promise<EngineError> {
  const error = await request.then(
    () => expect.fail('the request succeeded'),
    (thrown: unknown) => thrown,
  );
  return engineErrorSchema.parse((error as ResponseError<unknown>).data);
}
