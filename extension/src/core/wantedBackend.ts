// Which backend settings ask for on this machine. Used by the engine, and by the host to know what must be installed.
import type { DeviceSettings, LocalBackend } from '../protocol/engineConfig.js';

/** A GPU that is named is to be used, which only WebGPU can. A Ray cluster only trains: what is done with its result is done here. */
export function wantedBackend({ backend, adapter }: Pick<DeviceSettings, 'backend' | 'adapter'>): LocalBackend {
  const local = backend === 'ray' ? 'auto' : backend;
  return local === 'auto' && adapter !== null && adapter !== undefined ? 'webgpu' : local;
}
