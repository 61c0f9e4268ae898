// Several saved LoRA adapters become one, as PEFT's `add_weighted_adapter` combines them. Called by the `combine` command. Needs no
// base model: module names, shapes and scales are in the adapters' files. Whatever PEFT would leave out without a word is refused.
import { setImmediate } from 'node:timers/promises';
import { InputError } from '../../core/inputError.js';
import { createRng } from '../data/rng.js';
import type { TensorEntry } from '../files/tensorEntry.js';
import { finiteValues } from '../files/finiteValues.js';
import { copyTokenizer, tokenizerContents } from '../files/huggingfaceFolder.js';
import { checkNewFolder } from '../files/newFolder.js';
import { sameValues, type StoredTensor } from '../files/tensorSource.js';
import { openAdapterFolder, readConfig, writeAdapter, type AdapterFolder, type OpenOptions } from './adapterFiles.js';
import {
  checkedOptions,
  combinedRank,
  combineModule,
  type CombinationOptions,
  type CombinationType,
  type KeepRandom,
  type ModuleSize,
  type WeightedFactors,
} from './combineLora.js';
import { lora, rankAndScale, savedLoraConfig, type LoraConfig } from './lora.js';
import { PEFT_PREFIX, trainedWhole } from './replacedParameters.js';

export interface WeightedAdapter {
  folder: string;
  weight: number;
}

export interface CombineSettings {
  adapters: readonly WeightedAdapter[];
  options: CombinationOptions;
  /** Written when everything has been checked and computed. */
  out: string;
  onWarning?: OpenOptions['onWarning'];
  onProgress?(done: number, total: number): void;
  /** The values that DARE keeps, by module; drawn from the seed if left out. */
  keepRandom?(module: string): KeepRandom;
}

export interface Combination {
  combinationType: CombinationType;
  rank: number;
  modules: number;
}

/** An opened adapter with its weight. */
interface Opened extends AdapterFolder {
  config: LoraConfig;
  weight: number;
  /** Its pairs of factors, by module. */
  pairs: ReadonlyMap<string, Pair>;
  /** Embeddings and heads that PEFT saved with it. */
  tables: ReadonlyMap<string, StoredTensor>;
}

interface Pair {
  kind: PairKind;
  a: StoredTensor;
  b: StoredTensor;
}

/** How the names of a module's factors end: in linear modules, and in embeddings. Both have A [r, in] and B [out, r]. */
const PAIR_KINDS = [
  { a: '.lora_A.weight', b: '.lora_B.weight' },
  { a: '.lora_embedding_A', b: '.lora_embedding_B' },
] as const;
type PairKind = (typeof PAIR_KINDS)[number];

/** @throws InputError if the adapters or options can't be combined, or the folder isn't empty; nothing has been written then */
export async function combineAdapters(settings: CombineSettings): Promise<Combination> {
  const { adapters, out, onWarning, onProgress } = settings;
  const options = checkedOptions(settings.options, adapters.length);
  const { keepRandom = drawnFrom(options) } = settings;
  const opened: Opened[] = [];
  try {
    for (const adapter of adapters) opened.push(openLora(adapter, onWarning));
    checkSameBase(opened);
    checkTargetKinds(opened);
    const tables = commonTables(opened);
    const rank = combinedRank(options, opened.map(largestRank));
    const modules = [...new Set(opened.flatMap(({ pairs }) => [...pairs.keys()]))];
    const ranks = new Map<string, number>();
    const tensors: TensorEntry[] = [];
    for (const [i, module] of modules.entries()) {
      const having = opened.filter(({ pairs }) => pairs.has(module));
      const size = commonSize(having, module);
      const parts = having.map(adapter => readFactors(adapter, module));
      const combined = combineModule(parts, size, rank, options, keepRandom(module));
      const { kind } = having[0]!.pairs.get(module)!;
      const entry = { dtype: 'F32' as const };
      tensors.push(
        { ...entry, name: PEFT_PREFIX + module + kind.a, shape: [combined.rank, size.inFeatures], data: combined.a },
        { ...entry, name: PEFT_PREFIX + module + kind.b, shape: [size.outFeatures, combined.rank], data: combined.b },
      );
      if (combined.rank !== rank) ranks.set(module, combined.rank);
      onProgress?.(i + 1, modules.length);
      // Signals get through between modules.
      await setImmediate();
    }
    for (const [name, table] of tables)
      tensors.push({ name, shape: table.shape, dtype: 'F32', data: () => table.readFloat32() });
    // Also of what has come there in the meantime.
    checkNewFolder(out);
    writeAdapter(out, combinedConfig(opened, modules, rank, ranks), tensors);
    copyCommonTokenizer(opened, out, onWarning);
    return { combinationType: options.combination_type, rank, modules: modules.length };
  } finally {
    for (const { close } of opened) close();
  }
}

/** Tokens and chat template that the adapters were trained with, if they agree in them. */
function copyCommonTokenizer(opened: readonly Opened[], out: string, onWarning: OpenOptions['onWarning']): void {
  const contents = new Set(opened.map(({ folder }) => tokenizerContents(folder)));
  if (contents.size === 1) copyTokenizer(opened[0]!.folder, out);
  else
    onWarning?.(
      'tokenizers_differ',
      'the adapters have different tokenizer files or chat templates, so the result has none: it is used with those of its base',
    );
}

/** Each module has its own sequence, so that it doesn't depend on the others. */
function drawnFrom({ seed = 0, density = 1 }: CombinationOptions): (module: string) => KeepRandom {
  const rng = createRng(seed);
  return module => {
    const random = rng.fork(module);
    return size => Uint8Array.from({ length: size }, () => (random.next() < density ? 1 : 0));
  };
}

/** @throws InputError for an adapter that is more than B A */
function openLora({ folder, weight }: WeightedAdapter, onWarning: OpenOptions['onWarning']): Opened {
  const opened = openAdapterFolder(folder);
  const { method, json, configFile } = opened;
  try {
    if (method.peftType !== lora.peftType)
      throw new InputError(`its method is ${method.peftType}; only LORA adapters can be combined`, {
        file: configFile,
        key: 'peft_type',
      });
    const config = readConfig(opened, () => savedLoraConfig(json, configFile), onWarning);
    const beyond = config.use_dora ? 'DoRA (use_dora)' : trainedWhole(config);
    if (beyond !== null)
      throw new InputError(`${beyond} can't be combined: it is not part of B A`, {
        file: configFile,
        key: config.use_dora ? 'use_dora' : config.modules_to_save ? 'modules_to_save' : 'bias',
        hint: 'Merge one adapter into the base with tunewright merge, and train the other one on the result.',
      });
    return { ...opened, config, weight, ...sortedTensors(opened, config) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** Pairs of factors, and saved embeddings. @throws InputError for any other tensor, and for wrong shapes */
function sortedTensors({ tensors, folder }: AdapterFolder, config: LoraConfig): Pick<Opened, 'pairs' | 'tables'> {
  const pairs = new Map<string, Pair>();
  const tables = new Map<string, StoredTensor>();
  for (const [key, tensor] of tensors) {
    if (PAIR_KINDS.some(kind => key.endsWith(kind.b) && tensors.has(key.slice(0, -kind.b.length) + kind.a))) continue;
    const kind = PAIR_KINDS.find(({ a }) => key.endsWith(a));
    if (!kind && key.endsWith('.weight') && !key.includes('.lora_') && tensor.shape.length === 2) {
      tables.set(key, tensor);
      continue;
    }
    if (!kind || !key.startsWith(PEFT_PREFIX))
      throw new InputError('this tensor is not part of a LoRA adapter that can be combined', { ...tensor.place });
    const module = key.slice(PEFT_PREFIX.length, -kind.a.length);
    const b = tensors.get(PEFT_PREFIX + module + kind.b);
    if (!b) throw new InputError(`tensor ${PEFT_PREFIX}${module}${kind.b} is missing`, { file: folder });
    const { rank } = rankAndScale(config, module);
    for (const [name, { shape, place }, side] of [
      ['A', tensor, 0],
      ['B', b, 1],
    ] as const)
      if (shape.length !== 2 || shape[side] !== rank)
        throw new InputError(
          `has shape [${shape.join(', ')}], but the config says that the rank of ${name} is ${rank}`,
          {
            ...place,
          },
        );
    pairs.set(module, { kind, a: tensor, b });
  }
  if (pairs.size === 0) throw new InputError('the adapter has no LoRA tensors', { file: folder });
  return { pairs, tables };
}

function readFactors({ pairs, config, weight }: Opened, module: string): WeightedFactors {
  const { a, b } = pairs.get(module)!;
  const values = [finiteValues(a), finiteValues(b)];
  return { a: values[0]!, b: values[1]!, ...rankAndScale(config, module), weight };
}

/** @throws InputError if two adapters name different bases */
function checkSameBase(adapters: readonly Opened[]): void {
  const [first, ...others] = adapters.filter(({ baseModel }) => baseModel !== null);
  const nameOf = ({ baseModel, json }: Opened) => {
    const revision = json['revision'];
    return typeof revision === 'string' && revision !== 'main' ? `${baseModel}, revision ${revision}` : baseModel!;
  };
  for (const other of others)
    if (nameOf(other) !== nameOf(first!))
      throw new InputError(
        `the adapters have different base models: ${nameOf(first!)} (${first!.folder}) and ${nameOf(other)} (${other.folder})`,
        {
          file: other.configFile,
          key: 'base_model_name_or_path',
          hint: 'If they are the same model, give it the same name in both adapter_config.json.',
        },
      );
}

/** @throws InputError as PEFT, if some adapters have a list of targets and some a regular expression */
function checkTargetKinds(adapters: readonly Opened[]): void {
  const isPattern = ({ config }: Opened) => typeof config.target_modules === 'string';
  const different = adapters.find(adapter => isPattern(adapter) !== isPattern(adapters[0]!));
  if (different)
    throw new InputError(
      'target_modules is a list in some of the adapters and a regular expression in others, which PEFT doesn’t combine',
      { file: different.configFile, key: 'target_modules', hint: 'Write the names of its modules as a list.' },
    );
}

/** @throws InputError if the adapters' shapes differ, so that they belong to different bases */
function commonSize(having: readonly Opened[], module: string): ModuleSize {
  const [first, ...others] = having.map(({ pairs }) => pairs.get(module)!);
  const sizesOf = ({ a, b }: Pair) => [a.shape[1]!, b.shape[0]!] as const;
  const [inFeatures, outFeatures] = sizesOf(first!);
  for (const other of others) {
    const sizes = sizesOf(other);
    if (sizes[0] !== inFeatures || sizes[1] !== outFeatures || other.kind !== first!.kind)
      throw new InputError(
        `${module} has ${sizes[0]} inputs and ${sizes[1]} outputs, but ${inFeatures} and ${outFeatures} in ${first!.a.place.file}`,
        { ...other.a.place, hint: 'The adapters were trained on different base models.' },
      );
  }
  return { module, inFeatures, outFeatures };
}

/** PEFT's rank of an adapter: the largest of any module. */
function largestRank({ config: { r, rank_pattern } }: Opened): number {
  return Math.max(r, ...Object.values(rank_pattern));
}

/**
 * Embeddings and heads that belong to all of the adapters.
 * @throws InputError if they differ, or if some adapters were trained on the base's instead
 */
function commonTables(adapters: readonly Opened[]): Map<string, StoredTensor> {
  const tables = new Map(adapters.toReversed().flatMap(adapter => [...adapter.tables]));
  for (const [key, table] of tables)
    for (const adapter of adapters) {
      const own = adapter.tables.get(key);
      // An adapted module's copy of the base's values, which the others don't need.
      if (own ? sameValues(own, table) : key.endsWith('.base_layer.weight')) continue;
      throw new InputError(`${adapter.folder} ${own ? 'has other values' : 'does not have it'}`, {
        ...table.place,
        hint: 'Adapters can only be combined if they were trained with the same embedding and head.',
      });
    }
  return tables;
}

/**
 * adapter_config.json: as PEFT, that of the first adapter with the new rank. Modules are listed by their full names, and ranks
 * by module; every scale is 1. PEFT keeps layers_to_transform and use_rslora of the first adapter, which would leave out modules
 * of the others, and change the scale.
 */
function combinedConfig(
  adapters: readonly Opened[],
  modules: readonly string[],
  rank: number,
  ranks: ReadonlyMap<string, number>,
): Record<string, unknown> {
  const [{ json, config }] = adapters as [Opened];
  const base = adapters.find(({ baseModel }) => baseModel !== null);
  const pattern = Object.fromEntries(ranks);
  return {
    peft_type: lora.peftType,
    task_type: json['task_type'] ?? null,
    auto_mapping: json['auto_mapping'] ?? null,
    base_model_name_or_path: base?.baseModel ?? null,
    revision: base?.json['revision'] ?? null,
    r: rank,
    lora_alpha: rank,
    lora_dropout: config.lora_dropout,
    target_modules: modules,
    exclude_modules: null,
    fan_in_fan_out: json['fan_in_fan_out'] ?? false,
    bias: 'none',
    use_rslora: false,
    use_dora: false,
    modules_to_save: null,
    init_lora_weights: true,
    layers_to_transform: null,
    layers_pattern: null,
    rank_pattern: pattern,
    alpha_pattern: pattern,
  };
}
