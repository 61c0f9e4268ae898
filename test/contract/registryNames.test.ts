// Only its own file, its registry and the run file's schema know an entry of a registry by name; everywhere else,
// differences must be data of the entry. No entry is named here: a new method, family, format or objective is checked
// once it has a line in its registry.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { datasetFormats } from '../../extension/src/core/data/formats/registry.js';
import { checkTypes } from '../../extension/src/core/evaluation/checks/registry.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { peftMethods } from '../../extension/src/engine/peft/registry.js';
import { objectives } from '../../extension/src/engine/training/objectives/registry.js';

interface Registry {
  title: string;
  /** Folder of the entries' own files. */
  folder: string;
  names: readonly string[];
  /** Files in which the same words mean something else, and their meaning there. */
  others: Record<string, string>;
}

const registries: Registry[] = [
  {
    title: 'PEFT methods',
    folder: 'extension/src/engine/peft/',
    names: peftMethods.map(({ peftType }) => peftType),
    others: {
      'extension/src/protocol/runConfig.ts': 'lists the values of peft_type',
      'extension/src/engine/cli/inspectCommand.ts': 'PEFT’s second table of default targets',
    },
  },
  {
    title: 'model families',
    folder: 'extension/src/engine/models/families/',
    names: modelFamilies.map(({ modelType }) => modelType),
    others: {
      'extension/src/engine/bench/shapedModel.ts': 'a published model’s config.json',
      'extension/src/engine/files/ggufNames.ts': 'GGUF’s names of architectures, and their families',
      'extension/src/engine/files/ggufConfig.ts': 'GGUF’s names of architectures',
      'extension/src/engine/files/ggufTokenizer.ts': 'GGUF’s names of architectures and tokenizers',
      'extension/src/engine/files/ggufTokenizerMetadata.ts': 'GGUF’s names of tokenizers',
    },
  },
  {
    title: 'dataset formats',
    folder: 'extension/src/core/data/formats/',
    names: datasetFormats.map(({ name }) => name),
    others: {
      'extension/src/core/data/example.ts': 'kinds of Example',
      'extension/src/core/data/encodeExample.ts': 'kinds of Example',
      'extension/src/core/data/exampleText.ts': 'kinds of Example',
      'extension/src/core/data/emptyAnswer.ts': 'kinds of Example',
      'extension/src/core/data/maskedReason.ts': 'kinds of Example',
      'extension/src/core/data/rowAnalysis.ts': 'kinds of Example',
      'extension/src/core/data/appendedRow.ts': 'kinds of Example and of content',
      'extension/src/host/corrections/addRow.ts': 'a kind of source',
      'extension/src/host/corrections/corrections.ts': 'a kind of content',
      'extension/src/host/webviews/playgroundSession.ts': 'a kind of content',
      'extension/src/protocol/playgroundMessages.ts': 'a kind of content',
      'webview/src/playground/answerView.ts': 'a kind of content',
      'extension/src/core/data/roleOrder.ts': 'a field of chat rows',
      'extension/src/core/evaluation/rowContent.ts': 'kinds of Example',
      'extension/src/core/evaluation/suite.ts': 'keys of a suite’s row',
      'extension/src/core/evaluation/suiteSchema.ts': 'keys of a suite’s row',
      'extension/src/core/forms/formField.ts': 'a kind of form field',
      'extension/src/engine/training/objectives/causalLm.ts': 'kinds of Example',
      'extension/src/engine/serve/requests.ts': 'a parameter and a type of content parts in OpenAI’s API',
      'extension/src/engine/export/certificate.ts': 'a unit of comparisons',
      'extension/src/engine/export/compareTexts.ts': 'a unit of comparisons',
      'extension/src/engine/resident/capabilities.ts': 'a type of JSON schema, in words',
      'extension/src/host/datasets/worker/workerMessages.ts': 'a kind of source',
      'extension/src/host/datasets/documentDatasets.ts': 'a kind of source',
      'webview/src/runPanel/savingsPicture.ts': 'an SVG element',
      'webview/src/shared/schemaForm.ts': 'a kind of form field',
    },
  },
  {
    title: 'checks of suites',
    folder: 'extension/src/core/evaluation/checks/',
    // Others, such as number and json, are words of everything.
    names: checkTypes.map(({ type }) => type).filter(type => type.includes('_')),
    others: {
      'extension/src/core/data/formats/roles.ts': 'a role in datasets',
      'extension/src/engine/serve/requests.ts': 'a parameter of OpenAI’s API',
    },
  },
  {
    title: 'objectives',
    folder: 'extension/src/engine/training/objectives/',
    names: objectives.map(({ name }) => name),
    others: {
      'extension/src/protocol/engineEvent.ts': 'the objective of run folders from before there was a choice',
    },
  },
];

const root = new URL('../../', import.meta.url).pathname;
const sources = ['extension/src', 'webview/src'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${folder}/${name}`),
);

const TOKENS = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;

/** The string literals of a source, without comments. */
function literalsOf(source: string): string[] {
  return [...source.matchAll(TOKENS)].flatMap(([token]) => (token.startsWith('/') ? [] : [token.slice(1, -1)]));
}

/**
 * A name in capitals counts anywhere in a literal; the others are common words, so that only the whole literal counts.
 */
function mentions(literal: string, name: string): boolean {
  return /^[A-Z0-9_]+$/.test(name) ? new RegExp(`\\b${name}\\b`).test(literal) : literal === name;
}

test('finds literals, but not comments', () => {
  expect(literalsOf("// 'a'\nf(\"b\", `c ${d}`); /* \"e\" */ const g = 'it\\'s';")).toEqual(['b', 'c ${d}', "it\\'s"]);
});

describe.each(registries)('$title', ({ folder, names, others }) => {
  const found = new Map(
    sources
      .filter(file => !file.startsWith(folder))
      .map(file => {
        const literals = literalsOf(readFileSync(join(root, file), 'utf8'));
        return [file, names.filter(name => literals.some(literal => mentions(literal, name)))] as const;
      })
      .filter(([, named]) => named.length > 0),
  );

  test('are named nowhere else', () => {
    const elsewhere = [...found].filter(([file]) => !(file in others));
    expect(Object.fromEntries(elsewhere), 'turn the difference into data of the registry’s entry').toEqual({});
  });

  test('have no obsolete exceptions', () => {
    expect(Object.keys(others).filter(file => !found.has(file))).toEqual([]);
  });

  test('are not named in `when` clauses', () => {
    const { contributes } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const clauses = [...JSON.stringify(contributes).matchAll(/"when":"((?:[^"\\]|\\.)*)"/g)].map(
      ([, clause]) => clause!,
    );
    expect(clauses.length).toBeGreaterThan(10);
    const capitals = names.filter(name => name === name.toUpperCase());
    expect(clauses.filter(clause => capitals.some(name => clause.includes(name)))).toEqual([]);
  });
});
