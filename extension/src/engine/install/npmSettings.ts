// The npm registry of the user's settings: npm's variables and the user's .npmrc; proxies and certificates are those of the package
// index. Makes no requests. Logins are only available through `authorizationFor`.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readIndexSettings, type IndexSettings } from './indexSettings.js';
import { SourceError } from './sourceError.js';

const PUBLIC_REGISTRY = 'https://registry.npmjs.org/';

export interface RegistrySettings extends IndexSettings {
  /** Without a login; ends with a slash. */
  registry: URL;
}

/** @throws SourceError for an unusable setting */
export function readRegistrySettings(): RegistrySettings {
  const settings = { ...readIndexSettings(), addressSetting: 'npm_config_registry (or registry in .npmrc)' };
  const file = readNpmrc();
  const address = variable('registry') ?? file.get('registry') ?? PUBLIC_REGISTRY;
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new SourceError('the address of the npm registry is not a web address', {
      hint: 'npm_config_registry (or registry in .npmrc) must begin with https://.',
    });
  const registry = new URL(address.replace(/\/*$/, '/'));
  const login = loginOf(registry, file);
  registry.username = registry.password = '';
  return {
    ...settings,
    registry,
    authorizationFor: url => (url.origin === registry.origin && login) || settings.authorizationFor(url),
  };
}

/** npm reads its variables in any case. */
function variable(key: string): string | undefined {
  const name = `npm_config_${key}`;
  return Object.entries(process.env).find(([each, value]) => each.toLowerCase() === name && value)?.[1];
}

/** As npm keeps it: by the registry's address without its scheme, or in the address itself. */
function loginOf(registry: URL, file: ReadonlyMap<string, string>): string | null {
  const place = `//${registry.host}${registry.pathname}`;
  const [token, basic] = ['_authToken', '_auth'].map(
    key => file.get(`${place}:${key}`) ?? file.get(`${place.slice(0, -1)}:${key}`),
  );
  if (token) return `Bearer ${token}`;
  if (basic) return `Basic ${basic}`;
  if (registry.username === '') return null;
  const both = [registry.username, registry.password].map(decodeURIComponent).join(':');
  return `Basic ${Buffer.from(both).toString('base64')}`;
}

/** Empty if there is none. */
function readNpmrc(): Map<string, string> {
  const settings = new Map<string, string>();
  let text: string;
  try {
    text = readFileSync(variable('userconfig') ?? join(homedir(), '.npmrc'), 'utf8');
  } catch {
    return settings;
  }
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^\s*([^\s#;=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    const named = value.replace(/^"(.*)"$/, '$1').replace(/\$\{(\w+)\}/g, (all, name) => process.env[name] ?? all);
    settings.set(key, named);
  }
  return settings;
}
