// Numeric options of every command: what they refuse, and that the message says what they take.
import type { Command, Option } from 'commander';
import { expect, it, test } from 'vitest';
import { engineOf, portNumber } from '../../../../extension/src/engine/cli/engineOptions.js';
import { tunewrightProgram } from '../../../../extension/src/engine/cli/program.js';

const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

/** Options whose argument is a number, by its name in the help. */
const NUMBERS = /<(count|tokens|r|t|p|n)>$/;
const numeric = leaves(tunewrightProgram()).flatMap(command =>
  command.options
    .filter(({ flags }) => NUMBERS.test(flags))
    .map(option => [`${command.name()} ${option.flags}`, option] as const),
);

const parse = ({ parseArg }: Option, text: string): unknown => parseArg!(text, undefined);

it.each(numeric)('%s', (_, option) => {
  expect(option.parseArg, 'an option with a number needs one of the parsers of engineOptions.ts').toBeDefined();
  for (const text of ['', ' ', 'nonsense', '-1', '-0.5', 'NaN', 'Infinity', '1e999', '8 9', '1,5', 'null'])
    expect(() => parse(option, text), text).toThrow(/^must be a (whole )?number (of at least|above|from) /);
  if (option.defaultValue !== undefined) expect(parse(option, String(option.defaultValue))).toBe(option.defaultValue);
});

test('no other option takes a number', () => {
  const others = leaves(tunewrightProgram()).flatMap(command => command.options.filter(({ parseArg }) => parseArg));
  // `choices` sets a parser as well.
  const unknown = others.filter(({ flags, argChoices }) => !NUMBERS.test(flags) && !argChoices);
  expect(new Set(unknown.map(({ flags }) => flags))).toEqual(
    new Set(['--max-shard-size <size>', '--gpu-adapter <name or index>']),
  );
});

test('a GPU is an index or a name', () => {
  const bench = leaves(tunewrightProgram()).find(command => command.name() === 'bench')!;
  const option = bench.options.find(({ long }) => long === '--gpu-adapter')!;
  expect(['0', '12', 'NVIDIA', '3090 Ti'].map(text => parse(option, text))).toEqual([0, 12, 'NVIDIA', '3090 Ti']);
  expect(() => parse(option, '')).toThrow('must be a name, a part of one, or an index');
});

test('a size has a unit', () => {
  const merge = leaves(tunewrightProgram()).find(command => command.name() === 'merge')!;
  const option = merge.options.find(({ long }) => long === '--max-shard-size')!;
  for (const text of ['5GB', '1.5 mb']) expect(parse(option, text)).toBe(text);
  for (const text of ['5', '0GB', '-1GB', 'GB', '5GiBs', ''])
    expect(() => parse(option, text), text).toThrow('must be text such as 500MB or 5GB');
});

test.each([
  ['--temperature', ['0', '0.7', '2'], ['-3', '-0.1'], 'a number of at least 0'],
  ['--top-p', ['0.01', '1'], ['0', '7', '1.01', '-0.5'], 'a number above 0 and up to 1'],
  ['--max-new-tokens', ['1', '512'], ['0', '-1', '1.5'], 'a whole number of at least 1'],
  ['--seed', ['0', '42'], ['-1', '0.5', '1e300'], 'a whole number of at least 0'],
  ['--threads', ['1', '64'], ['0', '-2', '1.5', '1e9'], 'a whole number from 1 to 1024'],
])('generate %s', (name, taken, refused, words) => {
  const [, option] = numeric.find(([title]) => title.startsWith(`generate ${name} `))!;
  for (const text of taken) expect(parse(option, text)).toBe(Number(text));
  for (const text of refused) expect(() => parse(option, text), text).toThrow(`must be ${words}`);
});

test('every command that takes a backend takes a GPU, by its name or its index', () => {
  const computing = leaves(tunewrightProgram()).filter(({ options }) =>
    options.some(({ long }) => long === '--backend'),
  );
  expect(computing.map(command => command.name())).toEqual(
    expect.arrayContaining(['generate', 'chat', 'serve', 'evaluate', 'bench', 'export', 'merge']),
  );
  for (const command of computing) {
    const option = command.options.find(({ long }) => long === '--gpu-adapter')!;
    expect(option, command.name()).toBeDefined();
    expect(option.description).toContain('engine status');
    expect(parse(option, '1')).toBe(1);
    expect(parse(option, ' NVIDIA L4 ')).toBe('NVIDIA L4');
    expect(() => parse(option, ' ')).toThrow('must be a name, a part of one, or an index');
  }
});

test('engine options become the engine block of a run file', () => {
  expect(engineOf({ backend: 'auto' })).toEqual({ backend: 'auto', adapter: null, threads: null });
  expect(engineOf({ backend: 'webgpu', gpuAdapter: 'AMD', threads: 2 })).toEqual({
    ...{ backend: 'webgpu', adapter: 'AMD', threads: 2 },
  });
});

test('a port is a whole number from 0 to 65535', () => {
  for (const text of ['0', '8080', '65535']) expect(portNumber(text)).toBe(Number(text));
  for (const text of ['-1', '65536', '80.5', ''])
    expect(() => portNumber(text), text).toThrow(/must be a whole number .*65,?535/);
});
