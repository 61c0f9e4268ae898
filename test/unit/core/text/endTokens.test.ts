import { describe, expect, test } from 'vitest';
import { endTokenIds } from '../../../../extension/src/core/text/endTokens.js';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { fixtureTokenizer } from './tokenizerFixtures.js';

const smollm = fixtureTokenizer('smollm');
const [endOfText, imEnd] = ['<|endoftext|>', '<|im_end|>'].map(token => smollm.tokenToId(token)!) as [number, number];
/** A base model: eos ends texts, the template ends turns with another token. */
const base: TextTokenizer = { ...smollm, eosTokenId: endOfText };
const ends = (chatTemplate: string | null, configured: unknown = endOfText) =>
  endTokenIds({ ...base, chatTemplate }, configured);

describe('endTokenIds', () => {
  test('eos first, then generation_config.json, then the end of the turn, each once', () => {
    expect(ends(smollm.chatTemplate)).toEqual([endOfText, imEnd]);
    expect(ends(smollm.chatTemplate, [7, endOfText])).toEqual([endOfText, 7, imEnd]);
    expect(endTokenIds(smollm, imEnd)).toEqual([imEnd]);
    expect(ends(null)).toEqual([endOfText]);
    expect(ends(null, null)).toEqual([endOfText]);
  });

  const turns = (closing: string, calls = '') =>
    `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}${calls}${closing}{% endfor %}`;

  test.each([
    ['white space after the token', turns('<|im_end|>\\n'), [imEnd]],
    ['eos once at the end', turns('<|im_end|>\n') + '{{ eos_token }}', [imEnd]],
    ['only between turns', turns('{% if not loop.last %}<|im_end|>{% endif %}'), []],
    [
      'a call that ends in another way',
      turns(
        '{% if not m.tool_calls %}<|im_end|>{% endif %}',
        '{% for c in m.tool_calls %}{{ c.function.name }}<|im_start|>{% endfor %}',
      ),
      [imEnd, smollm.tokenToId('<|im_start|>')!],
    ],
    ['no end', turns('\n'), []],
    ['a template that fails', "{{ raise_exception('no') }}", []],
  ])('%s', (_title, template, found) => {
    expect(ends(template)).toEqual([endOfText, ...found]);
  });

  test('Llama 3 ends calls of built-in tools with <|eom_id|>', () => {
    const llama = fixtureTokenizer('llama3');
    const id = llama.tokenToId('<|eom_id|>');
    const withToken: TextTokenizer = {
      ...llama,
      tokenToId: token => (token === '<|eom_id|>' ? 42 : llama.tokenToId(token)),
    };
    const template =
      '{% for m in messages %}{{ m.content }}{% if builtin_tools is defined %}<|eom_id|>{% else %}<|eot_id|>{% endif %}{% endfor %}';
    expect(endTokenIds({ ...withToken, chatTemplate: template }, null)).toContain(id ?? 42);
  });
});
