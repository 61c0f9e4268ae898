// The resident engine as the extension starts it: a process on whose standard output nothing but messages appears, which
// answers as the commands do, stops where it is told to, and ends with its input.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import {
  CancellationTokenSource,
  createMessageConnection,
  ProgressType,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { peftMethods } from '../../../extension/src/engine/peft/registry.js';
import { ResidentEngine } from '../../../extension/src/host/engineProcess/residentEngine.js';
import { engineErrorSchema, type EngineError } from '../../../extension/src/protocol/engineError.js';
import {
  describeRequest,
  estimateRequest,
  inspectRequest,
  runShapeRequest,
  type Progress,
} from '../../../extension/src/protocol/residentMessages.js';
import { succeed, workplace } from '../../support/cli.js';

vi.mock('vscode', () => ({ CancellationError: class extends Error {} }));
vi.setConfig({ testTimeout: 240_000 });

const bin = fileURLToPath(new URL('../../../extension/bin/tunewright.mjs', import.meta.url));
const place = workplace();
afterAll(() => place.remove());

interface Resident {
  child: ChildProcessWithoutNullStreams;
  connection: MessageConnection;
  /** What came on standard output so far. */
  output(): string;
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>;
}

const started: ChildProcessWithoutNullStreams[] = [];
afterEach(() => started.splice(0).forEach(child => child.kill('SIGKILL')));

function resident(): Resident {
  const child = spawn(process.execPath, [bin, 'resident'], { stdio: ['pipe', 'pipe', 'pipe'] });
  started.push(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const connection = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  connection.listen();
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
  return { child, connection, output: () => output, ended };
}

const estimateOf = (runFile: string) => ({ runFile: JSON.parse(readFileSync(runFile, 'utf8')), path: runFile });

async function errorOf(request: Promise<unknown>): Promise<EngineError> {
  const error = await request.then(
    () => expect.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  return engineErrorSchema.parse((error as ResponseError<unknown>).data);
}

it('describes, inspects and estimates as the commands do, and nothing but messages is on its standard output', async () => {
  const { child, connection, output, ended } = resident();
  const run = place.run('estimated');
  const [described, inspected, estimated] = await Promise.all([
    connection.sendRequest(describeRequest.name, {}),
    connection.sendRequest(inspectRequest.name, { model: 'base', folder: place.path }),
    connection.sendRequest(estimateRequest.name, estimateOf(run)),
  ]);
  const printed = async (...args: string[]) => JSON.parse((await succeed(args, { cwd: place.path })).stdout);
  expect(described).toEqual(await printed('describe', '--json'));
  expect(inspectRequest.result.parse(inspected)).toEqual(
    inspectRequest.result.parse(await printed('inspect', 'base', '--json')),
  );
  // What is free differs from moment to moment.
  const { available_bytes: free, matrix: _, ...others } = await printed('estimate', run, '--json');
  expect(free).toBeGreaterThan(0);
  expect(estimated).toMatchObject(others);
  expect(estimateRequest.result.parse(estimated).methods).toHaveLength(peftMethods.length - 1);

  child.stdin.end();
  expect(await ended).toBe(0);
  let rest = Buffer.from(output());
  while (rest.length > 0) {
    const head = /^Content-Length: (\d+)\r\n\r\n/.exec(rest.toString('latin1'));
    expect(head, `between two messages: ${rest.toString().slice(0, 200)}`).not.toBeNull();
    rest = rest.subarray(head![0].length + Number(head![1]));
  }
});

it('tells where the rows of a run end, as training works it out', async () => {
  const { connection } = resident();
  const length = async (method: Record<string, unknown>, maxLength: number) => {
    const run = place.run('shaped', { method, dataset: { train: 'rows.jsonl', max_length: maxLength } });
    const answer = await connection.sendRequest(runShapeRequest.name, estimateOf(run));
    return runShapeRequest.result.parse(answer).max_length;
  };
  const { contextLength } = inspectRequest.result.parse(
    await connection.sendRequest(inspectRequest.name, { model: 'base', folder: place.path }),
  );
  expect(await length({ peft_type: 'LORA' }, 8)).toBe(8);
  expect(await length({ peft_type: 'LORA' }, 100_000)).toBe(contextLength);
  const virtual = { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 3 };
  expect(await length(virtual, 100_000)).toBe(contextLength - 3);
});

it('answers an error as the record that the command prints, and goes on', async () => {
  const { connection } = resident();
  const run = place.run('wrong', { method: { r: 0 } });
  const record = await errorOf(connection.sendRequest(estimateRequest.name, estimateOf(run)));
  expect(record).toMatchObject({ code: 'bad_input', file: run, key: 'method.r' });
  expect(
    await errorOf(connection.sendRequest(inspectRequest.name, { model: './none', folder: place.path })),
  ).toMatchObject({ code: 'model_not_found', file: './none' });
  expect(await errorOf(connection.sendRequest(estimateRequest.name, { path: run }))).toMatchObject({
    code: 'bad_usage',
    message: expect.stringContaining('runFile'),
  });
  expect(await connection.sendRequest(describeRequest.name, {})).toHaveProperty('methods');
});

it('tells how far an estimate is, and ends it within a method when it is cancelled', async () => {
  const { connection } = resident();
  const cancelling = new CancellationTokenSource();
  const told: string[] = [];
  connection.onProgress(new ProgressType<Progress>(), 1, ({ message }) => {
    told.push(message);
    if (told.length === 2) cancelling.cancel();
  });
  const params = { ...estimateOf(place.run('cancelled')), progressToken: 1 };
  const record = await errorOf(connection.sendRequest(estimateRequest.name, params, cancelling.token));
  expect(record.code).toBe('cancelled');
  expect(told[0]).toBe('LORA');
  expect(told.length).toBeLessThan(peftMethods.length);
});

it('ends with its input, also in the middle of a request', async () => {
  const { child, connection, ended } = resident();
  connection.onClose(() => connection.dispose());
  const asked = connection.sendRequest(
    estimateRequest.name,
    estimateOf(place.run('left', { dataset: { max_length: 512 } })),
  );
  asked.catch(() => {});
  child.stdin.end();
  expect(await ended).toBe(0);
});

it('is understood by its owner in the host', async () => {
  const program = { command: process.execPath, args: [bin], env: process.env };
  const owner = new ResidentEngine({ program: async () => program, log: () => {} });
  const told: Progress[] = [];
  expect(await owner.request(describeRequest, {})).toHaveProperty('formats');
  const onProgress = (progress: Progress) => void told.push(progress);
  const { run } = await owner.request(estimateRequest, estimateOf(place.run('asked')), { onProgress });
  expect(run.trainable_parameters).toBeGreaterThan(0);
  expect(told.map(({ done, total }) => [done, total])).toEqual(peftMethods.map((_, i) => [i, peftMethods.length]));
  await expect(owner.request(inspectRequest, { model: './none', folder: place.path })).rejects.toMatchObject({
    record: { code: 'model_not_found', file: './none' },
  });
  owner.dispose();
});

it('--help says what it is; it is not among the commands for people', async () => {
  expect((await succeed(['resident', '--help'])).stdout).toContain('JSON-RPC');
  expect((await succeed(['--help'])).stdout).not.toMatch(/^ {2}resident/m);
});
