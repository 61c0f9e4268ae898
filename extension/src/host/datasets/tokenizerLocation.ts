// Finds the tokenizer of what a user writes as `model`: the embedded model, a folder, or a model in the Hugging Face
// cache. Called by readingSettings.ts. Downloads nothing; the engine's resolveModel.ts has the complete rules.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { readText } from '../../system/regularFile.js';

/** The folder with tokenizer.json; null if this machine has no such file, as for a tokenizer inside a GGUF file. */
export function tokenizerFolder(model: string, baseFolder: string, extensionFolder: string): string | null {
  const folder = model.startsWith('embedded:')
    ? join(extensionFolder, 'media', 'models', model.slice('embedded:'.length))
    : resolve(baseFolder, model.replace(/^~(?=[\\/])/, homedir()));
  if (existsSync(join(folder, 'tokenizer.json'))) return folder;
  return /^[\w.-]+\/[\w.-]+$/.test(model) ? cachedSnapshot(model) : null;
}

function cachedSnapshot(id: string): string | null {
  const home = process.env.HF_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface');
  const store = join(process.env.HF_HUB_CACHE ?? join(home, 'hub'), `models--${id.replace('/', '--')}`);
  try {
    const revision = readText(join(store, 'refs', 'main'))?.trim() ?? '';
    const folder = join(store, 'snapshots', revision);
    return existsSync(join(folder, 'tokenizer.json')) ? folder : null;
  } catch {
    return null;
  }
}
