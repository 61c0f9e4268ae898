// First source of the library: one that the user names. A folder or a shared library is linked to, not copied (it may be
// 800 MB); a TensorFlow wheel is unpacked. The C headers have to stand beside it, where TensorFlow's own packages put them.
import { existsSync, statSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { findLibraries } from './compileAddon.js';
import type { InstallContext } from './progress.js';
import { unpackWheelFile } from './wheelArchive.js';
import { TENSORFLOW_FILES } from './wheelPlan.js';

/**
 * Fills `folder` with `tensorflow/` (links to the libraries, and include/).
 * @throws InputError when there is no library or no header where the user said.
 */
export async function provideNamedLibrary(named: string, folder: string, context: InstallContext): Promise<void> {
  const path = resolve(named);
  if (!existsSync(path)) throw new InputError('there is no such file or folder', { file: path });
  if (path.endsWith('.whl')) return unpackWheelFile(path, folder, TENSORFLOW_FILES, context);

  const parent = statSync(path).isDirectory() ? path : dirname(path);
  const libraries = [parent, join(parent, 'lib')].find(candidate => findLibraries(candidate).length > 0);
  if (libraries === undefined)
    throw new InputError('no TensorFlow library here', {
      file: path,
      hint: 'Name the folder that holds libtensorflow_cc.so.2 or libtensorflow.so.2, or a TensorFlow wheel.',
    });
  const headers = [join(libraries, 'include'), join(libraries, '../include')].find(candidate =>
    existsSync(join(candidate, 'tensorflow/c/eager/c_api.h')),
  );
  if (headers === undefined)
    throw new InputError('the library has no C headers beside it', {
      file: libraries,
      hint: 'include/tensorflow/c/eager/c_api.h has to be in that folder or in the one above.',
    });

  const target = join(folder, 'tensorflow');
  await mkdir(target);
  await symlink(headers, join(target, 'include'));
  for (const library of findLibraries(libraries)) await symlink(library, join(target, basename(library)));
}
