// The programs in which models are installed, for tests of exports: Ollama and LM Studio on loopback, with the files that they keep in the
// home folder. Nothing of the user's own is read or written.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enginesFolder } from '../../extension/src/engine/install/paths.js';
import { startLmStudio, type LmStudioOptions, type LmStudioServer } from './lmStudioServer.js';
import { startOllama, type OllamaOptions, type OllamaServer } from './ollamaServer.js';

export interface InstalledPrograms {
  ollama: OllamaServer;
  lmStudio: LmStudioServer;
  /** LM Studio's. */
  models: string;
  /** Of a process that knows only these. */
  env: Record<string, string>;
  close(): void;
}

export async function startPrograms(
  options: { ollama?: OllamaOptions; lmStudio?: LmStudioOptions } = {},
): Promise<InstalledPrograms> {
  const home = mkdtempSync(join(tmpdir(), 'tunewright-programs-'));
  const [ollama, lmStudio] = await Promise.all([startOllama(options.ollama), startLmStudio(options.lmStudio)]);
  const settings = join(home, '.lmstudio', '.internal');
  mkdirSync(settings, { recursive: true });
  writeFileSync(
    join(settings, 'http-server-config.json'),
    JSON.stringify({ port: Number(new URL(lmStudio.url).port) }),
  );
  // TensorFlow stays where it is.
  const cache = join(home, 'cache');
  mkdirSync(cache);
  if (existsSync(enginesFolder())) symlinkSync(enginesFolder(), join(cache, 'engine'));
  return {
    ollama,
    lmStudio,
    models: join(home, '.lmstudio', 'models'),
    env: { HOME: home, USERPROFILE: home, TUNEWRIGHT_CACHE: cache, OLLAMA_HOST: ollama.url },
    close: () => {
      ollama.close();
      lmStudio.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
