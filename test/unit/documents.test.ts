// Comments and documents name files that exist. A file that was moved or renamed is found here by those who still name it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .filter(file => existsSync(file));
const names = new Set(tracked.map(file => basename(file)));

/** Files of other projects, and a name that is only an example. */
const OF_OTHERS = new Map([
  ['convert_lora_to_gguf.py', 'llama.cpp'],
  ['base.py', 'llama.cpp'],
  ['tensor_mapping.py', 'gguf-py'],
  ['metadata.py', 'gguf-py'],
  ['vocab.py', 'gguf-py'],
  ['utility.py', 'gguf-py'],
  ['utils.py', 'mlx-lm'],
  ['lora.py', 'mlx-lm'],
  ['camelCase.ts', 'an example'],
  ['program.py', 'an example'],
]);

/** What of a file is text for people: all of a document, the comments of a source. */
function prose(file: string): string {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.md')) return text;
  return (text.match(/(?<=^|\s)\/\/.*|\/\*\*[\s\S]*?\*\//gm) ?? []).join('\n');
}

test('every source file that a comment or document names exists', () => {
  const dead: string[] = [];
  for (const file of tracked.filter(name => /\.(ts|mts|mjs|md)$/.test(name)))
    for (const [named] of prose(file).matchAll(/(?<![\w/.*-])(?:[\w-]+\/)*[\w-]+\.(?:ts|mts|mjs|py)(?![\w-])/g))
      if (!names.has(basename(named)) && !OF_OTHERS.has(basename(named))) dead.push(`${file} names ${named}`);
  expect(dead).toEqual([]);
});

test('every link between documents leads to a file, and to a heading where it names one', () => {
  const dead: string[] = [];
  for (const file of tracked.filter(name => name.endsWith('.md')))
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
      const [path, heading] = target!.split('#') as [string, string?];
      const linked = path === '' ? file : join(dirname(file), path);
      if (!existsSync(linked)) dead.push(`${file} links to ${target}`);
      else if (heading && !headings(linked).has(heading)) dead.push(`${file} links to ${target}`);
    }
  expect(dead).toEqual([]);
});

/** Anchors of a document's headings, as GitHub makes them. */
function headings(file: string): Set<string> {
  const lines = readFileSync(file, 'utf8').match(/^#+ .*$/gm) ?? [];
  return new Set(
    lines.map(line =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}
