// What is said of the file that a command is to write, before it does any work.
import { afterAll, expect, it } from 'vitest';
import { checkSecondFile } from '../../../../extension/src/engine/files/outputFile.js';
import { workplace } from '../../../support/cli.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const place = workplace();
afterAll(() => place.remove());

it('a second file may be new or replace another one, but neither its input nor a folder', async () => {
  const input = place.write('rows.jsonl', '{}');
  const other = place.write('other.xml', '');
  const check = (out: string) => checkSecondFile(out, input, '--junit');
  for (const out of [other, place.file('new.xml'), place.file('new', 'new.xml')]) check(out);
  for (const [out, message] of [
    [input, 'this is the file that is read'],
    [place.path, 'this is a folder'],
    [`${input}/x.xml`, 'a part of the path is a file, not a folder'],
  ] as const)
    expect((await inputErrorOf(() => check(out))).message).toBe(message);
});
