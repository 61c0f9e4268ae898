// Facts about the PEFT methods, from the run file's schema, which is generated from the engine's registry: the host
// names no method, and needs no request to the engine.
import { join } from 'node:path';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import type { RunResult } from '../../protocol/dashboardMessages.js';
import type { ExportFormat } from '../../protocol/methodFacts.js';
import { readText } from '../../system/regularFile.js';

export class KnownMethods {
  private methods: ReadonlyMap<unknown, JsonSchema> | null = null;

  constructor(private readonly extensionPath: string) {}

  /** `LoRA` for `LORA`; for methods that the schema doesn't have, the peft_type. */
  titleOf(peftType: string): string {
    return this.schemaOf(peftType)?.title ?? peftType;
  }

  /** Whether its adapter can be merged into the base model. */
  canMerge(peftType: string): boolean {
    const facts = this.schemaOf(peftType)?.facts;
    return facts !== undefined && facts.writes === 'adapter' && facts.mergeable;
  }

  exportsOf(peftType: string): readonly ExportFormat[] {
    return this.schemaOf(peftType)?.facts?.exports ?? [];
  }

  /** The peak learning rate proposed for a run; for methods that the schema doesn't have, that of the run file. */
  learningRateOf(peftType: string): number | null {
    return this.schemaOf(peftType)?.facts?.learning_rate ?? null;
  }

  /** What can be done with the result of a run. */
  usesOf(peftType: string): RunResult {
    return { mergeable: this.canMerge(peftType) };
  }

  /** All methods, each with the keys of its options. */
  get all(): { peftType: string; title: string; keys: readonly string[] }[] {
    return [...this.known].map(([name, { title, properties }]) => {
      const peftType = String(name);
      return { peftType, title: title ?? peftType, keys: Object.keys(properties ?? {}) };
    });
  }

  /** What selective fine-tuning can select without further options. */
  get selections(): readonly unknown[] {
    const values = [...this.known.values()].flatMap(({ properties }) => properties?.['select']?.enum ?? []);
    return values.filter(value => value !== 'pattern');
  }

  /** The peft_type of the first method of the schema, for a run without a chosen method. */
  get first(): string {
    return String(this.known.keys().next().value);
  }

  private schemaOf(peftType: string): JsonSchema | undefined {
    return this.known.get(peftType);
  }

  private get known(): ReadonlyMap<unknown, JsonSchema> {
    return (this.methods ??= readMethods(join(this.extensionPath, 'media', 'schemas', 'run.schema.json')));
  }
}

function readMethods(file: string): Map<unknown, JsonSchema> {
  const schema = JSON.parse(readText(file) ?? '') as JsonSchema;
  const methods = schema.properties?.['method']?.oneOf ?? [];
  return new Map(methods.map(method => [method.properties?.['peft_type']?.const, method]));
}
