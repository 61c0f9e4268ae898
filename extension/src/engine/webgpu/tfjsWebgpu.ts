// What the engine uses of tfjs's WebGPU backend: its package is loaded by name, so its types are named here.
import type * as tf from '@tensorflow/tfjs-core';

/** A compute shader as tfjs's backend runs it. */
export interface WebgpuProgram {
  /** Distinguishes compiled shaders, together with the inputs' ranks and types. */
  shaderKey: string;
  outputShape: number[];
  dispatchLayout: { x: number[]; y?: number[]; z?: number[] };
  dispatch: [number, number, number];
  workgroupSize: [number, number, number];
  variableNames: string[];
  /** Declarations of the program's own uniforms, such as `scale : f32,`. */
  uniforms?: string;
  /** Whether the uniform `size` is wanted. */
  size?: boolean;
  outputComponent?: number;
  variableComponents?: number[];
  getUserCode(): string;
}

export type ProgramUniforms = { type: 'int32' | 'uint32' | 'float32'; data: number[] }[];

export interface WebgpuBackend extends tf.KernelBackend {
  readonly device: GPUDevice;
  read(dataId: object): Promise<tf.BackendValues>;
  runWebGPUProgram(
    program: WebgpuProgram,
    inputs: tf.TensorInfo[],
    outputDtype: tf.DataType,
    uniforms?: ProgramUniforms,
    output?: tf.TensorInfo,
  ): tf.TensorInfo;
}
