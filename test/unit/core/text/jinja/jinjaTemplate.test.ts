import { describe, expect, test } from 'vitest';
import { JinjaTemplate } from '../../../../../extension/src/core/text/jinja/jinjaTemplate.js';
import type { TemplateError } from '../../../../../extension/src/core/text/jinja/templateError.js';
import { readPythonJson } from '../../../../support/pythonNumbers.js';

interface Snippet {
  group: string;
  template: string;
  /** What Python renders; absent if it fails. */
  output?: string;
  error?: string;
}

const stored = readPythonJson('test/fixtures/templates/snippets.json') as {
  context: Record<string, unknown>;
  snippets: Snippet[];
};

/** Templates that are errors here and not in Python, and why. None may render as another text. */
const REFUSED: Record<string, string> = {
  "{{ 'x'.encode('utf-8') }}": 'bytes',
  "{{ '١٢' | int }}": 'digits of other scripts',
  "{{ '<b>' | safe | trim }}": 'filters on texts marked as safe, which would have to mark their results',
};

const groups = [...new Set(stored.snippets.map(snippet => snippet.group))];

describe.each(groups)('%s: each template gives the text of Python, or fails as it does', group => {
  const snippets = stored.snippets.filter(snippet => snippet.group === group);
  test.each(snippets.map((snippet, i) => [i, snippet]))('%i $template', (_, { template, output }) => {
    const render = () => new JinjaTemplate(template).render(stored.context).text;
    if (output === undefined || template in REFUSED)
      expect(render).toThrow(expect.objectContaining({ name: 'TemplateError' }));
    else expect(render()).toBe(output);
  });
});

describe('JinjaTemplate', () => {
  const render = (source: string, variables = {}) => new JinjaTemplate(source).render(variables);

  test('numbers of JSON keep what Python makes of them', () => {
    const numbers = [1, 1.5, Object(1), 12345678901234567890n, -0, NaN, Infinity, 1e300];
    expect(render('{{ n }} {{ n | tojson }}', { n: numbers }).text).toBe(
      '[1, 1.5, 1.0, 12345678901234567890, -0.0, nan, inf, 1e+300] ' +
        '[1, 1.5, 1.0, 12345678901234567890, -0.0, NaN, Infinity, 1e+300]',
    );
  });

  test('a key without a value is absent', () => {
    expect(render('{{ m }}{{ x is defined }}', { m: { a: undefined, b: null }, x: undefined }).text).toBe(
      "{'b': None}False",
    );
  });

  test('generation marks are the spans of what their blocks wrote', () => {
    const { text, generations } = render(
      '{% for m in ms %}\n<{{ m }}>{% generation %}{{ m }}!\n{% endgeneration %}{% endfor %}',
      { ms: ['a', '😀'] },
    );
    expect(generations.map(({ start, end }) => text.slice(start, end))).toEqual(['a!\n', '😀!\n']);
  });

  test('errors have the line of the template', () => {
    const line = (source: string) => {
      try {
        render(source);
      } catch (error) {
        return (error as TemplateError).line;
      }
    };
    expect(line('a\n{% if x %}\n{{ 1 / 0 }}{% endif %}')).toBeUndefined();
    expect(line('a\n{% if true %}\n{{ 1 / 0 }}{% endif %}')).toBe(3);
    expect(line('a\r\n\r\n{{ 1 + }}')).toBe(3);
    expect(line("{{ 'a\nb' }}\n{{ x.y }}")).toBe(3);
  });

  test('a template may loop over the characters of a long chat', () => {
    const source = '{% for char in text %}{% if char is string and char == "y" %}{{ char }}{% endif %}{% endfor %}';
    expect(render(source, { text: `${'x'.repeat(800_000)}y` }).text).toBe('y');
  });

  test('the time is the given one, in English', () => {
    const date = new Date(2026, 0, 4, 5, 6, 7);
    const source = "{{ strftime_now('%A %a %d %-d %e %B %b %m %Y %y %H:%I:%M:%S %p %j %U %W %w %F %T') }}";
    expect(new JinjaTemplate(source).render({}, () => date).text).toBe(
      'Sunday Sun 04 4  4 January Jan 01 2026 26 05:05:06:07 AM 004 01 00 0 2026-01-04 05:06:07',
    );
    expect(() => render("{{ strftime_now('%Q') }}")).toThrow('%Q');
  });

  test.each<[string, string, RegExp]>([
    ['range(10 ** 9)', '{% for i in range(10 ** 9) %}{% endfor %}', /Range too big/],
    [
      'nested loops',
      '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}',
      /5 million steps/,
    ],
    ['a long text', "{{ 'a' * 10 ** 9 }}", /50 million characters/],
    [
      'doubled texts',
      "{% set ns = namespace(t='ab') %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
      /50 million/,
    ],
    [
      'doubled lists',
      '{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}',
      /a million items/,
    ],
    [
      'nested lists',
      '{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}',
      /million steps/,
    ],
    [
      'long output',
      "{% set t = 'a' * 10 ** 7 %}{% for i in range(9) %}{{ t }}{% endfor %}",
      /writes more than 5 million/,
    ],
    ['padding', "{{ '%999999999d' % 1 }}{{ 'a'.center(999999999) }}", /50 million characters/],
    ['replace', "{{ ('a' * 10 ** 6).replace('a', 'b' * 10 ** 6) }}", /50 million characters/],
    ['powers', '{{ 9 ** (9 ** 9) }}', /too large/],
    ['endless recursion', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', /150 deep/],
    ['a deep expression', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`, /nested/],
    ['a long output', "{{ '9' * 10 ** 7 }}", /writes more than 5 million/],
    ['many slices', '{{ range(9) | slice(2 * 10 ** 6) | list }}', /a million items/],
    ['a filled batch', "{{ [1] | batch(2 * 10 ** 6, 'x') | list }}", /a million items/],
    ['a long format', "{{ strftime_now('%c' * 10 ** 7) }}", /5 million steps/],
    ['a deep list', `{{ ${'['.repeat(1000)}${']'.repeat(1000)} }}`, /nested/],
  ])('%s ends by itself', (_, source, message) => {
    expect(() => render(source)).toThrow(message);
  });

  test.each([
    ['{{ [1, 2] | batch(0) | list }}', '[[], [1, 2]]'],
    ["{{ [1, 2] | batch(-2, 'x') | list }}", '[[1, 2]]'],
    ['{{ [] | batch(0) | list }}', '[]'],
    ['{{ [1, 2] | slice(-1) | list }}', '[]'],
  ])('%s is what Jinja2 3.1 makes of it', (source, text) => expect(render(source).text).toBe(text));

  test.each([
    ['{{ [1, 2] | slice(0) | list }}', /integer division or modulo by zero/],
    ["{{ '%c' % 1114112 }}", /%c arg not in range/],
    ["{{ '%c' % -1 }}", /%c arg not in range/],
    ["{{ '{:c}'.format(2 ** 40) }}", /%c arg not in range/],
  ])('%s fails as in Jinja2 3.1', (source, message) => expect(() => render(source)).toThrow(message));

  const uses = ['| truncate(9)', '| reverse', '| list', '| upper', '| trim', '[1:]', '[-1]', '.split()', "== t ~ ''"];
  test.each(uses)('a long text used without end ends by itself: %s', use => {
    const source = `{% set t = 'a ' * 10 ** 6 %}{% for i in range(10 ** 5) %}{% set x = t ${use} %}{% endfor %}`;
    expect(() => render(source)).toThrow(/5 million steps/);
  });
});
