// The resident engine as the extension starts it: a process that writes only messages to standard output, gives the same answers as
// the commands, can be cancelled, and ends with its input.
import { readFileSync } from 'node:fs';
import { afterAll, expect, it, vi } from 'vitest';
import { CancellationTokenSource, ProgressType } from 'vscode-jsonrpc/node';
import { peftMethods } from '../../../extension/src/engine/peft/registry.js';
import { RequestProcess } from '../../../extension/src/host/engineProcess/requestProcess.js';
import {
  describeRequest,
  estimateRequest,
  inspectRequest,
  runShapeRequest,
  type Progress,
} from '../../../extension/src/protocol/residentMessages.js';
import { bin, succeed, workplace } from '../../support/cli.js';
import { errorOf, expectOnlyMessages, requestProcesses } from '../../support/requestProcesses.js';

vi.mock('vscode', () => ({ CancellationError: class extends Error {}, workspace: { isTrusted: true } }));
vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const resident = requestProcesses('resident');

const estimateOf = (runFile: string) => ({ runFile: JSON.parse(readFileSync(runFile, 'utf8')), path: runFile });

it('describes, inspects and estimates like the commands, and writes only messages to standard output', async () => {
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
  // Available memory changes all the time. The resident engine loads no driver of a GPU.
  const { available_bytes: free, matrix: _, gpu: _gpu, ...others } = await printed('estimate', run, '--json');
  expect(free).toBeGreaterThan(0);
  expect(estimated).toMatchObject(others);
  expect(estimateRequest.result.parse(estimated).methods).toHaveLength(peftMethods.length - 1);

  child.stdin.end();
  expect(await ended).toBe(0);
  expectOnlyMessages(output());
});

it('answers the maximum length of rows as training computes it', async () => {
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

it('answers errors with the record that the command prints, and continues', async () => {
  const { connection } = resident();
  const run = place.run('wrong', { method: { r: 0 } });
  const record = await errorOf(connection.sendRequest(estimateRequest.name, estimateOf(run)));
  expect(record).toMatchObject({ code: 'bad_input', file: run, key: 'method.r' });
  expect(
    await errorOf(connection.sendRequest(inspectRequest.name, { model: './none', folder: place.path })),
  ).toMatchObject({ code: 'model_not_found', file: './none' });
  expect(await errorOf(connection.sendRequest(estimateRequest.name, { path: run }))).toMatchObject({
    code: 'bad_usage',
    key: 'runFile',
  });
  expect(await connection.sendRequest(describeRequest.name, {})).toHaveProperty('methods');
});

it('refuses params that are missing or positional', async () => {
  const { connection } = resident();
  for (const params of [[], [1, 2]])
    expect(await errorOf(connection.sendRequest(estimateRequest.name, ...params))).toMatchObject({ code: 'bad_usage' });
});

it.each(['Content-Length: abc\r\n\r\n', 'hello there\r\n\r\n'])(
  'ends after the header %j, and says why',
  async garbage => {
    const { child, ended } = resident();
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdin.write(garbage);
    expect(await ended).toBe(1);
    expect(errors).toMatch(/can't be read any more/);
  },
);

it('reports the progress of an estimate, and cancels it after the current method', async () => {
  const { connection } = resident();
  const cancelling = new CancellationTokenSource();
  const reported: string[] = [];
  connection.onProgress(new ProgressType<Progress>(), 1, ({ message }) => {
    reported.push(message);
    if (reported.length === 2) cancelling.cancel();
  });
  const params = { ...estimateOf(place.run('cancelled')), progressToken: 1 };
  const record = await errorOf(connection.sendRequest(estimateRequest.name, params, cancelling.token));
  expect(record.code).toBe('cancelled');
  expect(reported[0]).toBe('LORA');
  expect(reported.length).toBeLessThan(peftMethods.length);
});

it('ends with its input, even during a request', async () => {
  const { child, connection, ended } = resident();
  connection.onClose(() => connection.dispose());
  const request = connection.sendRequest(
    estimateRequest.name,
    estimateOf(place.run('left', { dataset: { max_length: 512 } })),
  );
  request.catch(() => {});
  child.stdin.end();
  expect(await ended).toBe(0);
});

it('works with RequestProcess of the host', async () => {
  const program = { command: process.execPath, args: [bin], env: process.env };
  const owner = new RequestProcess({
    command: 'resident',
    program: async () => program,
    log: () => {},
    idleMs: () => 60_000,
  });
  const reported: Progress[] = [];
  expect(await owner.request(describeRequest, {})).toHaveProperty('formats');
  const onProgress = (progress: Progress) => void reported.push(progress);
  const { run } = await owner.request(estimateRequest, estimateOf(place.run('asked')), { onProgress });
  expect(run.trainable_parameters).toBeGreaterThan(0);
  expect(reported.map(({ done, total }) => [done, total])).toEqual(peftMethods.map((_, i) => [i, peftMethods.length]));
  await expect(owner.request(inspectRequest, { model: './none', folder: place.path })).rejects.toMatchObject({
    record: { code: 'model_not_found', file: './none' },
  });
  owner.dispose();
});

it('has --help, but is not listed among the commands', async () => {
  expect((await succeed(['resident', '--help'])).stdout).toContain('JSON-RPC');
  expect((await succeed(['--help'])).stdout).not.toMatch(/^ {2}resident/m);
});
