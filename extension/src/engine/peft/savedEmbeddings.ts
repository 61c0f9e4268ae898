// Embedding and head that an adapter file has in addition to the adapter's tensors. PEFT saves them by itself after
// tokens were added (`save_embedding_layers`), and then they belong to the model that the adapter was trained on: they
// replace the base's, and their number of rows is the vocabulary's. Called by adapterFiles.ts.
import { InputError } from '../../core/inputError.js';
import { sameValues, type ModelFiles, type StoredTensor } from '../files/tensorSource.js';
import { sizeOf, storedName, type Architecture } from '../models/architecture.js';
import { findTensor } from '../models/loadModel.js';
import { withParameters } from '../models/modelParameters.js';
import type { TensorSpec } from './method.js';
import { PEFT_PREFIX } from './replacedParameters.js';

/**
 * A tensor's name as PEFT's files have it today. Files of other versions, and those saved without PEFT, still have the
 * adapter's name or that of a wrapper; null for a wrapper's unused copy of the base.
 */
export function currentKey(name: string): string | null {
  if (name.includes('.original_module.')) return null;
  return name
    .replace(/\.modules_to_save(?:\.default)?(?=\.)/, '')
    .replace(/\.default(?=(?:\.(?:weight|bias))?$)/, '')
    .replace(/(\.lora_magnitude_vector)\.weight$/, '$1');
}

/** An embedding or head in an adapter file. */
interface SavedTable {
  parameter: string;
  tensor: StoredTensor;
  spec: TensorSpec;
}

/**
 * The model's architecture with as many rows as the adapter's embedding or head.
 * @throws InputError if the two have different numbers of rows
 */
export function withSavedRows(tensors: ReadonlyMap<string, StoredTensor>, architecture: Architecture): Architecture {
  const [first, ...others] = savedTables(tensors, architecture).map(({ tensor }) => tensor);
  if (!first) return architecture;
  const rows = first.shape[0]!;
  const different = others.find(({ shape }) => shape[0] !== rows);
  if (different)
    throw new InputError(`has ${different.shape[0]} rows, but ${first.name} has ${rows}`, {
      ...different.place,
      hint: 'Resize both in Transformers, with resize_token_embeddings, and save the adapter again.',
    });
  return rows === architecture.vocabSize ? architecture : withParameters({ ...architecture, vocabSize: rows });
}

/**
 * The tensors by which the adapter replaces the base's embedding and head.
 * @param architecture the base's own
 * @param files null: the base's values can't be compared
 * @returns `keys`: of all such tensors; `replacing`: without those that equal the base's, such as the `base_layer` of
 *   an adapted head
 */
export function savedEmbeddings(
  tensors: ReadonlyMap<string, StoredTensor>,
  architecture: Architecture,
  files: ModelFiles | null,
): { keys: string[]; replacing: TensorSpec[] } {
  const isCopy = ({ parameter, tensor }: SavedTable): boolean => {
    if (sizeOf(tensor.shape) !== architecture.vocabSize * architecture.hiddenSize) return false;
    if (!files) return tensor.name.endsWith('.base_layer.weight');
    const stored = storedName(architecture, parameter);
    const spec = architecture.parameters.find(({ name }) => name === stored)!;
    return sameValues(tensor, findTensor(files, architecture, spec));
  };
  const tables = savedTables(tensors, architecture);
  return {
    keys: tables.map(({ spec }) => spec.key),
    replacing: tables.filter(table => !isCopy(table)).map(({ spec }) => spec),
  };
}

/** The embeddings and heads in an adapter file, in the model's order. */
function savedTables(tensors: ReadonlyMap<string, StoredTensor>, architecture: Architecture): SavedTable[] {
  const { embedding, head, hiddenSize, tieWordEmbeddings } = architecture;
  return [embedding, head].flatMap(module =>
    [`${module}.weight`, `${module}.base_layer.weight`].flatMap((name): SavedTable[] => {
      const key = PEFT_PREFIX + name;
      const tensor = tensors.get(key);
      if (tensor?.shape.length !== 2) return [];
      const parameter = `${module}.weight`;
      const replaces = tieWordEmbeddings ? [`${embedding}.weight`, `${head}.weight`] : [parameter];
      const init = { kind: 'base', name: parameter } as const;
      return [
        { parameter, tensor, spec: { key, shape: [tensor.shape[0]!, hiddenSize], init, replaces, frozen: 'saved' } },
      ];
    }),
  );
}
