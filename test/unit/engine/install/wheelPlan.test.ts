import { describe, expect, it } from 'vitest';
import {
  CUDA_FILES,
  cudaRequirements,
  planWheel,
  TENSORFLOW_FILES,
} from '../../../../extension/src/engine/install/wheelPlan.js';

describe('planWheel', () => {
  it('is the CPU wheel, or the GPU one with the tags of NVIDIA’s wheels', () => {
    expect(planWheel('linux', 'x64', false)?.requirement).toBe('tensorflow-cpu==2.21.0');
    const gpu = planWheel('linux', 'x64', true);
    expect(gpu?.requirement).toBe('tensorflow==2.21.0');
    expect(gpu?.platforms).toContain('manylinux2014_x86_64');
  });

  it.each([
    ['win32', 'x64', false],
    ['darwin', 'x64', false],
    ['darwin', 'arm64', true],
  ] as const)('is null for %s-%s (gpu %s)', (platform, arch, gpu) => {
    expect(planWheel(platform, arch, gpu)).toBeNull();
  });
});

describe('cudaRequirements', () => {
  it('reads the requirements of the extra and-cuda, and no others', () => {
    const metadata = [
      'Name: tensorflow',
      'Requires-Dist: numpy>=1.26.0',
      'Provides-Extra: and-cuda',
      'Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
      "Requires-Dist: nvidia-nccl-cu12<3.0,>=2.27.7 ; extra == 'and-cuda'",
      'Requires-Dist: tensorflow-io-gcs-filesystem>=0.23.1; (sys_platform != "win32") and extra == "gcs-filesystem"',
    ].join('\n');
    expect(cudaRequirements(metadata)).toEqual(['nvidia-cublas-cu12<13.0,>=12.5.3.2', 'nvidia-nccl-cu12<3.0,>=2.27.7']);
  });
});

describe('the files that are kept', () => {
  it.each([
    'tensorflow/libtensorflow_cc.so.2',
    'tensorflow/libtensorflow_framework.so.2',
    'tensorflow/libtensorflow_cc.2.dylib',
    'tensorflow/include/tensorflow/c/eager/c_api.h',
    'tensorflow/include/tensorflow/core/platform/ctstring_internal.h',
    'tensorflow/include/xla/tsl/c/tsl_status.h',
    'tensorflow-2.21.0.dist-info/METADATA',
  ])('of TensorFlow: %s', name => expect(name).toMatch(new RegExp(TENSORFLOW_FILES)));

  it.each([
    'tensorflow/python/_pywrap_tfe.so',
    'tensorflow/include/external/llvm/x.h',
    'tensorflow/include/tensorflow/core/kernels/matmul.h',
    '../tensorflow/libtensorflow_cc.so.2',
  ])('not of TensorFlow: %s', name => expect(name).not.toMatch(new RegExp(TENSORFLOW_FILES)));

  it.each([
    'nvidia/cuda_runtime/lib/libcudart.so.12',
    'nvidia/cuda_nvcc/bin/ptxas',
    'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc',
  ])('of CUDA: %s', name => expect(name).toMatch(new RegExp(CUDA_FILES)));

  it.each(['nvidia/cuda_runtime/lib/libcudart_static.a', 'nvidia/cuda_runtime/include/cuda.h'])(
    'not of CUDA: %s',
    name => expect(name).not.toMatch(new RegExp(CUDA_FILES)),
  );
});
