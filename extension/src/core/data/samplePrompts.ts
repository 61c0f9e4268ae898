// Prompts to show what a run changes, taken from the rows it learns from: of a chat what the user says first, of a
// completion its prompt. Used where a run is put together by quick picks; whoever writes a run file names their own.
import { chooseFormat } from './chooseFormat.js';
import type { Example, Row } from './example.js';

/** Longer ones say more about the prompt than about the model. */
const LONGEST = 300;

/** @param rows the first of a data set @returns at most `count`, none where the rows have no prompts */
export function samplePrompts(rows: readonly Row[], count: number): string[] {
  const format = chooseFormat(rows, 'auto', {});
  if (!format) return [];
  const prompts = rows.flatMap((row, i) => {
    try {
      return promptOf(format.parse(row, { file: '', line: i + 1 }));
    } catch {
      // A row that is wrong is told by the preview and by the run.
      return [];
    }
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
    .map(message => message.content);
}
