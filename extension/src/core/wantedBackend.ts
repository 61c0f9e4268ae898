// Which backend settings ask for. Used by the engine, and by the host to know what must be installed.
import type { DeviceSettings, EngineConfig } from '../protocol/engineConfig.js';

/** A GPU that is named is to be used, which only WebGPU can. */
export function wantedBackend({
  backend,
  adapter,
}: Pick<DeviceSettings, 'backend' | 'adapter'>): EngineConfig['backend'] {
  return backend === 'auto' && adapter !== null && adapter !== undefined ? 'webgpu' : backend;
}
