// Installs what a machine can train with best: TensorFlow, and where it can't be provided but there is a GPU, WebGPU. Called by
// `engine install`. What is left without both is wasm, which needs no installation.
import { InputError } from '../../core/inputError.js';
import { installDawn, type DawnInstallation } from '../install/installDawn.js';
import { installEngine, type InstallOptions } from '../install/installEngine.js';
import type { InstallProgress } from '../install/progress.js';
import type { EngineInstallation } from '../install/installation.js';
import { mayHaveGpu } from '../machine/machine.js';
import { findRealGpu } from '../webgpu/dawn.js';

export type Installed =
  | ({ library: 'tensorflow' } & EngineInstallation)
  /** `instead` says why it isn't TensorFlow; null where WebGPU was asked for. */
  | ({ library: 'webgpu'; instead: string | null } & DawnInstallation);

/**
 * @param options `webgpu`: install that
 * @throws InputError saying what is missing and how to get it
 */
export async function installBackend({
  webgpu,
  ...options
}: InstallOptions & { webgpu?: boolean }): Promise<Installed> {
  const { onProgress } = options;
  const reporting = (library: Installed['library']) => ({
    ...options,
    onProgress: (progress: InstallProgress) => onProgress({ ...progress, library }),
  });
  if (webgpu) return { library: 'webgpu', instead: null, ...(await installDawn(reporting('webgpu'))) };
  try {
    return { library: 'tensorflow', ...(await installEngine(reporting('tensorflow'))) };
  } catch (error) {
    const isChoice = options.gpu || options.library !== undefined;
    if (options.signal?.aborted || !(error instanceof InputError) || isChoice || !mayHaveGpu()) throw error;
    const instead = await installInstead(reporting('webgpu')).catch(reason => {
      if (options.signal?.aborted || !(reason instanceof InputError)) throw reason;
      throw new InputError(`${error.message}\n${reason.message}`, { hint: error.hint });
    });
    if (instead === null) throw error;
    return { library: 'webgpu', instead: error.message, ...instead };
  }
}

/** Null if there is no GPU after all. */
async function installInstead(options: InstallOptions): Promise<DawnInstallation | null> {
  const installed = await installDawn(options);
  return (await findRealGpu()) === null ? null : installed;
}
