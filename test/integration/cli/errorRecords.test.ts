// Every command, called with --json and wrong input: exit code 2, a message without a stack trace on standard error, and an error
// record as the last line of standard output. A command without an entry here fails.
import type { Command } from 'commander';
import { afterAll, expect, it, vi } from 'vitest';
import { tunewrightProgram } from '../../../extension/src/engine/cli/program.js';
import { errorLineSchema, type EngineError } from '../../../extension/src/protocol/engineError.js';
import { expectRefusal, tunewright, workplace } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

const NO_MODEL = { code: 'model_not_found', file: './none' } as const;
const USAGE = { code: 'bad_usage' } as const;

/** Command -> wrong arguments and the expected record, without message and hint. */
const WRONG: Record<string, { args: string[]; record: Partial<EngineError> }> = {
  train: {
    args: [place.run('train', { method: { r: 0 } })],
    record: { code: 'bad_input', file: place.file('train.json'), key: 'method.r' },
  },
  race: {
    args: [place.write('a.race.json', { run: 'none.tune.json', vary: [{}] })],
    record: { code: 'bad_input', file: place.file('a.race.json'), key: 'run' },
  },
  estimate: {
    args: [place.write('estimate.json', '{\n "model": "base"\n "method": 1\n}')],
    record: { code: 'bad_input', file: place.file('estimate.json'), line: 3, column: 2 },
  },
  inspect: { args: ['./none', '--offline'], record: NO_MODEL },
  generate: { args: ['--model', './none', '--prompt', 'a'], record: NO_MODEL },
  chat: { args: ['--model', './none'], record: NO_MODEL },
  serve: {
    args: ['--model', './none', '--host', '0.0.0.0'],
    record: { code: 'bad_input', key: '--api-key-file' },
  },
  evaluate: { args: ['--model', './none', '--dataset', 'rows.jsonl'], record: NO_MODEL },
  suite: {
    args: ['--dataset', './none.jsonl', '--out', 'none.eval.jsonl'],
    record: { code: 'bad_input', file: expect.stringContaining('none.jsonl') as string },
  },
  merge: { args: ['--model', './none', '--adapter', 'a', '--out', 'merged'], record: NO_MODEL },
  combine: {
    args: ['--adapter', 'none=0.5', '--adapter', 'none=0.5', '--out', 'combined'],
    record: { code: 'bad_input', file: 'none' },
  },
  export: {
    args: ['--adapter', 'none', '--to', 'gguf', '--out', 'a.gguf'],
    record: { code: 'bad_input', file: 'none' },
  },
  eject: {
    args: [place.write('eject.json', '{}'), '--out', 'program.txt'],
    record: { code: 'bad_input', file: expect.stringContaining('program.txt') as string, key: '--out' },
  },
  push: {
    args: ['none'],
    record: { code: 'bad_input', file: expect.stringContaining('none') as string },
  },
  rows: {
    args: ['none', '--step', '1'],
    record: { code: 'bad_input', file: expect.stringContaining('none') as string },
  },
  quarantine: {
    args: ['none.jsonl'],
    record: { code: 'bad_input', file: expect.stringContaining('none.jsonl') as string },
  },
  'models list': { args: ['surplus'], record: USAGE },
  'models pull': { args: ['no/such/model'], record: { code: 'bad_input', file: 'no/such/model' } },
  'engine install': { args: ['--library', './none'], record: { code: 'bad_input' } },
  'engine status': { args: ['surplus'], record: USAGE },
  'engine speed': { args: ['--threads', '0'], record: USAGE },
  'engine bench': { args: ['--only', 'none'], record: { code: 'bad_input', key: '--only' } },
  clean: {
    args: ['--runs', 'none'],
    record: { code: 'bad_input', file: expect.stringContaining('none') as string, key: '--runs' },
  },
  describe: { args: ['nothing'], record: USAGE },
  resident: { args: ['surplus'], record: USAGE },
  session: { args: ['surplus'], record: USAGE },
};

/** Commands without subcommands, with their full names. */
const leaves = (command: Command, words: string[] = []): { name: string; command: Command }[] =>
  command.commands.length === 0
    ? [{ name: words.join(' '), command }]
    : command.commands.flatMap(child => leaves(child, [...words, child.name()]));

it.each(leaves(tunewrightProgram()))('$name', async ({ name, command }) => {
  const wrong = WRONG[name];
  expect(wrong, 'a new command needs an entry in this test').toBeDefined();
  const { args, record } = wrong!;
  const asData = command.options.some(({ long }) => long === '--json') ? ['--json'] : [];
  const result = await tunewright([...name.split(' '), ...args, ...asData], { cwd: place.path });
  expectRefusal(result);
  const last = result.stdout.trimEnd().split('\n').at(-1)!;
  if (asData.length === 0) return expect(last, 'standard output is for messages only').toBe('');
  const printed = errorLineSchema.parse(JSON.parse(last));
  expect(printed).toMatchObject(record);
  expect(result.stderr).toContain(printed.message);
  return undefined;
});

it('a run that fails before it begins writes a `failed` event into the folder that was created for it, and no other', async () => {
  place.run('made/run', { model: './none' });
  const run = place.file('made', 'run.json');
  await tunewright(['train', run, '--out', place.file('made')]);
  expect(place.events('made')).toMatchObject([
    { type: 'failed', code: 'model_not_found', step: 0, last_checkpoint: null },
  ]);

  // The folder has a run now: a later failure is not written into it.
  const again = await tunewright(['train', run, '--out', place.file('made')]);
  expectRefusal(again, 'not empty');
  expect(place.events('made')).toHaveLength(1);
});
