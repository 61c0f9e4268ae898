// Resuming from what kills, lost files and other hands leave of a run folder, through the real command line: the run goes on or
// starts anew, says so, and ends with the bits of an uninterrupted one; a changed base is refused.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const RESULT = 'adapter/adapter_model.safetensors';
const changes = {
  dataset: { validation: 'held-out.jsonl' },
  training: { max_steps: 8, save_steps: 2, eval_steps: 4 },
  engine: { threads: 1 },
};
let file: string;
let result: Buffer;

beforeAll(async () => {
  place.write('held-out.jsonl', [{ prompt: 'Say ab', completion: ' cd.' }]);
  file = place.run('run', changes);
  await succeed(['train', file, '--out', place.file('whole')]);
  result = readFileSync(place.file('whole', RESULT));
  await tunewright(['train', file, '--out', place.file('killed'), '--json'], {
    onLine: (line, child) => line.includes('"checkpoint_saved","step":6') && child.kill('SIGKILL'),
  });
});

/** A copy of the run that was killed after step 6. */
function killed(name: string): string {
  cpSync(place.file('killed'), place.file(name), { recursive: true });
  return place.file(name);
}

const resume = (out: string, runFile = file) => tunewright(['train', runFile, '--resume', '--out', out]);
const warned = (name: string) =>
  place.events(name).flatMap(event => (event.type === 'warned' ? [`${event.code}: ${event.message}`] : []));

async function expectSame(out: string, runFile?: string): Promise<void> {
  const { code, stderr } = await resume(out, runFile);
  expect(code, stderr).toBe(0);
  expect(readFileSync(join(out, RESULT)).equals(result)).toBe(true);
}

describe('of what a kill left', () => {
  it('a folder without run.json is trained anew, with and without --resume', async () => {
    for (const name of ['begun', 'begun-too']) {
      mkdirSync(place.file(name));
      for (const leftover of ['run.json.999999.tmp', 'process.json.5f0c4f8e-4b7c-4b53-9d49-0d3f8f1c2a11'])
        writeFileSync(place.file(name, leftover), '{"na');
    }
    await expectSame(place.file('begun'));
    expect(warned('begun')).toEqual([expect.stringMatching(/^started_anew: the run has no checkpoint yet/)]);
    expect(readdirSync(place.file('begun')).filter(name => name.endsWith('.tmp'))).toEqual([]);
    await succeed(['train', file, '--out', place.file('begun-too')]);
    expect(readFileSync(place.file('begun-too', RESULT)).equals(result)).toBe(true);
  });

  it('a run without a checkpoint begins again, with the given run file if its own is damaged', async () => {
    mkdirSync(place.file('early'));
    writeFileSync(place.file('early', 'run.json'), '{"name": "run", "mod');
    writeFileSync(place.file('early', 'events.ndjson'), '');
    await expectSame(place.file('early'));
    expect(warned('early')).toEqual([
      expect.stringMatching(/^run_file_restored: .*that of this command is used/),
      expect.stringMatching(/^started_anew/),
    ]);
  });

  it('temporary files and unfinished checkpoints are removed', async () => {
    const out = killed('leftovers');
    const leftovers = [
      ...['run.json.999999.tmp', 'checkpoints/step-8.partial/state.json', 'checkpoints/step-2.old/state.json'],
      'adapter/adapter_model.safetensors.999999.tmp',
    ];
    for (const name of leftovers) {
      mkdirSync(join(out, name, '..'), { recursive: true });
      writeFileSync(join(out, name), 'x');
    }
    await expectSame(out);
    for (const name of leftovers) expect(existsSync(join(out, name)), name).toBe(false);
  });
});

describe('of what was lost', () => {
  it('run.json is restored from the checkpoint, also if it is damaged', async () => {
    const out = killed('no-run-file');
    const before = readFileSync(join(out, 'run.json'), 'utf8');
    rmSync(join(out, 'run.json'));
    await expectSame(out);
    expect(readFileSync(join(out, 'run.json'), 'utf8')).toBe(before);
    expect(warned('no-run-file')).toEqual([
      expect.stringMatching(/^run_file_restored: .*restored from the checkpoint/),
    ]);

    const damaged = killed('damaged-run-file');
    writeFileSync(join(damaged, 'run.json'), before.slice(0, 100));
    await expectSame(damaged, join(damaged, 'run.json'));
    expect(readFileSync(join(damaged, 'run.json'), 'utf8')).toBe(before);
  });

  it('other values in run.json are named, and those of the checkpoint are kept', async () => {
    const out = killed('other-values');
    const own = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    own.training.learning_rate *= 2;
    own.method.r = 4;
    writeFileSync(join(out, 'run.json'), JSON.stringify(own));
    await expectSame(out, join(out, 'run.json'));
    expect(warned('other-values')).toEqual([
      'run_file_changed: run.json has other values than the run was started with, which are kept: method.r, training.learning_rate',
    ]);
  });

  it('another length in run.json is named, and is that of the run', async () => {
    const out = killed('longer');
    const own = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    own.training.max_steps = 10;
    writeFileSync(join(out, 'run.json'), JSON.stringify(own));
    expect((await resume(out, join(out, 'run.json'))).code).toBe(0);
    expect(warned('longer')).toEqual([
      'run_length_changed: run.json has another length of the run than the checkpoint: max_steps',
    ]);
    expect(place.events('longer').at(-1)).toMatchObject({ type: 'completed', step: 10 });
  });

  it('events are repaired, or begun again', async () => {
    const out = killed('damaged-events');
    const events = join(out, 'events.ndjson');
    const lines = readFileSync(events, 'utf8').split('\n');
    writeFileSync(events, [lines[0], '\0\0\0', ...lines.slice(2)].join('\n'));
    await expectSame(out);
    expect(warned('damaged-events')).toEqual(['events_damaged: removed from events.ndjson what was no event: line 2']);

    const without = killed('no-events');
    rmSync(join(without, 'events.ndjson'));
    await expectSame(without);
    expect(warned('no-events')).toEqual([expect.stringMatching(/^events_missing/)]);
  });
});

describe('of inputs that have changed', () => {
  const spoiled = (name: string, change: (path: string) => void) => {
    const before = readFileSync(place.file(name));
    change(place.file(name));
    return () => writeFileSync(place.file(name), before);
  };

  it.each([
    [
      'weights',
      'base/model.safetensors',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 1000]! ^= 64;
        writeFileSync(path, bytes);
      },
    ],
    [
      'config.json',
      'base/config.json',
      (path: string) => {
        const config = JSON.parse(readFileSync(path, 'utf8'));
        writeFileSync(path, JSON.stringify({ ...config, rms_norm_eps: 0.5 }));
      },
    ],
  ])('the base (its %s) is refused before training', async (_, name, change) => {
    const out = killed(`changed-${name.replace('/', '-')}`);
    const restore = spoiled(name, change);
    const refused = await resume(out);
    restore();
    expectRefusal(refused, 'the base model has changed since the checkpoint', place.file('base'), 'start a new run');
    await expectSame(out);
  });

  it('tokenizer, template, training and validation rows are named', async () => {
    const out = killed('changed-inputs');
    const restore = [
      spoiled('base/tokenizer_config.json', path => {
        const config = JSON.parse(readFileSync(path, 'utf8'));
        writeFileSync(path, JSON.stringify({ ...config, chat_template: '{{ messages[0].content }}', clean: true }));
      }),
      ...['rows.jsonl', 'held-out.jsonl'].map(name =>
        spoiled(name, path => writeFileSync(path, `${readFileSync(path, 'utf8')}{"prompt":"a","completion":"b"}\n`)),
      ),
    ];
    const { code, stderr } = await resume(out);
    restore.forEach(undo => undo());
    expect(code, stderr).toBe(0);
    const said = 'From here on the run differs from an uninterrupted one.';
    expect(warned('changed-inputs')).toEqual(
      [
        ['dataset', 'training rows'],
        ['tokenizer', 'tokenizer'],
        ['chat_template', 'chat template'],
        ['validation_rows', 'validation rows'],
      ].map(([code, what]) => `${code}_changed: Changed since the checkpoint: the ${what}. ${said}`),
    );
  });
});

describe('of a folder that others use', () => {
  it('a second process is told which one trains in it', async () => {
    const out = place.file('shared');
    let second: ReturnType<typeof resume> | undefined;
    let pid: number | undefined;
    const first = await tunewright(['train', file, '--out', out, '--json'], {
      onLine: (line, child) => {
        if (second || !line.includes('"type":"step"')) return;
        child.kill('SIGSTOP');
        pid = child.pid;
        second = resume(out).finally(() => child.kill('SIGCONT'));
      },
    });
    expectRefusal(await second!, `process ${pid} is training in this run folder since 20`, out);
    expect(first.code, first.stderr).toBe(0);
    expect(readFileSync(join(out, RESULT)).equals(result)).toBe(true);
  });

  it('that is deleted or moved under the run, the run ends with a clear error and makes no new one', async () => {
    const out = place.file('deleted');
    const moved = place.file('moved');
    let isMoved = false;
    const ended = await tunewright(['train', file, '--out', out, '--json'], {
      onLine: line => {
        if (isMoved || !line.includes('"checkpoint_saved","step":4')) return;
        isMoved = true;
        renameSync(out, moved);
      },
    });
    expectRefusal(ended, out, 'the run folder was deleted or moved while the run was training in it', '--resume');
    expect(existsSync(out)).toBe(false);
    await expectSame(moved);
  });
});
