// Refuses a model or a method that has a tensor larger than a buffer of the GPU may be, before anything is read into its memory. Float32
// matrices of the base are held in parts (models/splitWeight.ts), so they fit everywhere. Called by prepareRun.ts and openSession.ts.
import { InputError } from '../../core/inputError.js';
import { bytes } from '../../core/units.js';
import type { Backend } from '../backend/backend.js';
import { sizeOf } from '../models/architecture.js';
import { QuantizedWeight } from '../models/quantizedWeight.js';
import type { WeightLayouts } from '../models/weightLayouts.js';
import type { TensorSpec } from '../peft/method.js';
import { largestTensorBytes } from '../webgpu/gpuMemory.js';

/**
 * @param trained tensors of the method
 * @param file the run file or model
 * @throws InputError with part, size and limit
 */
export function checkDeviceFits(
  { layouts, trained }: { layouts: WeightLayouts; trained: readonly TensorSpec[] },
  { device }: Pick<Backend, 'device'>,
  file: string,
): void {
  const most = largestTensorBytes();
  if (most === Infinity) return;
  const refuse = (part: string, size: number, key: string, hint: string) => {
    if (size <= most) return;
    const limit = `in one buffer, the ${device} allows ${bytes(most)}`;
    throw new InputError(`${part} takes ${bytes(size)}, but ${limit}`, { code: 'out_of_memory', file, key, hint });
  };
  for (const [name, layout] of layouts) {
    const sizes = QuantizedWeight.wordShapes(layout).map(shape => 4 * sizeOf(shape));
    refuse(`${name} of the base (${layout.format})`, Math.max(...sizes), 'engine.base_weights', FLOAT32);
  }
  for (const { key, shape } of trained)
    refuse(`${key}, which the method holds,`, 4 * sizeOf(shape), 'method', OTHER_METHOD);
}

const FLOAT32 = 'Use "float32", whose matrices are held in parts, a smaller model, or engine.backend "auto".';
const OTHER_METHOD = 'Train fewer or smaller tensors (no whole modules, a smaller r), or set engine.backend to "auto".';
