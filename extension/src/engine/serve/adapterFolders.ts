// Which folders a client may have loaded as adapters: those below the folders of --adapters-folder, by real paths, so that
// neither `..` nor a symbolic link leads elsewhere. What is outside is refused alike whether or not it exists.
import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { adapterFileNames } from '../peft/adapterFiles.js';
import { ApiError } from './apiError.js';
import { statOf } from '../../system/fileStat.js';
import { isWithin } from '../../system/isWithin.js';

const PARAM = 'lora_path';

export class AdapterFolders {
  private readonly roots: readonly string[];

  /** @throws InputError for what is not a folder */
  constructor(folders: readonly string[]) {
    this.roots = folders.map(folder => {
      if (!statOf(folder)?.isDirectory())
        throw new InputError('this is not a folder', { file: folder, key: '--adapters-folder' });
      return realpathSync(folder);
    });
  }

  /** @throws ApiError 403 if clients may neither load nor unload adapters */
  checkAllowed(): void {
    if (this.roots.length === 0)
      throw new ApiError(403, 'Adapters are loaded only from folders named by --adapters-folder, and there are none.', {
        param: PARAM,
      });
  }

  /**
   * The real path of an adapter.
   * @param path absolute, or relative to one of the folders
   * @throws ApiError 403 for a place outside, 404 if there is nothing
   */
  find(path: string): string {
    this.checkAllowed();
    const inside = this.roots.map(root => resolve(root, path)).filter(place => this.has(place));
    if (inside.length === 0) throw outside();
    const real = inside.map(realPath).find(place => place !== null);
    if (!real) throw new ApiError(404, 'There is no such folder.', { param: PARAM });
    const files = adapterFileNames.flatMap(({ config, tensors }) => [config, tensors]).map(file => join(real, file));
    for (const place of [real, ...files.map(realPath)]) if (place !== null && !this.has(place)) throw outside();
    return real;
  }

  private has(place: string): boolean {
    return this.roots.some(root => isWithin(place, root));
  }
}

function outside(): ApiError {
  return new ApiError(403, 'This is not in a folder named by --adapters-folder.', { param: PARAM });
}

/** null for what doesn't exist, or no path can name. */
function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
