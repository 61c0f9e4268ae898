// The model card (README.md) of a model folder: which model it was made from, in the metadata that the Hugging Face Hub reads.
// Written with a model by writeModelFolder.ts, read when models are listed.
import { join } from 'node:path';
import { parseJson } from '../../core/data/formats/rowFields.js';
import { readText } from '../../system/regularFile.js';

export const MODEL_CARD = 'README.md';
const MAX_CARD_BYTES = 1 << 20;

/** @param base as the user named it */
export function modelCard(base: string): string {
  return `---
base_model: ${JSON.stringify(base)}
base_model_relation: finetune
library_name: transformers
pipeline_tag: text-generation
---

Made from \`${base}\` with Tunewright.
`;
}

/** The first model named as base; null without a card that names one. */
export function baseModelOf(folder: string): string | null {
  return valueInCard(folder, 'base_model');
}

/** Its licence, such as `apache-2.0`, or name and address of one that has no short name; null without a card that says so. */
export function licenceOf(folder: string, key: 'license' | 'license_name' | 'license_link' = 'license'): string | null {
  return valueInCard(folder, key);
}

/** The text of a key in the metadata, or the first of a list. */
function valueInCard(folder: string, key: string): string | null {
  const text = cardText(folder);
  const metadata = /^\uFEFF?---\r?\n([^]*?)\r?\n---/.exec(text)?.[1] ?? '';
  const pattern = new RegExp(`^${key}:[ \\t]*(?:\\r?\\n[ \\t]*-[ \\t]+)?(.+?)[ \\t]*$`, 'm');
  const named = pattern.exec(metadata)?.[1]?.trim() ?? '';
  return unquoted(named) || null;
}

/** A YAML scalar; in double quotes it is written as in JSON. */
function unquoted(text: string): string {
  if (/^'.*'$/.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  const value = /^".*"$/.test(text) ? parseJson(text) : text;
  return typeof value === 'string' ? value : '';
}

function cardText(folder: string): string {
  try {
    return readText(join(folder, MODEL_CARD), 'follow', MAX_CARD_BYTES) ?? '';
  } catch {
    // Not a file, or an enormous one: no card.
    return '';
  }
}
