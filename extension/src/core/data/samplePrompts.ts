// Prompts that show what a run changes, taken from its training rows: of a chat the first user message, of a completion its
// prompt. Used where a run is put together by quick picks; a run file lists its own.
import { chooseFormat, exampleOf } from './chooseFormat.js';
import type { Example, Row } from './example.js';

/** In characters; longer prompts show more of the prompt than of the model. */
const LONGEST = 300;

/** @param rows the first of a dataset @returns at most `count`; none if the rows have no prompts */
export function samplePrompts(rows: readonly Row[], count: number): string[] {
  const resolved = chooseFormat(rows);
  if (!resolved) return [];
  const prompts = rows.flatMap(row => {
    const example = exampleOf(row, resolved);
    // Invalid rows are reported by the preview and by the run.
    return example ? promptOf(example) : [];
  });
  return [...new Set(prompts.map(prompt => prompt.trim()))]
    .filter(prompt => prompt !== '' && prompt.length <= LONGEST)
    .slice(0, count);
}

function promptOf(example: Example): string[] {
  if (example.kind === 'completion') return [example.prompt];
  if (example.kind !== 'chat') return [];
  return example.messages
    .filter(message => message.role === 'user')
    .slice(0, 1)
    .map(message => message.content ?? '');
}
