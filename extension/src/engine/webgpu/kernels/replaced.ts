// Kernels of tfjs that are wrong, replaced by corrected ones: AddN on a device with few bindings, and those that move int32 values as
// float32, which rounds the words of a matrix in blocks.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, ELEMENT_MAIN, emptied, output, u32, workgroupsFor, type Shader } from '../shader.js';
import type { WebgpuBackend } from '../tfjsWebgpu.js';
import { replace } from './register.js';

export function replaceKernels(): void {
  // tfjs binds every summand at once, whatever the device's limit.
  replace('AddN', (original, { inputs, backend, attrs }) => {
    const most = (backend as WebgpuBackend).device.limits.maxStorageBuffersPerShaderStage - 1;
    let summands = Object.values(inputs) as tf.TensorInfo[];
    const sums: tf.TensorInfo[] = [];
    while (summands.length > 1 || sums.length === 0) {
      const sum = original({ inputs: summands.slice(0, most) as never, backend, attrs }) as tf.TensorInfo;
      summands = [sum, ...summands.slice(most)];
      sums.push(sum);
    }
    for (const partial of sums.slice(0, -1)) (backend as WebgpuBackend).disposeData(partial.dataId);
    return summands[0]!;
  });
  replace('Slice', (original, args) => {
    const { x } = args.inputs as { x: tf.TensorInfo };
    const { begin, size } = args.attrs as unknown as { begin: number[]; size: number[] };
    if (x.dtype !== 'int32') return original(args);
    const [starts, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    if (starts.slice(1).some(start => start !== 0) || sizes.slice(1).some((length, i) => length !== x.shape[i + 1]))
      return original(args);
    return movedRows(x, sizes[0]!, { start: starts[0]! });
  });
  replace('GatherV2', (original, args) => {
    const { x, indices } = args.inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
    const { axis, batchDims } = args.attrs as { axis: number; batchDims: number };
    if (axis !== 0 || batchDims !== 0 || indices.shape.length !== 1) return original(args);
    return movedRows(x, indices.shape[0]!, { indices });
  });
}

function moveShader(gathers: boolean): Shader {
  return {
    key: gathers ? 'GatherRows' : 'SliceRows',
    code: () => `${bindingsOf({ result: 'u32' }, { source: 'u32', ...(gathers && { indices: 'i32' }) }, [
      'count: u32',
      'width: u32',
      'start: u32',
    ])}
    ${ELEMENT_MAIN}
      if (index >= params.count) { return; }
      let row = ${gathers ? 'u32(indices[index / params.width])' : 'params.start + index / params.width'};
      result[index] = source[row * params.width + index % params.width];
    }`,
  };
}

/** `count` rows of the first dimension, as they are: those from `start` on, or those at `indices`. */
function movedRows(
  x: tf.TensorInfo,
  count: number,
  { start = 0, indices }: { start?: number; indices?: tf.TensorInfo },
): tf.TensorInfo {
  const [, ...rest] = x.shape;
  const result = output([count, ...rest], x.dtype);
  const width = tf.util.sizeFromShape(rest);
  if (count * width === 0) return emptied(result);
  dispatch(moveShader(indices !== undefined), {
    outputs: [result],
    inputs: indices ? [x, indices] : [x],
    parameters: [u32(count * width), u32(width), u32(start)],
    workgroups: workgroupsFor(count * width),
  });
  return result;
}
