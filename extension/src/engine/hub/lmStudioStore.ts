// Where LM Studio keeps its models, and where its server is. Called by localModels.ts and when a model is installed there. Read-only.
// Facts from the sources of LM Studio’s SDK (its home) and of lms (models folder, port).
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { unlessWrong } from '../../core/inputError.js';
import { readText } from '../../system/regularFile.js';
import { readJsonObject } from '../files/jsonFile.js';

/** Its working folder, which may not exist: the one that it has noted, else an old or the usual one. */
export function lmStudioHome(): string {
  const home = homedir();
  const noted = readText(join(home, '.lmstudio-home-pointer'))?.trim();
  if (noted) return noted;
  const old = join(home, '.cache', 'lm-studio');
  return existsSync(old) ? old : join(home, '.lmstudio');
}

/** Has a folder for each publisher, in it one for each model with its files. As chosen in LM Studio, else in its home. */
export function lmStudioModelsFolder(): string {
  const home = lmStudioHome();
  const { downloadsFolder } = settingsOf(join(home, 'settings.json'));
  return typeof downloadsFolder === 'string' && downloadsFolder !== '' ? downloadsFolder : join(home, 'models');
}

const DEFAULT_PORT = 1234;

/** The address of its server, whether it runs or not: with the port that was last used. */
export function lmStudioUrl(): string {
  const { port } = settingsOf(join(lmStudioHome(), '.internal', 'http-server-config.json'));
  const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65536;
  return `http://127.0.0.1:${isPort ? port : DEFAULT_PORT}`;
}

/** Empty if there is no such file, or none that can be read. */
function settingsOf(file: string): Record<string, unknown> {
  return (existsSync(file) && unlessWrong(() => readJsonObject(file))) || {};
}
