// What gguf-py reads in names of models, and how it names files (test/fixtures/gguf/make_names.py).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ggufFileName,
  modelIdParts,
  sizeLabel,
  titleOf,
  type ModelIdParts,
} from '../../../../extension/src/core/exports/modelNames.js';

interface Recorded {
  names: { id: string; parameters: number; parts: ModelIdParts; title: string; files: string[] }[];
  sizes: Record<string, string>;
}

const { names, sizes } = JSON.parse(
  readFileSync(new URL('../../../fixtures/gguf/names.json', import.meta.url), 'utf8'),
) as Recorded;

describe.each(names)('$id of $parameters parameters', ({ id, parameters, parts, title, files }) => {
  it('is split', () => expect(modelIdParts(id, parameters)).toEqual(parts));
  it('has a title', () => expect(titleOf(parts.fullName!)).toBe(title));
  it('names its files', () => {
    const named = ['Q4_K_M', 'f16', null].map(type =>
      ggufFileName({ name: title, ...parts, type, isAdapter: parameters < 0 }),
    );
    expect(named).toEqual(files);
  });
});

it.each(Object.entries(sizes))('%s parameters', (count, label) => expect(sizeLabel(Number(count))).toBe(label));
