// chat_template of a tokenizer's config: a text, or several with names, as Transformers reads them. Called by whatever reads, writes or
// changes templates.
import { isObject } from '../data/formats/rowFields.js';
import { unusable } from './tokenizerShape.js';
import type { TextTokenizer } from './textTokenizer.js';

export interface NamedTemplate {
  name: string;
  template: string;
}

/** A single template is named "default". Of two with one name the last counts. @throws InputError if it is neither a text nor named texts, or a name isn't one of a file */
export function namedTemplates(template: unknown): NamedTemplate[] {
  if (template === null || template === undefined) return [];
  if (typeof template === 'string') return [{ name: 'default', template }];
  const byName = isObject(template) ? Object.entries(template).map(([name, text]) => ({ name, template: text })) : null;
  const named: unknown[] = byName ?? (Array.isArray(template) ? template : [template]);
  if (!named.every(isNamedTemplate))
    throw wrong('must be a text, or a list whose items have a "name" and a "template"');
  const odd = named.find(({ name }) => !FILE_NAME.test(name));
  if (odd)
    throw wrong(`"${odd.name.slice(0, SHOWN)}" can’t be the name of a template: each is saved as a file of its name`);
  return [...new Map(named.map(entry => [entry.name, entry])).values()];
}

/** Before a run on it, not once its result is saved. */
const FILE_NAME = /^[^/\\\0]{1,60}$/;
const SHOWN = 60;

function wrong(message: string): Error {
  return unusable(message, 'chat_template', 'tokenizer_config.json');
}

function isNamedTemplate(entry: unknown): entry is NamedTemplate {
  return isObject(entry) && typeof entry.name === 'string' && typeof entry.template === 'string';
}

export function templatesOf(template: unknown): Pick<TextTokenizer, 'chatTemplate' | 'toolTemplate'> {
  const named = namedTemplates(template);
  const textOf = (name: string) => named.find(entry => entry.name === name)?.template ?? null;
  return { chatTemplate: textOf('default'), toolTemplate: textOf('tool_use') };
}
