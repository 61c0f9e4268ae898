// The JSON schema of the run file, for editors and for `describe schemas`: protocol/runConfig.ts with a `method` block for each
// method of the registry. Written to media/schemas/run.schema.json by scripts/writeSchemas.mjs.
import { datasetFormats } from '../../core/data/formats/registry.js';
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import { textMetrics } from '../../core/evaluation/textMetrics.js';
import { VALIDATION_LOSS } from '../../core/runs/bestMetric.js';
import { runConfigSchema } from '../../protocol/runConfig.js';
import { FORGETTING_METRICS } from '../training/forgetting.js';
import { objectives } from '../training/objectives/registry.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';
import { methodFacts } from './methodFacts.js';

/** Editors suggest them; a run file with one that its run doesn't measure is refused when it is prepared. */
const METRIC_NAMES = [
  VALIDATION_LOSS,
  ...objectives.flatMap(({ metrics }) => metrics),
  ...FORGETTING_METRICS,
  ...textMetrics,
].map(({ name }) => name);

export function runFileJsonSchema(): JsonSchema {
  const run = inputJsonSchema(runConfigSchema);
  const properties = run.properties!;
  const initFrom = properties['method']!.properties!['init_from']!;
  const method: JsonSchema = {
    title: 'Method',
    description: 'Fine-tuning method and its options',
    oneOf: peftMethods.map(candidate => methodJsonSchema(candidate, initFrom)),
  };
  const dataset = properties['dataset']!;
  const format = {
    ...dataset.properties!['format'],
    enum: ['auto', ...datasetFormats.map(({ name }) => name)],
    enumDescriptions: ['Detected from the first rows', ...datasetFormats.map(({ title }) => title)],
  };
  const training = properties['training']!;
  const metric = { ...training.properties!['metric_for_best_model'], examples: METRIC_NAMES };
  return {
    ...run,
    title: 'Tunewright run file',
    defaultSnippets: [newRun()],
    properties: {
      ...properties,
      dataset: { ...dataset, properties: { ...dataset.properties, format } },
      method,
      training: { ...training, properties: { ...training.properties, metric_for_best_model: metric } },
    },
  };
}

/** Snippet for an empty run file, with the registry's first method. */
function newRun() {
  const [{ peftType, title, schema, lowRank }] = peftMethods as [PeftMethod];
  const rank = lowRank && { [lowRank.rank]: (schema.parse({}) as Record<string, unknown>)[lowRank.rank] };
  return {
    label: `Fine-tune with ${title}`,
    description: 'A minimal run file',
    body: {
      name: '${1:run}',
      model: '${2:embedded:tiny}',
      dataset: { train: '${3:train.jsonl}', validation: 0.1 },
      method: { peft_type: peftType, ...rank },
      training: { num_train_epochs: 3, learning_rate: 2e-4 },
    },
  };
}

function methodJsonSchema(method: PeftMethod, initFrom: JsonSchema): JsonSchema {
  const { peftType, title, summary, schema } = method;
  const { properties = {}, required = [] } = inputJsonSchema(schema);
  return {
    title,
    description: summary,
    type: 'object',
    properties: { peft_type: { const: peftType, title, description: summary }, ...properties, init_from: initFrom },
    required: ['peft_type', ...required],
    additionalProperties: false,
    facts: methodFacts(method),
  };
}
