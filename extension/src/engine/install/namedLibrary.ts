// First source of the library: a local one. A folder or a shared library is linked to, not copied (it may have 800 MB); a TensorFlow
// wheel is unpacked. The C headers must be where TensorFlow's own packages have them.
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
 * @throws InputError if the library or its headers are missing
 */
export async function provideNamedLibrary(named: string, folder: string, context: InstallContext): Promise<void> {
  const path = resolve(named);
  if (!existsSync(path)) throw new InputError('the file or folder does not exist', { file: path });
  if (path.endsWith('.whl')) return unpackWheelFile(path, folder, TENSORFLOW_FILES, context);

  const parent = statSync(path).isDirectory() ? path : dirname(path);
  const libraries = [parent, join(parent, 'lib')].find(candidate => findLibraries(candidate).length > 0);
  if (libraries === undefined)
    throw new InputError('this is not a TensorFlow library', {
      file: path,
      hint: 'Pass the folder that contains libtensorflow_cc.so.2 or libtensorflow.so.2, or a TensorFlow wheel.',
    });
  const headers = [join(libraries, 'include'), join(libraries, '../include')].find(candidate =>
    existsSync(join(candidate, 'tensorflow/c/eager/c_api.h')),
  );
  if (headers === undefined)
    throw new InputError('the C headers of the library are missing', {
      file: libraries,
      hint: 'include/tensorflow/c/eager/c_api.h must be in this folder or its parent.',
    });

  const target = join(folder, 'tensorflow');
  await mkdir(target);
  await symlink(headers, join(target, 'include'));
  for (const library of findLibraries(libraries)) await symlink(library, join(target, basename(library)));
}
