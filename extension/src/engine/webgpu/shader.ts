// Runs a compute shader of our own between tfjs's, in the same command buffer. Called by kernels/ only.
import * as tf from '@tensorflow/tfjs-core';
import { CodedError } from '../../core/codedError.js';
import { webgpuBackend, type WebgpuBackend } from './tfjsWebgpu.js';

export interface Shader {
  /** Shaders with the same key have the same code. */
  key: string;
  /**
   * WGSL with an entry point `main`. Its bindings in group 0 are the outputs, the inputs and, if there are parameters, a uniform, in
   * this order from 0 on: `bindingsOf` writes them.
   */
  code: () => string;
}

export interface Dispatch {
  /** Tensors that are written; those of `inputs` that are changed in place too. */
  outputs: readonly tf.TensorInfo[];
  inputs: readonly tf.TensorInfo[];
  /** Values of the uniform's members in order, four bytes each. */
  parameters?: readonly Parameter[];
  /** Number of workgroups; x is spread over y where it is more than the device allows in one dimension. */
  workgroups: readonly [x: number, y?: number, z?: number];
}

export type Parameter = { u32: number } | { f32: number };

export const u32 = (value: number): Parameter => ({ u32: value });
export const f32 = (value: number): Parameter => ({ f32: value });

/** Invocations of a workgroup of an elementwise shader. */
export const WORKGROUP = 64;

/** Workgroups for one invocation per element, as `element()` numbers them. */
export function workgroupsFor(elements: number): [number, number] {
  const most = webgpuBackend().device.limits.maxComputeWorkgroupsPerDimension;
  const groups = Math.ceil(elements / WORKGROUP);
  return groups <= most ? [groups, 1] : [most, Math.ceil(groups / most)];
}

/** WGSL: the entry point of a shader with one invocation per element; `index` is its number, to be compared with the count. */
export const ELEMENT_MAIN = `@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * ${WORKGROUP}u + local;`;

/**
 * WGSL declarations of a shader's bindings.
 * @param outputs names and element types, as `array<T>`; written
 * @param inputs the same, read
 * @param parameters members of the uniform `params`, such as `rows: u32`
 */
export function bindingsOf(
  outputs: Readonly<Record<string, string>>,
  inputs: Readonly<Record<string, string>>,
  parameters: readonly string[] = [],
): string {
  let binding = 0;
  const declare =
    (access: string) =>
    ([name, type]: [string, string]) =>
      `@group(0) @binding(${binding++}) var<storage, ${access}> ${name}: array<${type}>;`;
  return [
    ...Object.entries(outputs).map(declare('read_write')),
    ...Object.entries(inputs).map(declare('read')),
    ...(parameters.length > 0
      ? [`struct Params { ${parameters.join(', ')} }`, `@group(0) @binding(${binding}) var<uniform> params: Params;`]
      : []),
  ].join('\n');
}

const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

function pipelineOf({ device }: WebgpuBackend, { key, code }: Shader): GPUComputePipeline {
  const known = pipelines.get(device) ?? new Map<string, GPUComputePipeline>();
  pipelines.set(device, known);
  let pipeline = known.get(key);
  if (!pipeline) {
    const module = device.createShaderModule({ code: code(), label: key });
    pipeline = device.createComputePipeline({ compute: { module, entryPoint: 'main' }, label: key, layout: 'auto' });
    known.set(key, pipeline);
  }
  return pipeline;
}

/** An output for `dispatch`, which belongs to the caller. */
export function output(shape: number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
  return webgpuBackend().makeTensorInfo(shape, dtype);
}

/** An output without values, which no shader writes. */
export function emptied(result: tf.TensorInfo): tf.TensorInfo {
  webgpuBackend().tensorMap.get(result.dataId).values = tf.util.getTypedArrayFromDType(result.dtype as 'float32', 0);
  return result;
}

/** Records the shader's work; outputs are computed when the queue comes to it. */
export function dispatch(shader: Shader, { outputs, inputs, parameters = [], workgroups }: Dispatch): void {
  const backend = webgpuBackend();
  backend.checkErrors();
  const tensors = [...outputs, ...inputs];
  checkLimits(backend, shader.key, tensors.length, workgroups);
  for (const { dataId } of tensors) backend.uploadToGPU(dataId);
  const buffers = tensors.map(({ dataId }) => backend.tensorMap.get(dataId).resource!);
  if (parameters.length > 0) buffers.push(uniform(backend, parameters));
  const pipeline = pipelineOf(backend, shader);
  const bindGroup = backend.device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  backend.ensureCommandEncoderReady();
  backend.computePassEncoder ??= backend.commandEncoder!.beginComputePass();
  const pass = backend.computePassEncoder;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...(workgroups as [number, number?, number?]));
  if (++backend.dispatchCountInPass >= tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
}

/** What a device refuses leaves zeros. @throws CodedError */
function checkLimits(
  { device }: WebgpuBackend,
  key: string,
  buffers: number,
  workgroups: readonly (number | undefined)[],
): void {
  const { maxStorageBuffersPerShaderStage: mostBuffers, maxComputeWorkgroupsPerDimension: mostGroups } = device.limits;
  if (buffers > mostBuffers)
    throw new CodedError('internal', `${key} needs ${buffers} buffers, more than the ${mostBuffers} of this GPU`);
  const groups = Math.max(...workgroups.map(count => count ?? 1));
  if (groups > mostGroups) throw tooManyGroups(key, `${groups} workgroups, more than the ${mostGroups} of this GPU`);
}

/** @param what how many there are, and may be */
export function tooManyGroups(key: string, what: string): CodedError {
  return new CodedError('out_of_memory', `a tensor is too large for this GPU: ${key} needs ${what}`, {
    hint: 'Use a smaller training.per_device_train_batch_size or dataset.max_length, or engine.backend "auto".',
  });
}

function uniform(backend: WebgpuBackend, parameters: readonly Parameter[]): GPUBuffer {
  const data = new DataView(new ArrayBuffer(16 * Math.ceil(parameters.length / 4)));
  for (const [i, parameter] of parameters.entries())
    if ('u32' in parameter) data.setUint32(4 * i, parameter.u32, true);
    else data.setFloat32(4 * i, parameter.f32, true);
  const buffer = backend.bufferManager.acquireBuffer(data.byteLength, GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM);
  backend.device.queue.writeBuffer(buffer, 0, data.buffer);
  backend.uniformPendingDisposal.push(buffer);
  return buffer;
}
