// Settings for access to the Python package index: addresses, logins, certificates and proxies, from the places that pip, uv and
// curl use. Makes no requests. Logins are only available through `authorizationFor`.
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { readNetrc, type Login } from './netrc.js';
import { readPipSettings } from './pipSettings.js';
import { SourceError } from './sourceError.js';

const PUBLIC_INDEX = 'https://pypi.org/simple';

export interface IndexSettings {
  /**
   * Indexes in order of precedence, with logins removed from their addresses; empty if pip's `no-index` is set.
   */
  indexes: URL[];
  /** How the user sets the address, for hints. */
  addressSetting: string;
  /** The authorization header for a request to `url`, from the login of its host; null if there is none. */
  authorizationFor: (url: URL) => string | null;
  /** PEM texts to trust; undefined for Node's default. */
  certificates: string[] | undefined;
  /** '' for none. Also for the next two. */
  httpProxy: string;
  httpsProxy: string;
  noProxy: string;
  /** Whether pip's `trusted-host` allows this host without a valid certificate. */
  isTrusted: (url: URL) => boolean;
}

/** @throws SourceError for an unusable setting: an invalid address, a file that can't be read */
export function readIndexSettings(): IndexSettings {
  const { env } = process;
  const pip = readPipSettings();
  const noIndex = /^(1|true|yes|on|y|t)$/i.test(pip.get('no-index') ?? '');
  const main = pip.get('index-url') ?? (env.UV_DEFAULT_INDEX || env.UV_INDEX_URL || PUBLIC_INDEX);
  const further = [pip.get('extra-index-url'), env.UV_INDEX, env.UV_EXTRA_INDEX_URL].flatMap(words);
  const addresses = [main, ...further].map(indexUrl);
  const logins = new Map<string, Login>();
  for (const address of addresses) {
    if (address.username !== '' || address.password !== '')
      logins.set(address.origin, {
        user: unquoted(address.username),
        password: unquoted(address.password),
      });
    address.username = address.password = '';
  }
  const netrc = readNetrc();
  const proxy = pip.get('proxy');
  const anyProxy = env.all_proxy ?? env.ALL_PROXY ?? '';
  const trusted = words(pip.get('trusted-host')).map(host => host.toLowerCase());
  return {
    indexes: noIndex ? [] : addresses,
    addressSetting: 'PIP_INDEX_URL (or index-url in pip.conf)',
    authorizationFor: url => {
      const login = logins.get(url.origin) ?? netrc.get(url.hostname);
      return login ? `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}` : null;
    },
    certificates: readCertificates(pip.get('cert')),
    httpProxy: proxyUrl(proxy ?? env.http_proxy ?? env.HTTP_PROXY ?? anyProxy),
    httpsProxy: proxyUrl(proxy ?? env.https_proxy ?? env.HTTPS_PROXY ?? anyProxy),
    noProxy: env.no_proxy ?? env.NO_PROXY ?? '',
    isTrusted: url => trusted.includes(url.hostname) || trusted.includes(url.host),
  };
}

function words(list: string | undefined): string[] {
  return (list ?? '').split(/\s+/).filter(word => word !== '');
}

/** In uv, an index may have a name: `name=https://...`. */
function indexUrl(address: string): URL {
  const url = webAddress(address.replace(/^[\w.-]+=(?=\w+:)/, ''));
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new SourceError('the address of the package index is not a web address', {
      hint: 'PIP_INDEX_URL (or index-url in pip.conf) must begin with https://.',
    });
  return url;
}

/** The scheme may be missing, as in curl and pip. */
function proxyUrl(address: string): string {
  if (address === '') return '';
  const url = webAddress(/^\w+:\/\//.test(address) ? address : `http://${address}`);
  if (url === null || !/^(https?|socks5?):$/.test(url.protocol))
    throw new SourceError('the address of the proxy is invalid', {
      hint: 'HTTPS_PROXY (or proxy in pip.conf) must look like http://host:port.',
    });
  return url.href;
}

/** As pip: a percent sign without two digits after it stands for itself. */
function unquoted(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, bytes => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString());
}

function webAddress(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** Certificates from files that the user names, in addition to Node's. */
function readCertificates(pipCert: string | undefined): string[] | undefined {
  const { REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS } = process.env;
  const named = [pipCert, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE].filter(Boolean) as string[];
  // Node adds this one itself, but only if no list is passed.
  if (named.length > 0 && NODE_EXTRA_CA_CERTS) named.push(NODE_EXTRA_CA_CERTS);
  if (named.length === 0) return undefined;
  return [...rootCertificates, ...[...new Set(named)].map(readCertificateFile)];
}

function readCertificateFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new SourceError(`the certificates in ${path} can't be read`, {
      hint: 'PIP_CERT, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE must be paths of files with PEM certificates.',
    });
  }
}
