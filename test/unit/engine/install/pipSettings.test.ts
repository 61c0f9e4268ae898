import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readPipSettings } from '../../../../extension/src/engine/install/pipSettings.js';
import { useOwnSettings } from '../../../support/loopback.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-pip-'));
  useOwnSettings(home);
  vi.stubEnv('PIP_CONFIG_FILE', undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

function write(path: string, text: string): string {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe.runIf(process.platform === 'linux')('readPipSettings', () => {
  // Names that no real /etc/pip.conf has.
  const ours = () => Object.fromEntries([...readPipSettings()].filter(([name]) => name.startsWith('x-')));

  it('reads the files with pip’s precedence', () => {
    write('etc/pip/pip.conf', '[global]\nx-a = system\nx-b = system\nx-c = system');
    write('.pip/pip.conf', '[global]\nx-a = legacy\nx-b = legacy');
    write('.config/pip/pip.conf', '[global]\nx-a = user');
    expect(ours()).toEqual({ 'x-a': 'user', 'x-b': 'legacy', 'x-c': 'system' });
    vi.stubEnv('VIRTUAL_ENV', dirname(write('venv/pip.conf', '[global]\nx-a = venv')));
    expect(ours()['x-a']).toBe('venv');
    vi.stubEnv('PIP_X_A', 'variable');
    expect(ours()['x-a']).toBe('variable');
    vi.stubEnv('PIP_X_A', '');
    expect(ours()['x-a']).toBe('venv');
  });

  it('reads PIP_CONFIG_FILE instead of the user’s files, and no file if it is the null device', () => {
    write('etc/pip/pip.conf', '[global]\nx-a = system');
    write('.config/pip/pip.conf', '[global]\nx-b = user');
    vi.stubEnv('PIP_CONFIG_FILE', write('named.conf', '[global]\nx-c = named'));
    expect(ours()).toEqual({ 'x-a': 'system', 'x-c': 'named' });
    vi.stubEnv('PIP_CONFIG_FILE', '/dev/null');
    expect(readPipSettings()).toEqual(new Map());
  });

  it('reads them like Python’s configparser', () => {
    write(
      '.config/pip/pip.conf',
      [
        '# a comment',
        '[install]',
        'Index_URL: https://install/simple?a=b',
        '[global]',
        '; another one',
        'index-url = https://global/simple',
        'extra-index-url =',
        '    https://one/simple',
        '    https://two/simple',
        '--trusted-host = host',
        '[list]',
        'x-nothing = 1',
      ].join('\r\n'),
    );
    expect(Object.fromEntries(readPipSettings())).toMatchObject({
      'index-url': 'https://install/simple?a=b',
      'extra-index-url': 'https://one/simple\nhttps://two/simple',
      'trusted-host': 'host',
    });
    expect(ours()).toEqual({});
  });
});
