// Templates that would never end, or take all memory, end in an error that says what they do; real ones are not limited.
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../../../extension/src/core/inputError.js';
import { renderChat } from '../../../../../extension/src/core/text/chatTemplate.js';
import { JinjaTemplate } from '../../../../../extension/src/core/text/jinja/jinjaTemplate.js';
import { fixtureTokenizer } from '../tokenizerFixtures.js';

const tokenizer = fixtureTokenizer('smollm');
const doubling = (start: string, step: string) =>
  `{% set ns = namespace(x=${start}) %}` + step.repeat(60) + '{{ ns.x }}';
const nested = (levels: number, body: string) =>
  '{% for i in range(30) %}'.repeat(levels) + body + '{% endfor %}'.repeat(levels);
const long = "{% set ns = namespace(s='a') %}" + '{% set ns.s = ns.s ~ ns.s %}'.repeat(21) + '{% set s = ns.s %}';

const hostile: Record<string, [template: string, message: RegExp]> = {
  'a range of 10^9': ['{% for i in range(10**9) %}x{% endfor %}', /Range too big/],
  'a range without an end': ['{% for i in range(0, 10**400) %}x{% endfor %}', /Range too big/],
  'a range backwards': ['{{ range(10**9, 0, -1) | length }}', /Range too big/],
  'seven nested loops': [nested(7, 'x'), /5 million steps/],
  'nested loops without a body': [nested(7, ''), /5 million steps/],
  'nested loops over the messages': [
    '{% for a in messages %}'.repeat(40) + 'x' + '{% endfor %}'.repeat(40),
    /5 million steps/,
  ],
  'a doubled string': [doubling("'a'", '{% set ns.x = ns.x ~ ns.x %}'), /50 million characters/],
  'a doubled string with +': [doubling("'a'", '{% set ns.x = ns.x + ns.x %}'), /50 million characters/],
  'a doubled list': [doubling('[1]', '{% set ns.x = ns.x + ns.x %}'), /a million items/],
  'a list of lists, doubled': [doubling('[1]', '{% set ns.x = [ns.x, ns.x] %}'), /5 million steps/],
  'a mapping, doubled': [doubling('{}', "{% set ns.x = {'a': ns.x, 'b': ns.x} %}"), /5 million steps/],
  'a doubled block': [
    "{% set x = 'a' %}" + '{% set x %}{{ x }}{{ x }}{% endset %}'.repeat(60),
    /writes more than 5 million/,
  ],
  'namespaces in each other': [
    '{% set n0 = namespace() %}' +
      Array.from({ length: 60 }, (_, i) => `{% set n${i + 1} = namespace(a=n${i}, b=n${i}) %}`).join('') +
      '{{ n60 }}',
    /5 million steps/,
  ],
  'a namespace in itself': ['{% set n = namespace() %}{% set n.n = n %}{{ n }}', /nested too deep/],
  'a macro that calls itself': ['{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', /nested more than 150 deep/],
  'a macro that calls itself twice': [
    '{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}',
    /5 million steps/,
  ],
  'a very long text': [`${long}{% for i in range(100) %}{{ s }}{% endfor %}`, /writes more than 5 million/],
  'many long texts': [`${long}{% for i in range(1000) %}{% set t = s ~ i %}{% endfor %}`, /5 million steps/],
  'a replacement that multiplies': [`${long}{{ s.replace('a', s) }}`, /50 million characters/],
  'a replacement of nothing': [`${long}{{ s.replace('', s) }}`, /50 million characters/],
  'a method under another name': [`${long}{% set f = s.replace %}{{ f('a', s) }}`, /50 million characters/],
  'a computed method': [`${long}{{ s['rep' ~ 'lace']('a', s) }}`, /50 million characters/],
  'a spread argument': [`${long}{{ s.replace(*['a', s]) }}`, /50 million characters/],
  'a wide indent': ["{{ ('a\n' ~ 'b')|indent(10**9) }}", /50 million characters/],
  'a wide indent by name': ["{{ 'a\nb'|indent(**{'width': 10**9}) }}", /50 million characters/],
  'a filter block': [`${long}{% filter indent(10**8) %}{{ s }}{% endfilter %}`, /50 million characters/],
  'a long separator': [`${long}{{ range(1000)|join(s) }}`, /too large/],
  'wide JSON': ['{{ messages|tojson(indent=10**9) }}', /50 million characters/],
  'a search that takes for ever': [
    `${long}{% set half = s[:1000000] %}{{ (half ~ 'b' ~ half) in (s ~ s) }}`,
    /5 million steps/,
  ],
  'parentheses without end': [`{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`, /nested too deep/],
  'blocks without end': ['{% if 1 %}'.repeat(20_000) + '{% endif %}'.repeat(20_000), /nested too deep/],
};

describe('a hostile template', () => {
  test.each(Object.entries(hostile))('%s', { timeout: 120_000 }, (_, [template, message]) => {
    const messages = [1, 2].map(() => ({ role: 'user' as const, content: 'Hi' }));
    const render = () => renderChat(tokenizer, messages, { template });
    expect(render).toThrow(expect.toSatisfy(error => error instanceof InputError && message.test(error.message)));
  });
});

test('a template that takes too many steps again and again is not tried any more', () => {
  const source = "{% if messages[0].content == 'much' %}" + nested(7, 'x') + '{% else %}little{% endif %}';
  const template = new JinjaTemplate(source);
  const render = (content: string) => template.render({ messages: [{ role: 'user', content }] }).text;
  expect(() => render('much')).toThrow(/takes more than 5 million steps/);
  expect(render('Hi')).toBe('little');
  for (let i = 0; i < 2; i++) expect(() => render('much')).toThrow(/takes more than 5 million steps/);
  expect(() => render('Hi')).toThrow(/took more than 5 million steps 3 times/);
});

describe('no limit for real chats', () => {
  test('the largest range that Transformers allows', () => {
    const template = '{{ range(100000)|length }}{{ range(3, -3, -2)|join(",") }}{{ range(5, 5)|length }}';
    expect(renderChat(tokenizer, [{ role: 'user', content: 'Hi' }], { template })).toBe('1000003,1,-10');
  });

  test('a chat of 10 MB, every message of which is used often', () => {
    const content = 'Some words of a long message.\n'.repeat(35_000);
    const messages = Array.from({ length: 10 }, () => ({ role: 'user' as const, content }));
    const template =
      "{% for m in messages %}{% if '</think>' not in m.content %}{{ m.content.split('</think>')[-1]|trim }}" +
      "{{ m.content.replace('words', 'words and words')|length }}{% endif %}{% endfor %}";
    const text = renderChat(tokenizer, messages, { template });
    expect(text.length).toBeGreaterThan(10 * (content.length - 1));
  });

  test('a chat of 2,000 turns with a look at its neighbours', () => {
    const messages = Array.from({ length: 2000 }, (_, i) => ({ role: 'user' as const, content: `${i}` }));
    const template =
      '{% for m in messages %}{% if loop.first or messages[loop.index0 - 1].content != m.content %}{{ m.content }}' +
      '{% endif %}{% endfor %}{{ (messages[1:]|tojson)|length }}';
    expect(renderChat(tokenizer, messages, { template })).toMatch(/^01234/);
  });
});
