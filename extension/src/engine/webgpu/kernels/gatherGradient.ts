// The gradient of rows read from a table: each row of the table gets the sum of the gradients of the places that read it, in their order.
// tfjs's scatter adds with atomic operations, in whatever order they come, so that two runs differ in the last bits.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, u32, type Shader } from '../shader.js';
import { webgpuBackend } from '../tfjsWebgpu.js';
import { register, runKernel } from './register.js';
import { workgroupsForRows } from './rows.js';

const ADD_ROWS = 'AddRows';

export interface AddRowsInputs {
  /** [count, width]; must not be used again, except through the result. */
  content: tf.Tensor;
  /** int32 [rows] */
  indices: tf.Tensor;
  /** [rows, width] */
  values: tf.Tensor;
}

const INVOCATIONS = 64;

// A workgroup for each place: the first of those with the same index adds up the values of all of them.
const shader: Shader = {
  key: ADD_ROWS,
  code: () => `${bindingsOf({ content: 'f32' }, { indices: 'i32', values: 'f32' }, ['rows: u32', 'width: u32'])}
  var<workgroup> equal: array<atomic<u32>, ${INVOCATIONS / 32}>;
  @compute @workgroup_size(${INVOCATIONS})
  fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.y * groups.x + group.x;
    if (row >= params.rows) { return; }
    let own = indices[row];
    var first = params.rows;
    for (var base = 0u; base < params.rows; base += ${INVOCATIONS}u) {
      if (local < ${INVOCATIONS / 32}u) { atomicStore(&equal[local], 0u); }
      workgroupBarrier();
      let place = base + local;
      if (place < params.rows && indices[place] == own) { atomicOr(&equal[local / 32u], 1u << (local % 32u)); }
      workgroupBarrier();
      for (var word = 0u; word < ${INVOCATIONS / 32}u; word++) {
        var bits = atomicLoad(&equal[word]);
        while (bits != 0u) {
          let other = base + word * 32u + firstTrailingBit(bits);
          bits &= bits - 1u;
          first = min(first, other);
          if (first != row) { continue; }
          for (var column = local; column < params.width; column += ${INVOCATIONS}u) {
            content[u32(own) * params.width + column] += values[other * params.width + column];
          }
        }
      }
      workgroupBarrier();
    }
  }`,
};

/** The content, in the same memory. */
function addRows({ content, indices, values }: AddRowsInputs): tf.TensorInfo {
  const [rows, width] = values.shape as [number, number];
  if (rows * width > 0)
    dispatch(shader, {
      outputs: [content],
      inputs: [indices, values],
      parameters: [u32(rows), u32(width)],
      workgroups: workgroupsForRows(rows),
    });
  webgpuBackend().incRef(content.dataId);
  return { dataId: content.dataId, shape: content.shape, dtype: content.dtype };
}

/**
 * Zeros, with the values added to the rows at these indices.
 * @param indices int32 [rows]
 * @param values [rows, width]
 * @param shape of the result, [count, width]
 */
export function summedRows(indices: tf.Tensor, values: tf.Tensor, shape: [number, number]): tf.Tensor2D {
  return tf.tidy(() => runKernel(ADD_ROWS, { content: tf.fill(shape, 0), indices, values }) as tf.Tensor2D);
}

export function registerGatherGradient(): void {
  register<AddRowsInputs, object>(ADD_ROWS, addRows);
}
