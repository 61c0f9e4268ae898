// Who may talk to the server. On loopback no token is needed, so a page in a browser must not get through: neither by a name of
// its own that resolves to 127.0.0.1 (Host), nor by a request to another site (Origin, Sec-Fetch-Site). Elsewhere a key is needed.
import { createHash, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { InputError } from '../../core/inputError.js';
import { readText } from '../../system/regularFile.js';
import { ApiError } from './apiError.js';

const MAX_KEY_FILE_BYTES = 1 << 16;
const KEY = /^[\x21-\x7e]{16,}$/;

export interface AccessRules {
  /** As it was bound. */
  host: string;
  port: number;
  /** null: none is needed. */
  apiKey: string | null;
  /** Origins of pages that may use the server. */
  allowOrigins: readonly string[];
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  if (isIP(host) !== 6) return host.toLowerCase() === 'localhost';
  // In a URL, all ways to write the address become one.
  const url = `http://${urlHost(host)}`;
  return URL.canParse(url) && new URL(url).hostname === '[::1]';
}

/** @throws ApiError 403 for a request that a page in a browser may have sent */
export function checkSender(headers: IncomingHttpHeaders, rules: AccessRules): void {
  if (isLoopback(rules.host) && !loopbackNames(rules).includes((headers.host ?? '').toLowerCase()))
    throw new ApiError(403, `The Host header must be ${loopbackNames(rules)[0]}.`, { code: 'host_not_allowed' });
  const { origin } = headers;
  if (origin !== undefined) {
    if (rules.allowOrigins.includes(origin)) return;
    throw new ApiError(403, 'Pages of this origin may not use the server; see --allow-origin.', {
      code: 'origin_not_allowed',
    });
  }
  // Browsers send no Origin with images, scripts and links, but this.
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none')
    throw new ApiError(403, 'A page in a browser may not use the server; see --allow-origin.', {
      code: 'origin_not_allowed',
    });
}

/** @throws ApiError 401 if a key is needed and the request has another or none */
export function checkKey({ authorization = '' }: IncomingHttpHeaders, { apiKey }: AccessRules): void {
  if (apiKey === null) return;
  const [, given = ''] = /^Bearer (.*)$/i.exec(authorization) ?? [];
  // Equal lengths for any key, so that the time tells nothing about it.
  const digest = (key: string) => createHash('sha256').update(key).digest();
  if (timingSafeEqual(digest(given), digest(apiKey))) return;
  throw new ApiError(401, 'A valid API key is needed: Authorization: Bearer KEY.', {
    code: 'invalid_api_key',
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}

function loopbackNames({ host, port }: AccessRules): string[] {
  const names = [...new Set([urlHost(host), '127.0.0.1', 'localhost', '[::1]'])];
  return names.flatMap(name => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

/** An address as it is written in a URL. */
export function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/** The key in a file that only its owner can read. @throws InputError for any other file; its message never has the key */
export function readApiKey(file: string): string {
  const key = readText(file, 'follow', MAX_KEY_FILE_BYTES)?.trim();
  const place = { file, key: '--api-key-file' };
  if (key === undefined) throw new InputError('the file does not exist', place);
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0)
    throw new InputError('other users can read or change this file', { ...place, hint: `Run: chmod 600 ${file}` });
  if (key === '') throw new InputError('the file is empty', { ...place, hint: 'Write the key into it, on one line.' });
  if (!KEY.test(key))
    throw new InputError('the key must be one line of at least 16 printable ASCII characters without spaces', place);
  return key;
}

/** @throws InputError for an origin that no browser would send */
export function checkOrigins(origins: readonly string[]): void {
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new InputError(`"${origin}" is not an origin`, {
        key: '--allow-origin',
        hint: 'For example: --allow-origin http://localhost:3000, without a path.',
      });
}
