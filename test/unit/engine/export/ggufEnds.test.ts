// The tokens that end an answer, as GGUF names them: keys for those that llama.cpp doesn't know by their text, also where an adapter's own
// template ends turns with another token than its base. Named templates are written and read.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { openExportSource, type ExportSource } from '../../../../extension/src/engine/export/exportSource.js';
import { endMetadata } from '../../../../extension/src/engine/export/ggufEnds.js';
import { performExport } from '../../../../extension/src/engine/export/performExport.js';
import { openGguf } from '../../../../extension/src/engine/files/ggufModel.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../../../extension/src/engine/peft/adapter.js';
import { saveAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { tokenizerOf } from '../../../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { exportEntrySchema } from '../../../../extension/src/protocol/exportConfig.js';

describe('keys', () => {
  const tokens = ['<s>', '</s>', '<|im_end|>', '<end>', '<turn>', '<more>'];
  const tokenizer = { idToToken: (id: number) => tokens[id] } as TextTokenizer;
  const keysOf = (ends: number[], present: Record<string, number>) =>
    Object.fromEntries(
      [...endMetadata(ends, tokenizer, key => present[key])].map(([key, value]) => [
        /ggml\.(.*)_token_id/.exec(key)![1],
        (value as { value: number }).value,
      ]),
    );
  const eos = { 'tokenizer.ggml.eos_token_id': 1 };

  it.each([
    ['the eos is there already', [1], eos, {}],
    ['another one', [1, 3], eos, { eot: 3 }],
    ['two others', [1, 3, 4], eos, { eot: 3, eom: 4 }],
    ['one that llama.cpp knows comes last', [1, 2, 3, 4], eos, { eot: 3, eom: 4 }],
    ['there is no eos', [4], {}, { eos: 4 }],
    ['a key that is taken', [1, 3], { ...eos, 'tokenizer.ggml.eot_token_id': 2 }, { eom: 3 }],
    ['more than there are keys', [1, 3, 4, 5], eos, { eot: 3, eom: 4 }],
  ])('%s', (_, ends, present, expected) => expect(keysOf(ends, present)).toEqual(expected));
});

const path = mkdtempSync(join(tmpdir(), 'tunewright-ends-'));
const sources: Record<string, ExportSource> = {};

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  const embedded = await openExportSource({ model: 'embedded:tiny', adapters: [] }, '.', silentReporter);
  const gguf = join(path, 'base.gguf');
  await exportOf(embedded, { target: 'gguf', type: 'q8_0' }, gguf);
  const model = loadModel(embedded.base);
  const method = peftMethod('LORA')!;
  const made = Adapter.attach(new AttachedMethod(method, method.schema.parse({ r: 2 }), model.architecture), model, {
    purpose: 'training',
    rng: createRng(3),
  });
  for (const variable of made.variables.values()) variable.assign(tf.add(variable, 0.01));
  await saveAdapter(join(path, 'adapter'), made, 'embedded:tiny');
  made.dispose();
  model.dispose();
  embedded.close();
  for (const [base, reference] of Object.entries({ folder: 'embedded:tiny', GGUF: gguf }))
    sources[base] = await openExportSource(
      { model: reference, adapters: [join(path, 'adapter')] },
      '.',
      silentReporter,
    );
});
afterAll(() => {
  for (const source of Object.values(sources)) source.close();
  rmSync(path, { recursive: true });
});

function exportOf(source: ExportSource, entry: Record<string, unknown>, out: string) {
  return performExport(
    {
      ...{ source, entry: exportEntrySchema.parse(entry), out, folder: path, reporter: silentReporter },
      engine: { backend: 'tensorflow', threads: null },
    },
    { signal: new AbortController().signal, compare: false, generalTexts: null, force: true },
  );
}

const templated = (source: ExportSource, chatTemplate: unknown): ExportSource => ({
  ...source,
  adapters: source.adapters.map(adapter => ({ ...adapter, chatTemplate })),
});

/** Turns end with a token that ends them nowhere else. */
const OTHER_END = '{% for m in messages %}[{{ m.role }}] {{ m.content }}<|im_start|>{% endfor %}[assistant] ';

describe.each(['folder', 'GGUF'])('of a base in a %s', base => {
  it('the end of an adapter’s own template is a key', async () => {
    const out = join(path, `${base}.gguf`);
    const { certificate } = await exportOf(templated(sources[base]!, OTHER_END), { target: 'gguf' }, out);
    expect(certificate!.comparisons.find(({ what }) => what === 'stop tokens')).toMatchObject({ compared: 2 });
    const written = openGguf(out, out);
    written.close();
    expect(written.generationConfig!['eos_token_id']).toEqual([2, 1]);
    expect(tokenizerOf(written).chatTemplate).toBe(OTHER_END);
  });

  it('it is in the generation_config.json of a folder', async () => {
    const source = templated(sources[base]!, OTHER_END);
    const { certificate } = await exportOf(source, { target: 'folder' }, join(path, `${base}-folder`));
    expect(certificate!.comparisons.find(({ what }) => what === 'stop tokens')).toMatchObject({ compared: 2 });
  });

  it('named templates are written and read', async () => {
    const tools = `${OTHER_END}{{ tools }}`;
    const named = [
      { name: 'default', template: OTHER_END },
      { name: 'tool_use', template: tools },
    ];
    const out = join(path, `${base}-named.gguf`);
    const { certificate } = await exportOf(templated(sources[base]!, named), { target: 'gguf' }, out);
    expect(certificate!.comparisons.find(({ what }) => what === 'chat template')).toMatchObject({ compared: 2 });
    const written = openGguf(out, out);
    written.close();
    const { chatTemplate, toolTemplate } = tokenizerOf(written);
    expect([chatTemplate, toolTemplate]).toEqual([OTHER_END, tools]);
  });

  it('a LoRA file has no place for a template, which is said', async () => {
    const source = templated(sources[base]!, OTHER_END);
    const { certificate } = await exportOf(source, { target: 'adapter_gguf' }, join(path, `${base}-lora.gguf`));
    const [, template] = certificate!.comparisons;
    expect(template).toMatchObject({
      what: 'chat template',
      verdict: 'not compared',
      why: expect.stringMatching(/trained with its own/),
    });
    expect(certificate!.verdict).toBe('not compared');
  });
});
