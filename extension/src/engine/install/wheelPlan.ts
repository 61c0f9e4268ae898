// Which wheels of the Python package index contain TensorFlow for a platform, and which of their files are kept. Facts and parsing
// only, no I/O; called by wheel.ts.

/** TensorFlow release of the wheel source. */
export const WHEEL_VERSION = '2.21.0';

/** Which wheels of a project are accepted. */
export interface WheelTarget {
  /** Platform tags, in order of preference. */
  platforms: readonly string[];
  /** uv's name of the same platform; null for the current one. */
  uvPlatform: string | null;
}

/** For wheels that contain data only. */
export const ANY_PLATFORM: WheelTarget = { platforms: ['any'], uvPlatform: null };

export interface WheelPlan extends WheelTarget {
  /** pip requirement, such as `tensorflow-cpu==2.21.0`. */
  requirement: string;
  /** Peak disk usage of the installation. */
  diskBytes: number;
}

const LINUX_X64_TAG = 'manylinux_2_27_x86_64';

/** NVIDIA's wheels have older tags than TensorFlow's; pip before 20.3 uses the last tag only. */
const CUDA_TAGS = ['manylinux1_x86_64', 'manylinux2014_x86_64', 'manylinux_2_17_x86_64', LINUX_X64_TAG];

/** A way to download wheels: Node, pip or uv. */
export interface WheelWay {
  name: string;
  /** Writes to `staging` at least those files of the wheel that match the regular expression `files`. */
  fetch: (requirement: string, files: string, staging: string) => Promise<void>;
}

/** The plan for a platform; null if the index has no wheel with a C library for it. */
export function planWheel(platform: string, arch: string, gpu: boolean): WheelPlan | null {
  if (platform === 'linux' && arch === 'x64')
    return {
      requirement: `${gpu ? 'tensorflow' : 'tensorflow-cpu'}==${WHEEL_VERSION}`,
      platforms: gpu ? CUDA_TAGS : [LINUX_X64_TAG],
      uvPlatform: 'x86_64-manylinux_2_28',
      diskBytes: gpu ? 8e9 : 2e9,
    };
  if (platform === 'darwin' && arch === 'arm64' && !gpu)
    return {
      requirement: `tensorflow==${WHEEL_VERSION}`,
      platforms: ['macosx_12_0_arm64'],
      uvPlatform: 'aarch64-apple-darwin',
      diskBytes: 2e9,
    };
  return null;
}

/** Files of a TensorFlow wheel that are kept, as a regular expression: the two libraries and the headers that the addon's sources
 *  include, directly or indirectly. */
export const TENSORFLOW_FILES =
  '^tensorflow/(libtensorflow_(cc|framework)\\.(so\\.2|2\\.dylib)$|include/(tensorflow/c/|tensorflow/core/platform/ctstring|' +
  'tsl/platform/ctstring|xla/tsl/c/).*\\.h$)|\\.dist-info/METADATA$';

/** Files of NVIDIA's wheels that TensorFlow loads or executes. */
export const CUDA_FILES = '^nvidia/.*(/lib/.*\\.so[^/]*$|/nvvm/libdevice/|/bin/ptxas$)';

/** The CUDA requirements in the METADATA of a TensorFlow wheel, from its extra `and-cuda`. */
export function cudaRequirements(metadata: string): string[] {
  return metadata
    .split('\n')
    .map(line => /^Requires-Dist:\s*([^;]+?)\s*;.*extra\s*==\s*["']and-cuda["']/.exec(line)?.[1])
    .filter(requirement => requirement !== undefined);
}
