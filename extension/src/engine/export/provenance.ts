// Where a written model comes from: its name, size, licence and base as GGUF metadata, and the name of its file, as llama.cpp's converter
// makes them. Called when a model is written as GGUF, and when a name for the file is proposed.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ggufFileName, modelIdParts, sizeLabel, titleOf, type GgufNaming } from '../../core/exports/modelNames.js';
import { unlessWrong } from '../../core/inputError.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { GgufTypedValue } from '../files/ggufWriter.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { baseModelOf, licenceOf } from '../models/modelCard.js';

export interface Origin {
  /** The base's, or those of a model that was trained as a whole. */
  files: ModelFiles;
  /** Folders of the adapters that are merged into it. */
  adapters: readonly string[];
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
export function provenanceOf({ files, adapters, parameters }: Origin): Provenance {
  const run = runNameOf(files.path);
  const tuned = [...(run === null ? [] : [run]), ...adapters.map(nameOfAdapter)];
  const card = baseModelOf(files.path);
  const id = run !== null && card !== null ? card : files.reference;
  const known = isHubId(id) ? id : basename(resolve(id)).replace(/\.gguf$/i, '');
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

function isHubId(reference: string): boolean {
  return /^[\w.-]+\/[\w.-]+$/.test(reference) && !reference.startsWith('.') && !existsSync(reference);
}

/** The run that wrote a result of this folder; null if none did. */
function runNameOf(folder: string): string | null {
  const parent = dirname(resolve(folder));
  const run = basename(parent) === 'checkpoints' ? dirname(parent) : parent;
  const name = unlessWrong(() => readJsonObject(join(run, 'run.json'), 'refuse'))?.['name'];
  return typeof name === 'string' && existsSync(join(run, 'events.ndjson')) ? plain(name) : null;
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
export function ggufNameOf(origin: Origin, type: string | null): string {
  return ggufFileName({ ...provenanceOf(origin), type });
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
