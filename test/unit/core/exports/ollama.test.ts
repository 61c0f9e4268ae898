// Names, addresses and files as Ollama reads them. The addresses are the table of its own envconfig/config_test.go, with what
// ConnectableHost makes of unspecified ones.
import { describe, expect, it } from 'vitest';
import {
  isSince,
  modelfile,
  ollamaAddress,
  ollamaName,
  proposedName,
  unmistakable,
} from '../../../../extension/src/core/exports/ollama.js';
import { JinjaTemplate } from '../../../../extension/src/core/text/jinja/jinjaTemplate.js';
import { TemplateError } from '../../../../extension/src/core/text/jinja/templateError.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { recordedChats, recordedTemplate } from '../../../support/recordedChats.js';

describe('ollamaAddress', () => {
  it.each([
    [undefined, 'http://127.0.0.1:11434'],
    ['', 'http://127.0.0.1:11434'],
    ['1.2.3.4', 'http://1.2.3.4:11434'],
    [':1234', 'http://127.0.0.1:1234'],
    ['1.2.3.4:1234', 'http://1.2.3.4:1234'],
    ['example.com', 'http://example.com:11434'],
    ['example.com:1234', 'http://example.com:1234'],
    ['example.com:0', 'http://example.com:0'],
    ['example.com:66000', 'http://example.com:11434'],
    ['example.com:-1', 'http://example.com:11434'],
    ['example.com:', 'http://example.com:11434'],
    ['[::1]', 'http://[::1]:11434'],
    ['[::]:1337', 'http://[::1]:1337'],
    ['[0001:002:003:0004::1]', 'http://[0001:002:003:0004::1]:11434'],
    ['[0001:002:003:0004::1]:1337', 'http://[0001:002:003:0004::1]:1337'],
    [' 1.2.3.4 ', 'http://1.2.3.4:11434'],
    ['"1.2.3.4"', 'http://1.2.3.4:11434'],
    ['" 1.2.3.4 "', 'http://1.2.3.4:11434'],
    ["'1.2.3.4'", 'http://1.2.3.4:11434'],
    ['0.0.0.0', 'http://127.0.0.1:11434'],
    ['::', 'http://[::1]:11434'],
    ['::1', 'http://[::1]:11434'],
    ['http://1.2.3.4', 'http://1.2.3.4:80'],
    ['http://1.2.3.4/', 'http://1.2.3.4:80'],
    ['https://1.2.3.4', 'https://1.2.3.4:443'],
    ['https://1.2.3.4:1234', 'https://1.2.3.4:1234'],
    ['https://example.com/ollama', 'https://example.com:443/ollama'],
    ['example.com/ollama/', 'http://example.com:11434/ollama'],
    ['ollama.com', 'https://ollama.com:443'],
  ])('%j is %s', (value, url) => {
    expect(ollamaAddress(value).url).toBe(url);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.8.0.3:1', true],
    ['localhost', true],
    ['dev.localhost:80', true],
    ['0.0.0.0', true],
    ['[::ffff:127.0.0.1]:11434', true],
    ['', true],
    ['10.0.0.5', false],
    ['gpu-box:11434', false],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['https://ollama.com', false],
  ])('%j is on this machine: %s', (value, isLoopback) => {
    expect(ollamaAddress(value).isLoopback).toBe(isLoopback);
  });

  it.each(['ftp://1.2.3.4', '%%%', 'a b'])('refuses other schemes, and what is no address: %s', async value => {
    expect((await inputErrorOf(() => ollamaAddress(value))).record()).toMatchObject({ key: 'OLLAMA_HOST' });
  });
});

describe('ollamaName', () => {
  it.each([
    ['pirate', 'pirate:latest'],
    ['pirate:v2', 'pirate:v2'],
    ['me/pirate', 'me/pirate:latest'],
    ['registry.example.com:5000/me/pirate:q4_k_m', 'registry.example.com:5000/me/pirate:q4_k_m'],
    ['SmolLM2-135M_x.y', 'SmolLM2-135M_x.y:latest'],
  ])('%s is %s', (text, name) => {
    expect(ollamaName(text)).toBe(name);
  });

  it.each([
    '',
    ':',
    'a b',
    '-a',
    '.a',
    'a/',
    '/a',
    'a//b',
    'a/b/c/d',
    'a:',
    'a:b:c',
    'a@b',
    'ä',
    'n.s/m',
    'x'.repeat(81),
    'a\nb',
  ])('refuses %j', async text => {
    expect((await inputErrorOf(() => ollamaName(text))).record()).toMatchObject({ key: '--name' });
  });

  it.each(['a:cloud', 'a:7b-cloud', 'a:Local'])('refuses %s, whose tag has a meaning', async text => {
    expect((await inputErrorOf(() => ollamaName(text))).message).toContain('meaning of its own');
  });
});

it.each([
  ['Support Tone', 'support-tone'],
  ['SmolLM2-135M-Instruct', 'smollm2-135m-instruct'],
  ['größe & maß', 'gro-e-ma'],
  ['../etc', 'etc'],
  ['模型', 'model'],
  ['_x_', '_x_'],
  ['x'.repeat(100), 'x'.repeat(80)],
])('proposes a name for %j', (text, name) => {
  expect(proposedName(text)).toBe(name);
  expect(ollamaName(name)).toBe(`${name}:latest`);
});

it.each([
  ['0.5.4', '0.5.5', false],
  ['0.5.5', '0.5.5', true],
  ['0.5.5-rc0', '0.5.5', true],
  ['0.10.0', '0.5.5', true],
  ['1.0.0', '0.30.0', true],
  ['0.29.9', '0.30.0', false],
  ['0.0.0', '0.30.0', true],
  ['v0.24.0', '0.30.0', false],
  ['main', '0.30.0', true],
])('%s is since %s: %s', (version, since, expected) => {
  expect(isSince(version, since)).toBe(expected);
});

describe('modelfile', () => {
  it('names the file, the stops and other parameters, and no template', () => {
    const text = modelfile('/m/my model.gguf', { stop: ['<|im_end|>', ' x"'], repeat_penalty: 1 });
    expect(text).toBe(
      'FROM """/m/my model.gguf"""\nPARAMETER stop """<|im_end|>"""\nPARAMETER stop """ x""""\nPARAMETER repeat_penalty 1\n',
    );
  });

  it.each(['a\nb', 'a\tb', 'a\u200bb', 'a\u00a0b'])(
    'refuses %j, of which Ollama would drop a character',
    async stop => {
      expect((await inputErrorOf(() => modelfile('/m/a.gguf', { stop: [stop] }))).hint).toContain('ollama serve');
    },
  );
});

describe('unmistakable', () => {
  // Jinja2 3.1 in Transformers' environment renders all 588 pairs of these templates and conversations alike, too.
  it.each(Object.keys(recordedChats.results))('renders %s as before', name => {
    const source = recordedTemplate(name);
    const marked = unmistakable(source) as string;
    expect(marked.length).toBeGreaterThanOrEqual(source.length + 100);
    const [before, after] = [source, marked].map(text => new JinjaTemplate(text));
    const variables = { ...recordedChats.special_tokens, documents: null, tools: null, add_generation_prompt: true };
    for (const chat of Object.values(recordedChats.chats)) {
      const rendered = [before, after].map(template => {
        try {
          return template!.render({ ...variables, ...chat }).text;
        } catch (error) {
          if (error instanceof TemplateError) return 'rejected';
          throw error;
        }
      });
      expect(rendered[1]).toBe(rendered[0]);
    }
  });

  it('is at least 100 edits away from any template without a tilde', () => {
    const marked = unmistakable('{{ messages[0].content }}') as string;
    expect(marked.match(/~/g)!.length).toBeGreaterThanOrEqual(100);
    expect(unmistakable(marked)).toBe(marked);
  });

  it('marks the end of a template that begins with white space, and none that ends with it, too', () => {
    expect(unmistakable('\n{{ x }}')).toMatch(/^\n\{\{ x \}\}\{#/);
    expect(unmistakable(' {{ x }} ')).toBe(' {{ x }} ');
  });

  it('marks the default of named templates only', () => {
    const named = [
      { name: 'default', template: '{{ x }}' },
      { name: 'tool_use', template: '{{ y }}' },
    ];
    const [first, second] = unmistakable(named) as typeof named;
    expect(first!.template).toMatch(/~{100} #\}\{\{ x \}\}$/);
    expect(second).toEqual(named[1]);
    expect(unmistakable(null)).toBe(null);
  });
});
