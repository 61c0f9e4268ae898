// What a dataset row says, whichever format and file it is in, as text: rows with equal texts are one question with one answer. Its
// hash names the row that a row of a suite was made from.
import type { Example } from '../data/example.js';
import { isObject } from '../data/formats/rowFields.js';
import { writeJsonText } from '../data/jsonText.js';

/** Canonical JSON: sorted keys, white space around texts removed, and one kind of line ends, since copies of a file may have another. */
export function rowContent(example: Example): string {
  return writeJsonText(canonical(contentOf(example)));
}

function contentOf(example: Example): unknown {
  switch (example.kind) {
    case 'chat':
      return {
        messages: example.messages.map(({ noLoss: _noLoss, ...message }) => message),
        ...(example.tools && { tools: example.tools }),
      };
    case 'completion':
      return {
        messages: [
          { role: 'user', content: example.prompt },
          { role: 'assistant', content: example.completion },
        ],
      };
    case 'text':
      return { text: example.text };
    case 'tokenized':
      return { input_ids: example.inputIds };
    case 'preference':
      return contentOf(example.chosen);
  }
}

function canonical(value: unknown): unknown {
  if (typeof value === 'string') return value.trim().replaceAll('\r\n', '\n');
  if (Array.isArray(value)) return value.map(canonical);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, canonical(value[key])]),
  );
}
