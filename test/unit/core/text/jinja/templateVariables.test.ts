// The variables that templates read, beside those that Jinja2 itself finds undeclared (test/fixtures/templates/record_variables.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { templateVariables } from '../../../../../extension/src/core/text/chatTemplate.js';
import { JinjaTemplate } from '../../../../../extension/src/core/text/jinja/jinjaTemplate.js';
import { fixtureTokenizer } from '../tokenizerFixtures.js';

const fixtures = new URL('../../../../fixtures/templates/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, fixtures), 'utf8');
const undeclared = JSON.parse(read('variables.json')) as Record<string, string[]>;

describe.each(Object.entries(undeclared))('%s', (name, names) => {
  const source = read(`chats/${name}.jinja`);
  const found = new JinjaTemplate(source).variables;

  test('reads what Jinja2 finds, without what the template may have set before', () => {
    expect(found.filter(each => !names.includes(each))).toEqual([]);
    // Jinja2 also names what only one branch sets.
    for (const missing of names.filter(each => !found.includes(each)))
      expect(source).toMatch(new RegExp(`(set|for|macro|,) *${missing}\\b`));
  });
});

test.each([
  ['llama3_1', ['custom_tools', 'tools_in_user_message', 'date_string', 'builtin_tools']],
  ['llama3_2', ['custom_tools', 'tools_in_user_message', 'date_string']],
  ['qwen3', ['enable_thinking']],
  ['qwen3_5_think', ['add_vision_id', 'enable_thinking']],
  ['gptoss', ['builtin_tools', 'model_identity', 'reasoning_effort']],
  ['nemotron_3_nano', ['enable_thinking', 'truncate_history_thinking']],
  ['qwen2_5', []],
  ['mistral_nemo', []],
])('a caller may set %s: %j', (name, expected) => {
  const tokenizer = { ...fixtureTokenizer('smollm'), chatTemplate: read(`chats/${name}.jinja`) };
  expect(templateVariables(tokenizer).toSorted()).toEqual(expected.toSorted());
});

test.each([
  ['{{ a }}{% set a = 1 %}{{ a }}', ['a']],
  ['{% set a = 1 %}{{ a }}', []],
  ['{% for a, b in c %}{{ a ~ b ~ loop.index ~ d }}{% else %}{{ a }}{% endfor %}', ['c', 'd', 'a']],
  ['{% macro f(x, y=z) %}{{ x ~ y ~ caller() ~ varargs ~ kwargs }}{% endmacro %}{{ f(1) }}{{ g() }}', ['z', 'g']],
  ['{{ f() }}{% macro f() %}{{ q }}{% endmacro %}', ['q']],
  ['{% with a = b %}{{ a }}{% endwith %}{{ a }}', ['b', 'a']],
  ['{% set n = namespace(x=v) %}{% set n.x = w %}{{ n.x }}', ['v', 'w']],
  ['{{ {"k": a, b: 1}[c:d] ~ (e if f is g(h) else -i) ~ j|default(k, boolean=l) }}', [...'abcdefhijkl']],
  ['{% set x %}{{ y }}{% endset %}{% filter indent(w) %}{{ x }}{% endfilter %}', ['y', 'w']],
  ['{% if not a is defined %}{% set a = strftime_now("%d") %}{% endif %}{{ range(3) }}{{ none }}', ['a']],
])('%s', (source, names) => {
  expect(new JinjaTemplate(source).variables.toSorted()).toEqual(names.toSorted());
});
