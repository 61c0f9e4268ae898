// The clusters that the user has named, and those to which the user has agreed to send. Both are files of the user's configuration folder;
// in VS Code, the extension passes the clusters of its settings in TUNEWRIGHT_CLUSTERS.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import envPaths from 'env-paths';
import * as z from 'zod';
import { schemaError } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { clustersSchema, type Cluster } from '../../protocol/clusters.js';
import { engineConfigSchema, type EngineConfig } from '../../protocol/engineConfig.js';
import { readText } from '../../system/regularFile.js';
import { makePrivateFolder } from '../../system/makeFolder.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';

/** TUNEWRIGHT_CONFIG if it is set, else the platform's folder for configuration. */
function configFolder(): string {
  return process.env.TUNEWRIGHT_CONFIG ?? envPaths('tunewright', { suffix: '' }).config;
}

export function clustersFile(): string {
  return join(configFolder(), 'clusters.json');
}

const agreedFile = () => join(configFolder(), 'agreed.json');
const agreedSchema = z.object({ addresses: z.array(z.string()) });

/** @throws InputError if the file, or TUNEWRIGHT_CLUSTERS, isn't a list of clusters */
export function namedClusters(): Cluster[] {
  const passed = process.env.TUNEWRIGHT_CLUSTERS;
  const file = clustersFile();
  if (!passed && !existsSync(file)) return [];
  const place = passed ? { key: 'TUNEWRIGHT_CLUSTERS' } : { file };
  let value: unknown;
  try {
    value = JSON.parse(passed || readText(file)!);
  } catch (error) {
    throw new InputError(`this is not JSON: ${(error as Error).message}`, place);
  }
  const parsed = clustersSchema.safeParse(value);
  if (!parsed.success)
    throw schemaError(parsed.error, clustersSchema, value, { file: passed ? 'TUNEWRIGHT_CLUSTERS' : file });
  return parsed.data;
}

/**
 * The engine settings for a place.
 * @param on `here`, an address, or the name of a cluster; undefined: those of the run file
 * @throws InputError for a name that no cluster has
 */
export function placeOf(on: string | undefined): (Partial<EngineConfig> & Pick<EngineConfig, 'backend'>) | undefined {
  if (on === undefined) return undefined;
  if (on === 'here') return { backend: 'auto', threads: null };
  if (/^https?:/.test(on)) return { backend: 'ray', address: checkedAddress(on) };
  const clusters = namedClusters();
  const found = clusters.find(({ name }) => name === on);
  if (!found)
    throw new InputError(`no cluster is named ${JSON.stringify(on)}`, {
      key: '--on',
      hint: /[:/]/.test(on)
        ? 'Write the address of a dashboard as http://head:8265.'
        : clusters.length > 0
          ? `Known: ${clusters.map(({ name }) => name).join(', ')}, here.`
          : `Name its address, or write it into ${clustersFile()}: [{"name": "${on}", "address": "http://head:8265"}].`,
    });
  const { name: _name, price_per_hour: _price, ...settings } = found;
  return { backend: 'ray', ...settings };
}

function checkedAddress(address: string): string {
  const parsed = engineConfigSchema.shape.address.safeParse(address);
  if (!parsed.success)
    throw new InputError('this is not the address of a dashboard', {
      key: '--on',
      hint: 'Write it as http://head:8265; a login is set in RAY_AUTH_TOKEN or RAY_JOB_HEADERS.',
    });
  return parsed.data!;
}

/** Whether the user has agreed to send there before. */
export function hasAgreed(address: string): boolean {
  return agreedAddresses().includes(address);
}

export function rememberAgreement(address: string): void {
  if (hasAgreed(address)) return;
  makePrivateFolder(configFolder());
  writeJson(agreedFile(), { addresses: [...agreedAddresses(), address] });
}

function agreedAddresses(): string[] {
  const read = agreedSchema.safeParse(readJsonObject(agreedFile()));
  return read.success ? read.data.addresses : [];
}
