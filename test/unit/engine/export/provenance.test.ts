// The general.* keys of a folder that becomes GGUF: those of gguf-py (test/fixtures/gguf/make_names.py), and what is said of tuned models.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ggufNameOf, provenanceMetadata } from '../../../../extension/src/engine/export/provenance.js';
import type { ModelFiles } from '../../../../extension/src/engine/files/tensorSource.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-provenance-'));
afterAll(() => rmSync(path, { recursive: true }));

interface Recorded {
  folders: { folder: string; card: string; parameters: number; metadata: Record<string, unknown> }[];
}

const { folders } = JSON.parse(
  readFileSync(new URL('../../../fixtures/gguf/names.json', import.meta.url), 'utf8'),
) as Recorded;

function written(name: string, card: string): ModelFiles {
  const folder = join(path, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'README.md'), card);
  return filesOf(folder, folder);
}

const filesOf = (folder: string, reference: string) => ({ path: folder, reference }) as ModelFiles;
const metadataOf = (...given: Parameters<typeof provenanceMetadata>) =>
  Object.fromEntries(provenanceMetadata(...given).map(([key, value]) => [key, 'value' in value ? value.value : null]));

describe('a folder', () => {
  it.each(folders)(
    '$folder of $parameters parameters has the keys of gguf-py',
    ({ folder, card, parameters, metadata }) => {
      const { 'general.type': type, ...keys } = metadataOf(
        { files: written(folder, card), adapters: [], parameters },
        false,
      );
      expect(type).toBe('model');
      expect(keys).toEqual(metadata);
    },
  );

  it('says which program has quantized it', () => {
    const origin = { files: written('tiny', ''), adapters: [], parameters: 1764000 };
    expect(metadataOf(origin, true)['general.quantized_by']).toBe('Tunewright');
  });
});

/** A run folder with a result. */
function runOf(name: string, result: string): string {
  const run = join(path, `${name}-20260131-142500`);
  mkdirSync(join(run, result), { recursive: true });
  writeFileSync(join(run, 'run.json'), JSON.stringify({ name }));
  writeFileSync(join(run, 'events.ndjson'), '');
  return join(run, result);
}

describe('a tuned model', () => {
  const parameters = 134515008;
  const hub = filesOf('/cache/abc', 'HuggingFaceTB/SmolLM2-135M-Instruct');

  it('has the name of its run beside that of its base', () => {
    const origin = { files: hub, adapters: [runOf('pirate tone', 'adapter')], parameters };
    expect(ggufNameOf(origin, 'Q4_K_M')).toBe('SmolLM2-135M-Instruct-pirate-tone-Q4_K_M.gguf');
    expect(metadataOf(origin, true)).toMatchObject({
      'general.name': 'SmolLM2 135M Instruct Pirate Tone',
      'general.basename': 'SmolLM2',
      'general.finetune': 'Instruct-pirate-tone',
      'general.base_model.count': 1,
      'general.base_model.0.name': 'SmolLM2 135M Instruct',
      'general.base_model.0.organization': 'HuggingFaceTB',
      'general.base_model.0.repo_url': 'https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct',
    });
    // It isn't the organization's work.
    expect(metadataOf(origin, true)).not.toHaveProperty(['general.organization']);
  });

  it('has the name of a folder of PEFT’s, and those of several adapters', () => {
    const adapters = [join(path, 'support-tone'), join(path, 'facts', 'adapter')];
    expect(ggufNameOf({ files: hub, adapters, parameters }, 'F16')).toBe(
      'SmolLM2-135M-Instruct-support-tone-facts-F16.gguf',
    );
  });

  it('of a run that trained all parameters is named after the base in its card', () => {
    const model = runOf('whole', 'model');
    writeFileSync(join(model, 'README.md'), '---\nbase_model: "Qwen/Qwen3-0.6B"\n---\n');
    expect(ggufNameOf({ files: filesOf(model, model), adapters: [], parameters: 6e8 }, null)).toBe(
      'Qwen3-0.6B-whole.gguf',
    );
  });

  it('of a base whose name says nothing has that name first', () => {
    const origin = { files: written('tiny', ''), adapters: [join(path, 'tone')], parameters: 1764000 };
    expect(ggufNameOf(origin, 'Q8_0')).toBe('tiny-1.8M-tone-Q8_0.gguf');
  });
});
