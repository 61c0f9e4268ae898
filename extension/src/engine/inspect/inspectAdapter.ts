// Describes an adapter folder, without its base model. Called by the `inspect` and `export` commands.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { textOf } from '../../core/forms/formField.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors } from '../files/safetensors.js';
import { adapterFileNames } from '../peft/adapterFiles.js';
import { collapseLayers, type TensorGroup } from './collapse.js';

export interface AdapterDescription {
  kind: 'adapter';
  folder: string;
  peftType: string;
  /** The base model named in its config. */
  baseModel: string | null;
  parameters: number;
  diskBytes: number;
  /** Keys of its config that are set. */
  config: Record<string, unknown>;
  tensors: TensorGroup[];
}

/** Whether a folder is an adapter folder. */
export function isAdapterFolder(path: string): boolean {
  return adapterFileNames.some(({ config }) => existsSync(join(path, config)));
}

/** The config of an adapter folder, of any method. @throws InputError if there is none */
export function readAdapterFolder(folder: string): { config: Record<string, unknown>; baseModel: string | null } {
  const names = adapterFileNames.find(({ config }) => existsSync(join(folder, config)));
  if (!names) throw new InputError('this folder does not contain an adapter', { file: folder });
  const config = readJsonObject(join(folder, names.config))!;
  const base = config['base_model_name_or_path'];
  return { config, baseModel: typeof base === 'string' ? base : null };
}

/** @throws InputError if its files are missing or broken */
export function inspectAdapter(folder: string): AdapterDescription {
  const { config, baseModel } = readAdapterFolder(folder);
  const tensors = adapterFileNames.map(names => join(folder, names.tensors)).find(path => existsSync(path));
  if (!tensors) throw new InputError('the adapter’s safetensors file is missing', { file: folder });
  const file = openSafetensors(tensors);
  file.close();
  const stored = [...file.tensors.values()];
  const groups = collapseLayers(stored);
  return {
    kind: 'adapter',
    folder,
    peftType: textOf(config['peft_type']),
    baseModel,
    parameters: groups.reduce((sum, group) => sum + group.parameters, 0),
    diskBytes: stored.reduce((sum, { byteLength }) => sum + byteLength, 0),
    config: Object.fromEntries(Object.entries(config).filter(([, value]) => isSet(value))),
    tensors: groups,
  };
}

function isSet(value: unknown): boolean {
  return value !== null && value !== '' && !(typeof value === 'object' && Object.keys(value).length === 0);
}
