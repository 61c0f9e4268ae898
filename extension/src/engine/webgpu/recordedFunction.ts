// A function on tensors as a list of commands: recorded once, without computing, and then run again on other inputs at the cost of three
// calls a command. Frozen tensors that the function reads are bound as they are. Owns the buffers of its inputs and constants;
// intermediate results are in buffers that all recordings share, since only one runs at a time.
import * as tf from '@tensorflow/tfjs-core';
import { bytesOf, webgpuBackend, type WebgpuBackend } from './tfjsWebgpu.js';
import type { GpuMemory } from './gpuMemory.js';

type Command =
  | { pipeline: GPUComputePipeline; bindGroup: GPUBindGroup; workgroups: [number, number?, number?] }
  | { from: GPUBuffer; fromOffset: number; to: GPUBuffer; toOffset: number; size: number };

interface Described {
  shape: readonly number[];
  dtype: tf.DataType;
}

export class RecordedFunction {
  private constructor(
    private readonly commands: readonly Command[],
    private readonly inputs: readonly GPUBuffer[],
    private readonly outputs: readonly (Described & { buffer: GPUBuffer })[],
    private readonly own: readonly GPUBuffer[],
    private readonly memory: GpuMemory,
    /** Recording, with the compilation of new shaders. */
    readonly compileMs: number,
  ) {}

  get nodes(): number {
    return this.commands.length;
  }

  static record(inputs: readonly Described[], f: (...inputs: tf.Tensor[]) => tf.Tensor[]): RecordedFunction {
    const began = performance.now();
    const backend = webgpuBackend();
    flush(backend);
    const commands: Command[] = [];
    const slots: GPUBuffer[] = [];
    const outputs: (Described & { buffer: GPUBuffer })[] = [];
    const memory = backend.bufferManager as GpuMemory;
    const { uploadToGPU, submitQueue } = backend;
    const first = nextDataId(backend);
    const own = memory.record(() => {
      backend.commandEncoder = recorder(commands);
      backend.submitQueue = () => (backend.dispatchCountInPass = 0);
      // A tensor from outside outlives the recording.
      backend.uploadToGPU = dataId =>
        (dataId as { id: number }).id < first
          ? memory.outside(() => uploadToGPU.call(backend, dataId))
          : uploadToGPU.call(backend, dataId);
      try {
        tf.tidy(() => {
          const tensors = inputs.map(({ shape, dtype }) => {
            const info = backend.makeTensorInfo([...shape], dtype);
            const buffer = memory.acquireBuffer(bytesOf(info), STORAGE, true);
            buffer.unmap();
            backend.tensorMap.get(info.dataId).resource = buffer;
            slots.push(buffer);
            return tf.engine().makeTensorFromTensorInfo(info);
          });
          for (const { dataId, shape, dtype } of f(...tensors)) {
            backend.uploadToGPU(dataId);
            outputs.push({ shape, dtype, buffer: backend.tensorMap.get(dataId).resource! });
          }
        });
      } finally {
        backend.endComputePassEncoder();
        backend.commandEncoder = null;
        backend.dispatchCountInPass = 0;
        backend.uniformPendingDisposal = [];
        backend.uploadToGPU = uploadToGPU;
        backend.submitQueue = submitQueue;
      }
    });
    return new RecordedFunction(commands, slots, outputs, own, memory, performance.now() - began);
  }

  /** Runs the commands on these inputs. The results belong to the caller. */
  run(inputs: readonly tf.Tensor[]): tf.Tensor[] {
    const backend = webgpuBackend();
    backend.checkErrors();
    for (const { dataId } of inputs) backend.uploadToGPU(dataId);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    const encoder = backend.commandEncoder!;
    for (const [i, tensor] of inputs.entries()) {
      const size = bytesOf(tensor);
      if (size > 0)
        encoder.copyBufferToBuffer(backend.tensorMap.get(tensor.dataId).resource!, 0, this.inputs[i]!, 0, size);
    }
    let pass: GPUComputePassEncoder | null = null;
    for (const command of this.commands)
      if ('pipeline' in command) {
        pass ??= encoder.beginComputePass();
        pass.setPipeline(command.pipeline);
        pass.setBindGroup(0, command.bindGroup);
        pass.dispatchWorkgroups(...command.workgroups);
      } else {
        pass?.end();
        pass = null;
        encoder.copyBufferToBuffer(command.from, command.fromOffset, command.to, command.toOffset, command.size);
      }
    pass?.end();
    const results = this.outputs.map(({ shape, dtype, buffer }) => {
      const info = backend.makeTensorInfo([...shape], dtype);
      backend.uploadToGPU(info.dataId);
      const size = bytesOf(info);
      if (size > 0) encoder.copyBufferToBuffer(buffer, 0, backend.tensorMap.get(info.dataId).resource!, 0, size);
      return tf.engine().makeTensorFromTensorInfo(info);
    });
    backend.submitQueue();
    return results;
  }

  dispose(): void {
    for (const buffer of this.own) this.memory.destroy(buffer);
  }
}

const STORAGE = 0x80 | 0x4 | 0x8; // GPUBufferUsage.STORAGE | COPY_SRC | COPY_DST

function flush(backend: WebgpuBackend): void {
  if (!backend.commandEncoder) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** A command encoder that keeps what it is told instead of passing it on. */
function recorder(commands: Command[]): GPUCommandEncoder {
  let pipeline: GPUComputePipeline;
  let bindGroup: GPUBindGroup;
  const pass = {
    setPipeline: (next: GPUComputePipeline) => (pipeline = next),
    setBindGroup: (_index: number, next: GPUBindGroup) => (bindGroup = next),
    dispatchWorkgroups: (...workgroups: [number, number?, number?]) =>
      commands.push({ pipeline, bindGroup, workgroups }),
    end: () => {},
  };
  const encoder = {
    beginComputePass: () => pass,
    copyBufferToBuffer: (from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, size: number) =>
      commands.push({ from, fromOffset, to, toOffset, size }),
  };
  return encoder as unknown as GPUCommandEncoder;
}

/** tfjs numbers the data of tensors as they come. */
function nextDataId(backend: WebgpuBackend): number {
  const { dataId } = backend.makeTensorInfo([0], 'float32');
  backend.disposeData(dataId);
  return (dataId as { id: number }).id;
}
