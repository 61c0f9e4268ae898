// Writes rows into a tensor's own memory, for the key/value cache of captured decoding steps. Like TensorFlow's InplaceUpdate.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, ELEMENT_MAIN, u32, workgroupsFor, type Shader } from '../shader.js';
import { webgpuBackend } from '../tfjsWebgpu.js';
import { register } from './register.js';

export const WRITE_ROWS = 'WriteRows';

export interface WriteRowsInputs {
  /** [rows, width]; must not be used again, except through the result. */
  content: tf.Tensor;
  /** int32 [count], each once */
  indices: tf.Tensor;
  /** [count, width] */
  values: tf.Tensor;
}

const shader: Shader = {
  key: WRITE_ROWS,
  code: () => `${bindingsOf({ content: 'f32' }, { indices: 'i32', values: 'f32' }, ['count: u32', 'width: u32'])}
  ${ELEMENT_MAIN}
    if (index >= params.count) { return; }
    content[u32(indices[index / params.width]) * params.width + index % params.width] = values[index];
  }`,
};

/** The content, in the same memory. */
function writeRows({ content, indices, values }: WriteRowsInputs): tf.TensorInfo {
  const count = tf.util.sizeFromShape(values.shape);
  dispatch(shader, {
    outputs: [content],
    inputs: [indices, values],
    parameters: [u32(count), u32(content.shape.at(-1)!)],
    workgroups: workgroupsFor(count),
  });
  webgpuBackend().incRef(content.dataId);
  return { dataId: content.dataId, shape: content.shape, dtype: content.dtype };
}

export function registerWriteRows(): void {
  register<WriteRowsInputs, object>(WRITE_ROWS, writeRows);
}
