// Opens the backend for a model: what the settings name or, with `auto` where both TensorFlow and a GPU can be used, the faster one.
import type { DeviceSettings } from '../../protocol/engineConfig.js';
import { wantedBackend } from '../../core/wantedBackend.js';
import type { Backend } from '../backend/backend.js';
import { openBackend } from '../backend/openBackend.js';
import { fasterDevice } from '../bench/fasterDevice.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { findDawn } from '../install/dawnPackage.js';
import { findInstallation } from '../install/installation.js';
import { findRealGpu } from '../webgpu/dawn.js';
import type { Reporter } from './reporter.js';

/** @throws InputError if the named backend or GPU can't be used */
export async function openDevice(files: ModelFiles, settings: DeviceSettings, reporter: Reporter): Promise<Backend> {
  const opened = { ...settings, onWarning: reporter.warn };
  if (wantedBackend(settings) !== 'auto' || (await findInstallation()) === null || findDawn() === null)
    return openBackend(opened);
  try {
    const gpu = await findRealGpu();
    if (gpu === null) return await openBackend(opened);
    const { backend, reason } = await fasterDevice(files, gpu, settings.threads);
    const device = await openBackend(
      backend === 'webgpu' ? { ...opened, backend, adapter: gpu.index } : { ...opened, backend },
    );
    return { ...device, reason };
  } catch (error) {
    reporter.warn('gpu_not_used', `the GPU is not used: ${(error as Error).message}`);
    return openBackend({ ...opened, backend: 'tensorflow' });
  }
}
