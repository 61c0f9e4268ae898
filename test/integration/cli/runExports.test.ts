// `"export"` in a run file, as processes: refused before training where it can't work, done when the run has completed, done again by
// `export RUN`, and a failure that leaves the result of the run as it is.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { exportRun } from '../../../extension/src/engine/export/runExports.js';
import { silentReporter } from '../../../extension/src/engine/run/reporter.js';
import { readEvents } from '../../../extension/src/engine/runFolder/eventLog.js';
import type { EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';
import { startPrograms } from '../../support/installedPrograms.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const media = (path: string) => fileURLToPath(new URL(`../../../media/${path}`, import.meta.url));
const place = workplace();
afterAll(() => place.remove());

const NOT_ITS_OWN = 'this is not, or not only, what the run has exported to there';
const LORA = { peft_type: 'LORA', target_modules: ['q_proj'] };
const runFile = (name: string, exports: unknown, method: Record<string, unknown> = LORA) =>
  place.run(name, {
    name,
    model: 'embedded:tiny',
    dataset: { train: media('datasets/pirate.messages.jsonl'), max_length: 32 },
    method,
    training: { max_steps: 2, measure_forgetting: false },
    export: exports,
  });
const train = (run: string, out: string, ...more: string[]) => ['train', run, '--out', place.file(out), ...more];
const refusedBy = async (exports: unknown, method: Record<string, unknown> | undefined, ...parts: string[]) => {
  const result = await tunewright(train(runFile('refused', exports, method), 'refused-run'));
  expectRefusal(result, 'refused.json', ...parts);
  expect(existsSync(place.file('refused-run'))).toBe(false);
};

describe('refused before training', () => {
  test('a wrong entry, by its key', async () => {
    await refusedBy([{ target: 'ggfu' }], undefined, 'export.0.target', '"gguf"', '"adapter_mlx"', 'not "ggfu"');
    await refusedBy(
      [{ target: 'mlx', dtype: 'float32' }],
      undefined,
      'export.0.dtype',
      'must be "float16" or "bfloat16"',
    );
    await refusedBy([{ target: 'folder', max_shard_size: '5' }], undefined, 'max_shard_size', 'such as 500MB or 5GB');
    await refusedBy([{ target: 'folder', typ: 'f16' }], undefined, 'unknown key "typ"', 'did you mean "dtype"?');
    await refusedBy([{ type: 'q8_0' }], undefined, 'export.0.target', 'is missing');
    await refusedBy(['gguf'], undefined, 'export.0', 'not "gguf"');
    await refusedBy({ target: 'gguf' }, undefined, 'export', 'must be a list');
  });

  test('what the method can’t be, with what works', async () => {
    const prompt = { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4 };
    await refusedBy([{ target: 'gguf' }], prompt, 'export.0.target', 'tunewright serve', 'PeftModel.from_pretrained');
    await refusedBy([{ target: 'hub', content: 'folder' }], prompt, 'export.0.target', 'tunewright serve');
    await refusedBy([{ target: 'lm_studio', name: 'a b' }], undefined, 'export.0', 'LM Studio');
    await refusedBy([{ target: 'adapter_gguf' }], prompt, 'export.0.target', 'expressed as LoRA');
    await refusedBy([{ target: 'adapter_mlx' }], { ...LORA, use_dora: true }, 'export.0.target', 'DoRA');
    await refusedBy([{ target: 'gguf' }, { target: 'adapter_gguf' }], { peft_type: 'FULL' }, 'export.1.target', 'FULL');
  });

  test('a place that is taken, also by another entry', async () => {
    place.write('taken.gguf', 'mine');
    await refusedBy([{ target: 'adapter_gguf', out: 'taken.gguf' }], undefined, 'export.0.out', 'this file exists');
    await refusedBy([{ target: 'mlx' }, { target: 'mlx' }], undefined, 'export.1.out', 'export.0 already');
    const within = [
      { target: 'folder', out: 'both' },
      { target: 'gguf', out: 'both/x.gguf' },
    ];
    await refusedBy(within, undefined, 'export.1.out', 'one within the other');
  });

  test('a place where nothing can be written when the run has ended', async () => {
    const gguf = (out: string) => [{ target: 'gguf', out }];
    const ofRun = 'in the folder of the run itself';
    await refusedBy(gguf('refused-run/adapter/x.gguf'), undefined, 'export.0.out', ofRun, 'exports/');
    await refusedBy([{ target: 'folder', out: 'refused-run/exports' }], undefined, 'export.0.out', ofRun);
    place.write('a-file', 'mine');
    await refusedBy(gguf('a-file/x.gguf'), undefined, 'export.0.out', 'a part of the path is a file');
    await refusedBy(gguf(`${'n'.repeat(230)}.gguf`), undefined, 'export.0.out', 'a name has 235 bytes');
    for (const name of ['dangling', 'dangling.gguf']) symlinkSync(place.file('nowhere'), place.file(name));
    await refusedBy(gguf('dangling.gguf'), undefined, 'export.0.out', 'a link to something that does not exist');
    await refusedBy([{ target: 'folder', out: 'dangling' }], undefined, 'export.0.out', 'a link to something');
    const long = await tunewright(train(runFile('n'.repeat(240), [{ target: 'gguf' }]), 'refused-run'));
    expectRefusal(long, ': name: ', 'bytes', 'Choose a shorter name');
    expect(existsSync(place.file('refused-run'))).toBe(false);
  });

  test('a place for what has its own', async () => {
    for (const target of ['ollama', 'lm_studio', 'hub'])
      await refusedBy([{ target, out: 'x' }], undefined, 'export.0.out', 'must be null', 'has a place of its own');
  });

  test('a name that Ollama has already', async () => {
    const programs = await startPrograms();
    try {
      programs.ollama.models.set('pirate:latest', { digest: '', template: null, parameters: {} });
      const run = runFile('refused', [{ target: 'ollama', name: 'pirate' }]);
      const result = await tunewright(train(run, 'refused-run'), { env: programs.env });
      expectRefusal(result, 'refused.json', 'export.0.name', 'there is a model of this name already');
      expect(existsSync(place.file('refused-run'))).toBe(false);
    } finally {
      programs.close();
    }
  });
});

test('its own model in Ollama is replaced, and no other one', async () => {
  const programs = await startPrograms();
  const { env, ollama } = programs;
  try {
    const trained = train(runFile('own', [{ target: 'ollama', name: 'pirate' }]), 'own-run');
    await succeed(trained, { env });
    await succeed(['export', place.file('own-run'), '--force'], { env });
    // The name that it has taken itself is no fault.
    await succeed([...trained, '--resume'], { env });
    expect(ollama.created).toHaveLength(3);
    ollama.models.set('pirate:latest', { ...ollama.models.get('pirate:latest')!, digest: `sha256:${'0'.repeat(64)}` });
    const other = await tunewright(['export', place.file('own-run'), '--force'], { env });
    expect(other.stderr).toContain('Ollama has a model of this name');
    expect(other.code).toBe(1);
    expect(ollama.created).toHaveLength(3);
  } finally {
    programs.close();
  }
});

describe('a run with exports', () => {
  const exports = [
    { target: 'gguf', type: 'q8_0' },
    { target: 'adapter_mlx' },
    { target: 'adapter_gguf', out: 'elsewhere/lora.gguf' },
  ];
  const run = runFile('tone', exports);
  const folder = place.file('tone-run');
  const places = [
    join(folder, 'exports', 'tiny-1.8M-tone-Q8_0.gguf'),
    join(folder, 'exports', 'tone-lora-mlx'),
    place.file('elsewhere', 'lora.gguf'),
  ] as const;
  const eventsOf = (type: EngineEvent['type']) =>
    readEvents(join(folder, 'events.ndjson')).filter(event => event.type === type);
  const made = () => places.map(path => statSync(path).ino);
  const listed = async (...more: string[]) =>
    JSON.parse((await succeed(['export', folder, ...more, '--json'])).stdout.trim().split('\n').at(-1)!);

  test('makes them when it has completed', async () => {
    const { stdout } = await succeed(train(run, 'tone-run', '--json'));
    const types = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).type);
    expect(types.slice(-7)).toEqual(['completed', ...exports.flatMap(() => ['exporting', 'exported'])]);
    expect(eventsOf('exported').map(event => 'path' in event && event.path)).toEqual(places);
    for (const [i, { target }] of exports.entries()) {
      const event = eventsOf('exported')[i] as Extract<EngineEvent, { type: 'exported' }>;
      expect(event.entry).toMatchObject({ target });
      expect(event.bytes).toBeGreaterThan(1000);
    }
    expect(readdirSync(join(folder, 'exports')).filter(name => !name.endsWith('.json'))).toEqual([
      'tiny-1.8M-tone-Q8_0.gguf',
      'tone-lora-mlx',
    ]);
  });

  test('export RUN makes what is missing, and all with --force', async () => {
    const before = made();
    expect(await listed()).toMatchObject({ exported: [], kept: 3, failures: [] });
    expect(made()).toEqual(before);
    rmSync(places[0]);
    expect(await listed()).toMatchObject({ exported: [{ target: 'gguf', path: places[0] }], kept: 2 });
    // A folder of which only a part is there.
    rmSync(join(places[1], 'adapters.safetensors'));
    expect(await listed()).toMatchObject({ exported: [{ target: 'adapter_mlx', path: places[1] }], kept: 2 });
    expect(existsSync(join(places[1], 'adapters.safetensors'))).toBe(true);
    // Also by a relative path.
    const again = await succeed(['export', basename(folder), '--force', '--json'], { cwd: dirname(folder) });
    expect(JSON.parse(again.stdout.trimEnd().split('\n').at(-1)!).exported).toHaveLength(3);
    expect(made()[1]).not.toBe(before[1]);
  });

  test('a resumed run makes them of its new result', async () => {
    const longer = JSON.parse(readFileSync(run, 'utf8'));
    writeFileSync(run, JSON.stringify({ ...longer, training: { ...longer.training, max_steps: 3 } }));
    const before = readFileSync(places[2]);
    await succeed(train(run, 'tone-run', '--resume'));
    expect(readFileSync(places[2]).equals(before)).toBe(false);
  });

  test('a run that was moved knows its exports, and those of a damaged events.ndjson are no other’s', async () => {
    const moved = place.file('moved-run');
    cpSync(folder, moved, { recursive: true });
    const names = readdirSync(join(moved, 'exports'));
    const { stdout } = await succeed(['export', moved, '--force', '--json']);
    const { exported } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
    const inside = places.slice(0, 2).map(path => join(moved, 'exports', basename(path)));
    expect(exported.map(({ path }: { path: string }) => path)).toEqual([...inside, places[2]]);
    expect(readdirSync(join(moved, 'exports'))).toEqual(names);
    writeFileSync(inside[0]!, 'mine');
    const changed = await tunewright(['export', moved]);
    expect(changed.stderr).toContain(`${inside[0]}: ${NOT_ITS_OWN}`);
    rmSync(inside[0]!);

    const file = join(moved, 'events.ndjson');
    const [first, ...others] = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, [first, '{"seq', ...others].join('\n'));
    expectRefusal(await tunewright(['export', moved]), 'events.ndjson:2', 'not an event of a run', 'Remove this line');
    await succeed(train(run, 'moved-run', '--resume'));
    expect(readdirSync(join(moved, 'exports'))).toEqual(names);

    // Whose they are can't be told any more.
    writeFileSync(file, '');
    const result = await tunewright(train(run, 'moved-run', '--resume'));
    expectRefusal(result, 'export.0.out', 'this file exists', 'Move away what is there, or name another place');
  });

  test('one that fails is said, and keeps neither the others nor the result from being made', async () => {
    rmSync(places[0]);
    mkdirSync(places[0]);
    writeFileSync(join(places[0], 'mine.txt'), 'mine');
    const before = made();
    const result = await tunewright(['export', folder, '--force']);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/Export \(gguf\) failed: .*tiny-1.8M-tone-Q8_0.gguf: this is not, or not only, what/);
    expect(result.stderr).toContain('1 of 3 exports failed');
    expect(result.stderr).toContain(`tunewright export ${folder}`);
    expect(readdirSync(places[0])).toEqual(['mine.txt']);
    expect(made()[2]).not.toBe(before[2]);
    expect(eventsOf('export_failed')).toMatchObject([{ target: 'gguf', message: NOT_ITS_OWN }]);
    expect(existsSync(join(folder, 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });

  test('what others have put there is never replaced', async () => {
    const notes = join(places[1], 'notes.txt');
    writeFileSync(notes, 'mine');
    const result = await tunewright(['export', folder, '--force']);
    expect(result.stderr).toContain(`${places[1]}: ${NOT_ITS_OWN}`);
    expect(readFileSync(notes, 'utf8')).toBe('mine');
    rmSync(notes);
  });

  test('its run.json stands for it, and what is there is looked at, not only whether something is there', async () => {
    const lora = readFileSync(places[2]);
    writeFileSync(places[2], 'mine');
    const result = await tunewright(['export', join(folder, 'run.json')]);
    expect(result.stderr).toContain(`${places[2]}: ${NOT_ITS_OWN}`);
    expect(readFileSync(places[2], 'utf8')).toBe('mine');
    writeFileSync(places[2], lora);
  });

  // In this process: a signal would come before or after the export that it is meant for.
  test('a stop says what was written, and leaves the others as they were', async () => {
    rmSync(places[0], { recursive: true });
    const before = places.map(path => (existsSync(path) ? statSync(path).ino : 0));
    const stop = new AbortController();
    let begun = 0;
    const onEvent = ({ type }: EngineEvent) => {
      if (type === 'exporting' && ++begun === 3) stop.abort();
    };
    const engine = { backend: 'tensorflow', threads: null } as const;
    const work = exportRun(folder, { all: true, engine, reporter: silentReporter, signal: stop.signal, onEvent });
    await expect(work).rejects.toMatchObject({
      code: 'cancelled',
      message: `Stopped. Written before that: ${places[0]}, ${places[1]}. The other exports are as they were.`,
    });
    expect(made()[2]).toBe(before[2]);
    expect(made()[1]).not.toBe(before[1]);
  });

  test('export RUN takes no other options, and needs a run with a result and a list', async () => {
    expectRefusal(await tunewright(['export', folder, '--to', 'gguf']), '--to', 'no effect');
    expectRefusal(await tunewright(['export', folder, '--no-compare']), '--no-compare', 'no effect');
    expectRefusal(await tunewright(['export', place.path]), 'does not contain a run');
    expectRefusal(await tunewright(['export']), '--to', 'merged-gguf');
    await succeed(train(runFile('plain', []), 'plain-run'));
    expectRefusal(await tunewright(['export', place.file('plain-run')]), 'lists no exports', '--to');
  });
});

test('a run whose export fails has its result, and exit code 1', async () => {
  const out = place.file('full', 'model');
  const run = runFile('failing', [{ target: 'folder', out }]);
  // Taken once training has begun.
  const running = tunewright(train(run, 'failing-run'));
  const events = place.file('failing-run', 'events.ndjson');
  while (!existsSync(events) || !readFileSync(events, 'utf8').includes('"started"'))
    await new Promise(resolve => setTimeout(resolve, 20));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'mine.txt'), 'mine');
  const result = await running;
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/Export \(folder\) failed: .*: the folder is not empty\.\n +Move it away, or name/);
  expect(result.stderr).toContain('1 of 1 export failed');
  expect(existsSync(place.file('failing-run', 'adapter', 'adapter_config.json'))).toBe(true);
  expect(
    readEvents(events)
      .map(({ type }) => type)
      .slice(-3),
  ).toEqual(['completed', 'exporting', 'export_failed']);
  expect(readdirSync(out)).toEqual(['mine.txt']);
});

test('an adapter that can’t be merged may still be pushed: a token that is missing is said before training, and the run has its result', async () => {
  const run = runFile('pushed', [{ target: 'hub' }], { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4 });
  const env = { HF_TOKEN: '', HF_HOME: place.file('no-home'), HF_TOKEN_PATH: '' };
  const result = await tunewright(train(run, 'pushed-run'), { env });
  expect(result.code, result.stderr).toBe(1);
  expect(result.stderr).toMatch(
    /export\.0 \(hub\) fails unless that changes: there is no access token .* set HF_TOKEN/,
  );
  expect(result.stderr).toContain('Export (hub) failed: there is no access token');
  expect(existsSync(place.file('pushed-run', 'adapter', 'adapter_config.json'))).toBe(true);
});
