// What methods are called on screens, from the run file's schema, which is generated from the engine's registry: the host
// names no method itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';

export type MethodTitle = (peftType: string) => string;

/** `LORA` to `LoRA`; a method that the schema doesn't know keeps its peft_type. */
export function methodTitles(extensionPath: string): MethodTitle {
  let titles: Map<unknown, string> | undefined;
  return peftType => {
    titles ??= readTitles(join(extensionPath, 'media', 'schemas', 'run.schema.json'));
    return titles.get(peftType) ?? peftType;
  };
}

function readTitles(file: string): Map<unknown, string> {
  const schema = JSON.parse(readFileSync(file, 'utf8')) as JsonSchema;
  const methods = schema.properties?.['method']?.oneOf ?? [];
  return new Map(methods.map(({ title, properties }) => [properties?.['peft_type']?.const, title ?? '']));
}
