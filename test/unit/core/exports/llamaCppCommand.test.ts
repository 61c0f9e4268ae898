// Commands for llama.cpp: the options by what was exported, and names that a shell passes on unchanged (checked by a real sh).
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  commandOfExport,
  llamaCppCommand,
  quoted,
  type LlamaCppUse,
} from '../../../../extension/src/core/exports/llamaCppCommand.js';

const use: LlamaCppUse = { program: 'llama-cli', model: '/m/tone.gguf', hasChatTemplate: true, shell: 'posix' };

describe('llamaCppCommand', () => {
  it.each<[string, Partial<LlamaCppUse>, string]>([
    ['a conversation', {}, 'llama-cli -m /m/tone.gguf --jinja -cnv'],
    ['a server', { program: 'llama-server' }, 'llama-server -m /m/tone.gguf --jinja'],
    ['an adapter', { lora: 'my lora.gguf' }, "llama-cli -m /m/tone.gguf --lora 'my lora.gguf' --jinja -cnv"],
    [
      'an adapter on a server',
      { program: 'llama-server', lora: 'a.gguf' },
      'llama-server -m /m/tone.gguf --lora a.gguf --jinja',
    ],
    [
      'a model without a template',
      { hasChatTemplate: false },
      "llama-completion -m /m/tone.gguf -no-cnv -p 'Once upon a time'",
    ],
    [
      'a server without a template',
      { program: 'llama-server', hasChatTemplate: false },
      'llama-server -m /m/tone.gguf',
    ],
    ['a name like an option', { model: '-x.gguf' }, 'llama-cli -m ./-x.gguf --jinja -cnv'],
    [
      'a Windows path',
      { model: 'C:\\Users\\Jo\\tone.gguf', shell: 'powershell' },
      'llama-cli -m C:\\Users\\Jo\\tone.gguf --jinja -cnv',
    ],
    [
      'a Windows path with a space',
      { model: 'C:\\Users\\Jo O’Neil\\it’s.gguf', shell: 'powershell' },
      "llama-cli -m 'C:\\Users\\Jo O’’Neil\\it’’s.gguf' --jinja -cnv",
    ],
  ])('%s', (_, given, command) => {
    expect(llamaCppCommand({ ...use, ...given })).toBe(command);
  });
});

describe('commandOfExport', () => {
  const options = { program: 'llama-server', shell: 'posix' } as const;
  it.each([
    [{ path: '/m/a.gguf', llama_cpp: { base: null, has_chat_template: true } }, 'llama-server -m /m/a.gguf --jinja'],
    [
      { path: '/m/a.gguf', llama_cpp: { base: '/m/b.gguf', has_chat_template: false } },
      'llama-server -m /m/b.gguf --lora /m/a.gguf',
    ],
    [{ path: '/m/folder' }, null],
    [{ path: null, llama_cpp: { base: null, has_chat_template: true } }, null],
  ])('of %j is %s', (exported, command) => {
    expect(commandOfExport(exported, options)).toBe(command);
  });
});

const names = [
  'plain.gguf',
  'two words.gguf',
  "it's.gguf",
  '"quoted".gguf',
  '$HOME.gguf',
  '`id`.gguf',
  '$(id).gguf',
  'back\\slash.gguf',
  '~/home.gguf',
  '*.gguf',
  'a;b&c|d.gguf',
  '#hash.gguf',
  '!history.gguf',
  'line\nend.gguf',
  'größe-模型.gguf',
  '{a,b}.gguf',
  '=ls',
  "''",
];

describe('quoted', () => {
  it.each(names)('a POSIX shell passes on %j', name => {
    const printed = execFileSync('/bin/sh', ['-c', `printf %s ${quoted(name, 'posix')}`], { encoding: 'utf8' });
    expect(printed).toBe(name);
  });

  // As about_Quoting_Rules says: within apostrophes only apostrophes, of any kind, are doubled.
  it.each([
    ["it's.gguf", "'it''s.gguf'"],
    ['it’s.gguf', "'it’’s.gguf'"],
    ['$env:HOME.gguf', "'$env:HOME.gguf'"],
    ['a`nb.gguf', "'a`nb.gguf'"],
    ['@args', "'@args'"],
    ['a,b.gguf', "'a,b.gguf'"],
    ['-x.gguf', "'-x.gguf'"],
    ['--lora', '--lora'],
    ['(x).gguf', "'(x).gguf'"],
    ['~/x.gguf', "'~/x.gguf'"],
    ['größe.gguf', "'größe.gguf'"],
  ])('PowerShell passes on %j', (name, word) => {
    expect(quoted(name, 'powershell')).toBe(word);
  });
});
