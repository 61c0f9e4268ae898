// Signals, closing terminals and output that can't be written, brought about by shells: training saves and ends, or goes on.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { bin, workplace, type Workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 120_000 });

const CLOSED = ['>/dev/full 2>/dev/full', '>&- 2>&-', '2>&1 | head -n 1', '2>/dev/null | true'];
const MANY_STEPS = 5000;
const FEW_STEPS = 40;
const WAIT = { timeout: 60_000, interval: 20 };

let place: Workplace;
let run: string;
let children: ChildProcess[];
beforeAll(() => {
  place = workplace();
  for (const steps of [MANY_STEPS, FEW_STEPS])
    place.run(`${steps}`, {
      engine: { backend: 'wasm' },
      training: { max_steps: steps, per_device_train_batch_size: 1 },
    });
});
afterAll(() => place.remove());
let number = 0;
beforeEach(() => {
  run = `run-${number++}`;
  children = [];
});
afterEach(() => {
  const pid = pidOf(run);
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
  for (const child of children) child.kill('SIGKILL');
});

/** Events so far; the last line may be half written. */
function eventsOf(name: string): EngineEvent[] {
  if (!existsSync(place.file(name, 'events.ndjson'))) return [];
  const text = readFileSync(place.file(name, 'events.ndjson'), 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as EngineEvent);
}

/** Process that trains in the folder. */
function pidOf(name: string): number | null {
  try {
    return (JSON.parse(readFileSync(place.file(name, 'process.json'), 'utf8')) as { pid: number }).pid;
  } catch {
    return null;
  }
}

interface Shell {
  child: ChildProcess;
  ended: Promise<{ code: number | null; text: string }>;
}

/** Runs a line of bash in which `tunewright` is the program and `$run` the run folder. */
function bash(line: string): Shell {
  const words = line.replaceAll('tunewright', `'${process.execPath}' '${bin}'`);
  // A session of its own: a test that is run under `nohup` itself must not make its runs deaf.
  const options = { cwd: place.path, env: { ...process.env, _: '', run }, detached: true };
  const child = spawn('bash', ['-c', words], options);
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', part => (text += part));
  const ended = new Promise<{ code: number | null; text: string }>(resolve =>
    child.on('close', code => resolve({ code, text })),
  );
  return { child, ended };
}

/** Waits until the run of a shell has made some steps. @returns its process */
async function training({ ended }: Shell): Promise<number> {
  const steps = () => eventsOf(run).filter(({ type }) => type === 'step').length;
  const tooEarly = ended.then(({ text }) => {
    if (steps() < 3) throw new Error(`ended before its first steps: ${text}`);
  });
  await Promise.race([tooEarly, vi.waitFor(() => expect(steps()).toBeGreaterThan(2), WAIT)]);
  return pidOf(run)!;
}

const ended = (reason: 'finished' | 'stopped') =>
  vi.waitFor(() => expect(eventsOf(run).at(-1)).toMatchObject({ type: 'completed', reason }), WAIT);

describe.runIf(process.platform !== 'win32')('train', () => {
  it.each(['SIGHUP', 'SIGTERM', 'SIGINT'] as const)('saves and ends at %s', async signal => {
    const shell = bash(`exec tunewright train ${MANY_STEPS}.json --out $run`);
    process.kill(await training(shell), signal);
    expect(await shell.ended).toMatchObject({ code: 0 });
    await ended('stopped');
    const { step } = eventsOf(run).at(-1) as Extract<EngineEvent, { type: 'completed' }>;
    expect(existsSync(place.file(run, `checkpoints/step-${step}/state.json`))).toBe(true);
  });

  it('saves and ends at the two SIGHUPs of a closing terminal, and at SIGTERM and SIGHUP of a machine that is shut down', async () => {
    for (const first of ['SIGHUP', 'SIGTERM'] as const) {
      run = `run-twice-${first}`;
      const shell = bash(`exec tunewright train ${MANY_STEPS}.json --out $run`);
      const pid = await training(shell);
      process.kill(pid, first);
      process.kill(pid, 'SIGHUP');
      expect(await shell.ended).toMatchObject({ code: 0 });
      await ended('stopped');
    }
  });

  it.each([
    ['nohup', `nohup tunewright train ${FEW_STEPS}.json --out $run`],
    ['nohup of a script', `nohup sh -c "tunewright train ${FEW_STEPS}.json --out $run; :"`],
    ["trap '' HUP", `trap '' HUP; tunewright train ${FEW_STEPS}.json --out $run; :`],
  ])('goes on at SIGHUP under %s', async (_name, line) => {
    const pid = await training(bash(line));
    for (let n = 0; n < 3; n++) process.kill(pid, 'SIGHUP');
    await ended('finished');
  });

  it.runIf(process.platform === 'linux')(
    'in a terminal that is closed: saves and ends, or goes on under nohup',
    async () => {
      const terminal = (line: string) => bash(`exec script --quiet --flush --command "${line}" /dev/null </dev/zero`);
      const closed = terminal(`tunewright train ${MANY_STEPS}.json --out $run`);
      await training(closed);
      closed.child.kill('SIGKILL');
      await ended('stopped');
      run = 'run-nohup-terminal';
      const left = terminal(`nohup tunewright train ${FEW_STEPS}.json --out $run`);
      await training(left);
      left.child.kill('SIGKILL');
      await ended('finished');
    },
  );

  it.each(CLOSED)('goes on with %s', async output => {
    const shell = bash(`tunewright train ${FEW_STEPS}.json --json --out $run ${output}`);
    expect(await shell.ended).toMatchObject({ code: 0 });
    await ended('finished');
  });
});

describe.runIf(process.platform !== 'win32')('race', () => {
  it.each(['SIGHUP', 'SIGKILL'] as const)('ended by %s: its run saves and ends', async signal => {
    const race = {
      run: {
        model: 'base',
        dataset: { train: 'rows.jsonl', validation: 0.2, max_length: 48 },
        method: { peft_type: 'LORA' },
        engine: { backend: 'wasm' },
      },
      vary: [{ name: 'one', training: { max_steps: MANY_STEPS } }],
    };
    place.write('the.race.json', race);
    const folder = run;
    const shell = bash(`exec tunewright race the.race.json --out $run`);
    run = `${folder}/runs/one-seed42`;
    const pid = await training(shell);
    shell.child.kill(signal);
    expect((await shell.ended).code).toBe(signal === 'SIGHUP' ? 129 : null);
    await ended('stopped');
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 10_000 });
  });
});

describe.runIf(process.platform !== 'win32')('a command with a result', () => {
  it('names standard output if it can’t be written', async () => {
    for (const format of ['', '--json']) {
      const { code, text } = await bash(`tunewright inspect base ${format} >/dev/full`).ended;
      expect(text).toMatch(/^error: standard output: it can’t be written: ENOSPC/);
      expect(text).not.toMatch(/^\s+at /m);
      expect(code).toBe(2);
    }
  });

  it('ends as by SIGPIPE if nothing reads it, and does without standard error', async () => {
    expect((await bash(`tunewright inspect base | true; exit \${PIPESTATUS[0]}`).ended).code).toBe(141);
    expect((await bash(`tunewright inspect base 2>/dev/full`).ended).code).toBe(0);
  });
});
