// The hub's token: where it comes from, and one that can't be sent, which `fetch` would print.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { hubToken } from '../../../../extension/src/engine/hub/hubAccess.js';

const home = mkdtempSync(join(tmpdir(), 'tunewright-token-'));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(join(home, 'token'), { force: true });
});

const refusal = (): string => {
  try {
    hubToken();
  } catch (error) {
    if (error instanceof InputError) return error.describe();
    throw error;
  }
  return '';
};

it('is HF_TOKEN, else the saved one, without white space around it', () => {
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_TOKEN', '');
  expect(hubToken()).toBeUndefined();
  writeFileSync(join(home, 'token'), 'hf_saved\n');
  expect(hubToken()).toBe('hf_saved');
  vi.stubEnv('HF_TOKEN', ' hf_named\n');
  expect(hubToken()).toBe('hf_named');
});

it.each(['hf_secret\nhf_other', 'hf_secret”', 'hf secret'])('%j is refused without being named', token => {
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_TOKEN', token);
  expect(refusal()).toMatch(/^HF_TOKEN: the access token/);
  vi.stubEnv('HF_TOKEN', '');
  writeFileSync(join(home, 'token'), token);
  expect(refusal()).toContain(`${join(home, 'token')}: the access token`);
  expect(refusal()).not.toMatch(/secret|hf_/);
});
