// Adapter folders whose files contradict themselves.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { openAdapterFolder } from '../../../../extension/src/engine/peft/adapterFiles.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'adapter-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('a tensor under two names', () => {
  const open = (...values: number[]) => {
    writeFileSync(join(folder, 'adapter_config.json'), '{"peft_type": "LORA"}');
    const names = ['base_model.model.lm_head.modules_to_save.weight', 'base_model.model.lm_head.weight'];
    const entries = names.map((name, i) => {
      return { name, shape: [1], dtype: 'F32' as const, data: Float32Array.of(values[i]!) };
    });
    writeSafetensors(join(folder, 'adapter_model.safetensors'), entries);
    return openAdapterFolder(folder);
  };

  it('is one tensor if the values are the same, as PEFT writes it', () => {
    const { tensors, close } = open(1, 1);
    expect([...tensors.keys()]).toEqual(['base_model.model.lm_head.weight']);
    close();
  });

  it('is an error with two values', () =>
    expect(() => open(1, 2)).toThrow(
      'this is the same tensor as base_model.model.lm_head.modules_to_save.weight, with other values',
    ));
});
