// The device of a run or session in a few words, for screens: `WebGPU · NVIDIA L4`, `TensorFlow · CPU, 8 threads`.
import { counted } from './units.js';

/** As in `started` events and `engine status`. */
export interface UsedDevice {
  backend: string;
  /** Such as `CPU (AMD EPYC)` or `GPU (Apple M2, metal)`; one that computes on the CPU is a `software GPU`. */
  device: string;
  threads: number;
}

const LIBRARIES: Record<string, string> = {
  tensorflow: 'TensorFlow',
  webgpu: 'WebGPU',
  wasm: 'WebAssembly',
  ray: 'Ray',
};

export function deviceText({ backend, device, threads }: UsedDevice): string {
  return `${LIBRARIES[backend] ?? backend} · ${device.startsWith('CPU') ? `CPU, ${counted(threads, 'thread')}` : gpuText(device)}`;
}

/** Without the driver's interface, which only tells two entries of one GPU apart. */
function gpuText(device: string): string {
  const [, software, name] = /^(software )?GPU \((.+), \w+\)$/.exec(device) ?? [];
  return name === undefined ? device : `${name}${software ? ' (software)' : ''}`;
}
