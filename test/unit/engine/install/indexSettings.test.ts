import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readIndexSettings } from '../../../../extension/src/engine/install/indexSettings.js';
import { useOwnSettings } from '../../../support/loopback.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-index-'));
  useOwnSettings(home);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

const indexes = () => readIndexSettings().indexes.map(({ href }) => href);
const basic = (login: string) => `Basic ${Buffer.from(login).toString('base64')}`;

describe('readIndexSettings', () => {
  it('uses pip’s index, else uv’s, else the public one, and extra indexes after it', () => {
    expect(indexes()).toEqual(['https://pypi.org/simple']);
    vi.stubEnv('UV_INDEX_URL', 'https://old.example/simple');
    expect(indexes()).toEqual(['https://old.example/simple']);
    vi.stubEnv('UV_DEFAULT_INDEX', 'company=https://uv.example/simple');
    expect(indexes()).toEqual(['https://uv.example/simple']);
    vi.stubEnv('PIP_INDEX_URL', 'https://pip.example/simple');
    vi.stubEnv('PIP_EXTRA_INDEX_URL', 'https://one.example/s https://two.example/s');
    vi.stubEnv('UV_INDEX', 'own=https://three.example/s');
    expect(indexes()).toEqual([
      'https://pip.example/simple',
      'https://one.example/s',
      'https://two.example/s',
      'https://three.example/s',
    ]);
    vi.stubEnv('PIP_NO_INDEX', '1');
    expect(indexes()).toEqual([]);
  });

  it('reads index, proxy and certificates from pip.conf', () => {
    writeFileSync(join(home, 'company.pem'), 'PEM');
    const conf = join(home, 'pip.conf');
    writeFileSync(
      conf,
      `[global]\nindex-url = https://me:x@conf.example/s\nproxy = proxy:1\ncert = ${home}/company.pem\ntrusted-host = a b:8443`,
    );
    vi.stubEnv('PIP_CONFIG_FILE', conf);
    vi.stubEnv('UV_DEFAULT_INDEX', 'https://uv.example/simple');
    const settings = readIndexSettings();
    expect(indexes()).toEqual(['https://conf.example/s']);
    expect(settings.httpsProxy).toBe('http://proxy:1/');
    expect(settings.certificates!.at(-1)).toBe('PEM');
    expect(settings.authorizationFor(new URL('https://conf.example/x'))).toBe(basic('me:x'));
    const trusted = ['https://a/', 'https://a:1/', 'https://b/', 'https://b:8443/'].map(url =>
      settings.isTrusted(new URL(url)),
    );
    expect(trusted).toEqual([true, true, false, true]);
  });

  it('removes logins from addresses and uses each for its own host only', () => {
    vi.stubEnv('PIP_INDEX_URL', 'https://me:p%40ss@index.example/simple');
    vi.stubEnv('PIP_EXTRA_INDEX_URL', 'https://token@extra.example/simple');
    writeFileSync(
      join(home, '.netrc'),
      'machine files.example login f password g\nmachine index.example login x password y',
    );
    expect(indexes()).toEqual(['https://index.example/simple', 'https://extra.example/simple']);
    const { authorizationFor } = readIndexSettings();
    const headerFor = (url: string) => authorizationFor(new URL(url));
    expect(headerFor('https://index.example/files/x.whl')).toBe(basic('me:p@ss'));
    expect(headerFor('https://extra.example/x')).toBe(basic('token:'));
    expect(headerFor('https://files.example/x')).toBe(basic('f:g'));
    expect(headerFor('https://other.example/x')).toBeNull();
    // Another port or scheme is another server.
    expect(headerFor('https://extra.example:8443/x')).toBeNull();
    expect(headerFor('http://extra.example/x')).toBeNull();
  });

  it('reads a login with a percent sign as pip does', () => {
    vi.stubEnv('PIP_INDEX_URL', 'https://me:50%25%z%C3%A9@index.example/simple');
    const { authorizationFor } = readIndexSettings();
    expect(authorizationFor(new URL('https://index.example/simple/x'))).toBe(basic('me:50%%zé'));
  });

  it('uses the proxy of pip, else of the environment', () => {
    expect(readIndexSettings()).toMatchObject({ httpProxy: '', httpsProxy: '', noProxy: '' });
    vi.stubEnv('ALL_PROXY', 'socks5://any:1');
    vi.stubEnv('HTTPS_PROXY', 'secure:2');
    vi.stubEnv('NO_PROXY', 'local');
    expect(readIndexSettings()).toMatchObject({
      httpProxy: 'socks5://any:1',
      httpsProxy: 'http://secure:2/',
      noProxy: 'local',
    });
    vi.stubEnv('PIP_PROXY', 'http://u:p@pip:3');
    expect(readIndexSettings()).toMatchObject({ httpProxy: 'http://u:p@pip:3/', httpsProxy: 'http://u:p@pip:3/' });
  });

  it('adds the certificates of all variables', () => {
    expect(readIndexSettings().certificates).toBeUndefined();
    for (const name of ['PIP_CERT', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
      writeFileSync(join(home, name), name);
      vi.stubEnv(name, join(home, name));
    }
    expect(readIndexSettings().certificates).toEqual([
      ...rootCertificates,
      'PIP_CERT',
      'SSL_CERT_FILE',
      'NODE_EXTRA_CA_CERTS',
    ]);
  });

  it('reports which setting can’t be used, without its login', () => {
    vi.stubEnv('PIP_INDEX_URL', 'ftp://me:secret@index.example');
    expect(readIndexSettings).toThrow(expect.objectContaining({ hint: expect.stringContaining('PIP_INDEX_URL') }));
    expect(readIndexSettings).not.toThrow(/secret/);
    vi.stubEnv('PIP_INDEX_URL', undefined);
    vi.stubEnv('HTTPS_PROXY', 'gopher://proxy');
    expect(readIndexSettings).toThrow(/proxy/);
    vi.stubEnv('HTTPS_PROXY', undefined);
    vi.stubEnv('REQUESTS_CA_BUNDLE', join(home, 'none.pem'));
    expect(readIndexSettings).toThrow(/none\.pem can't be read/);
  });
});
