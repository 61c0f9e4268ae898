// Where a written model comes from: its name, size, licence and base as GGUF metadata, and the name of its file, as llama.cpp's converter
// makes them. Called when a model is written as GGUF, and when a name for the file is proposed.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ggufFileName, modelIdParts, sizeLabel, titleOf, type GgufNaming } from '../../core/exports/modelNames.js';
import { unlessWrong } from '../../core/inputError.js';
import { readGgufHeader } from '../files/ggufHeader.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { GgufTypedValue } from '../files/ggufWriter.js';
import { RandomAccessFile } from '../files/randomAccessFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { baseModelOf, licenceOf } from '../models/modelCard.js';
import { runFolderOf } from '../runFolder/runFolder.js';
import { PLAIN_TYPES, ggufModelTypes } from './ggufTypes.js';

export interface Origin {
  /** The base's, or those of a model that was trained as a whole. */
  files: ModelFiles;
  /** Folders of the adapters that are merged into it. */
  adapters: readonly string[];
  /** Name of a run that will write one. */
  planned?: string;
  /** Number of its parameters. */
  parameters: number;
}

export interface Provenance extends Omit<GgufNaming, 'type' | 'name'> {
  name: string;
  organization: string | null;
  /** Id on the hub of the model that it was tuned from; null if it wasn't, or isn't from there. */
  base: string | null;
}

/** What is known of the model. The name of a run becomes a part of its own. */
export function provenanceOf({ files, adapters, planned, parameters }: Origin): Provenance {
  const run = runNameOf(files.path);
  const coming = planned === undefined ? [] : [plain(planned)];
  const tuned = [...(run === null ? [] : [run]), ...adapters.map(nameOfAdapter), ...coming];
  const card = baseModelOf(files.path);
  // A run that trained all parameters writes a folder called model; its card names the base.
  const id = run !== null && card !== null ? card : isHubId(files.reference) ? files.reference : files.path;
  const known =
    files.format === 'gguf' ? stemOf(files.path) : isHubId(id) ? id : basename(id).replace(/^embedded:/, '');
  const { fullName, organization, ...parts } = modelIdParts(known, parameters);
  const finetune = [parts.finetune, ...tuned].filter(part => part !== null).join('-');
  const base = tuned.length > 0 ? id : card;
  return {
    ...parts,
    name: titleOf([fullName, ...tuned].join('-')),
    organization: tuned.length > 0 || organization === null ? null : titleOf(organization),
    finetune: finetune === '' ? null : finetune,
    // What was tuned is still the base it was tuned from, where a name says no more.
    basename: parts.basename ?? (tuned.length > 0 ? fullName : null),
    sizeLabel: parts.sizeLabel ?? sizeLabel(parameters),
    base: base !== null && isHubId(base) ? base : null,
  };
}

/** Of a file such as `SmolLM2-135M-Instruct.Q4_1.gguf`, without its type. */
function stemOf(file: string): string {
  return basename(file).replace(/([.-](i?q\d(_\w+)*|b?f(16|32)))?\.gguf$/i, '');
}

function isHubId(reference: string): boolean {
  return /^[\w.-]+\/[\w.-]+$/.test(reference) && !reference.startsWith('.') && !existsSync(reference);
}

/** The run that wrote a result of this folder; null if none did. */
function runNameOf(folder: string): string | null {
  const run = runFolderOf(folder);
  const name = run === null ? null : unlessWrong(() => readJsonObject(join(run, 'run.json'), 'refuse'))?.['name'];
  return typeof name === 'string' ? plain(name) : null;
}

function nameOfAdapter(folder: string): string {
  const path = resolve(folder);
  return runNameOf(path) ?? plain(basename(path) === 'adapter' ? basename(dirname(path)) : basename(path));
}

/** As it can be in the name of any file. */
function plain(name: string): string {
  return name.replace(/[^\p{L}\p{N}_.]+/gu, '-').replace(/^-+|-+$/g, '');
}

/** The name that llama.cpp's converter gives the file. @param type such as Q4_K_M; null if it isn't known */
export function ggufNameOf(origin: Origin, type: string | null, isAdapter = false): string {
  return ggufFileName({ ...provenanceOf(origin), type, isAdapter });
}

/** The type of most matrices of a model, such as Q8_0; null of one that has no name here. */
export function ownType({ format, path, tensors }: ModelFiles): string | null {
  if (format === 'gguf') {
    const file = new RandomAccessFile(path);
    try {
      const fileType = readGgufHeader(file).metadata.get('general.file_type');
      const found = Object.entries(ggufModelTypes).find(([, model]) => model.fileType === fileType);
      return found ? found[0].toUpperCase() : null;
    } finally {
      file.close();
    }
  }
  const types = [...tensors.values()].filter(({ shape }) => shape.length > 1).map(({ dtype }) => dtype);
  const count = (type: string) => types.filter(other => other === type).length;
  const most = types.toSorted((a, b) => count(b) - count(a))[0];
  return most !== undefined && PLAIN_TYPES.includes(most) ? most : 'F32';
}

/** @param isQuantized whether this program rounds the tensors to blocks */
export function provenanceMetadata(origin: Origin, isQuantized: boolean): [string, GgufTypedValue][] {
  const {
    name,
    organization,
    basename: base,
    finetune,
    version,
    sizeLabel: size,
    base: tunedFrom,
  } = provenanceOf(origin);
  const { path } = origin.files;
  const texts: Record<string, string | null> = {
    type: 'model',
    name,
    version,
    organization,
    finetune,
    basename: base,
    quantized_by: isQuantized ? 'Tunewright' : null,
    size_label: size,
    license: licenceOf(path, 'license'),
    'license.name': licenceOf(path, 'license_name'),
    'license.link': licenceOf(path, 'license_link'),
  };
  const pairs = Object.entries(texts).flatMap(([key, value]): [string, GgufTypedValue][] =>
    value === null ? [] : [[`general.${key}`, { type: 'string', value }]],
  );
  return tunedFrom === null ? pairs : [...pairs, ...baseMetadata(tunedFrom)];
}

function baseMetadata(id: string): [string, GgufTypedValue][] {
  const { fullName, organization, version } = modelIdParts(id, 0);
  const texts = {
    name: titleOf(fullName!),
    version,
    organization: titleOf(organization!),
    repo_url: `https://huggingface.co/${id}`,
  };
  return [
    ['general.base_model.count', { type: 'uint32', value: 1 }],
    ...Object.entries(texts).flatMap(([key, value]): [string, GgufTypedValue][] =>
      value === null ? [] : [[`general.base_model.0.${key}`, { type: 'string', value }]],
    ),
  ];
}
