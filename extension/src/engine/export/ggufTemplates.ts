// Chat templates as GGUF metadata: the default one, and others under their names. Called when a model is written as GGUF.
import { namedTemplates } from '../../core/text/namedTemplates.js';
import type { GgufTypedValue } from '../files/ggufWriter.js';

/** @param template chat_template of a tokenizer's config: a text, or named texts */
export function templateMetadata(template: unknown): Map<string, GgufTypedValue> {
  const named = namedTemplates(template);
  const metadata = new Map<string, GgufTypedValue>();
  const plain = new Map(named.map(({ name, template }) => [plainName(name), template]));
  const others = [...plain.keys()].filter(name => name !== 'default');
  if (others.length > 0)
    metadata.set('tokenizer.chat_templates', {
      type: 'array',
      items: others.map(value => ({ type: 'string', value })),
    });
  for (const [name, value] of plain) {
    const key = name === 'default' ? 'tokenizer.chat_template' : `tokenizer.chat_template.${name}`;
    metadata.set(key, { type: 'string', value });
  }
  return metadata;
}

/** As gguf-py writes names into keys: of two names that become the same, the last one counts. */
function plainName(name: string): string {
  return name.replace(/[^A-Za-z0-9]/gu, '_');
}
