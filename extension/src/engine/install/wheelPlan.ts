// Which wheels of the Python package index hold TensorFlow for a machine, and which of their files are kept. Pure facts and
// parsing, no I/O; called by the wheel source.

/** Release of TensorFlow that the wheel source installs. */
export const WHEEL_VERSION = '2.21.0';

/** Which of a project's wheels are taken. */
export interface WheelTarget {
  /** Platform tags, the ones that are preferred first. */
  platforms: readonly string[];
  /** uv's name of the same platform, or null for the machine's own. */
  uvPlatform: string | null;
}

/** For wheels that hold data only. */
export const ANY_PLATFORM: WheelTarget = { platforms: ['any'], uvPlatform: null };

export interface WheelPlan extends WheelTarget {
  /** pip requirement, such as `tensorflow-cpu==2.21.0`. */
  requirement: string;
  /** Free bytes that the installation takes at its highest. */
  diskBytes: number;
}

const LINUX_X64_TAG = 'manylinux_2_27_x86_64';

/** NVIDIA's own wheels carry older tags than TensorFlow's; pip before 20.3 sees the last tag alone. */
const CUDA_TAGS = ['manylinux1_x86_64', 'manylinux2014_x86_64', 'manylinux_2_17_x86_64', LINUX_X64_TAG];

/** One way to a wheel: by Node itself, by pip or by uv. */
export interface WheelWay {
  name: string;
  /** Writes into `staging` at least those files of the wheel that the regular expression names. */
  fetch: (requirement: string, files: string, staging: string) => Promise<void>;
}

/** The plan for a platform, or null where the index has no wheel with a C library for it. */
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

/** Files of a TensorFlow wheel that are kept, as a regular expression: the two
 *  libraries and the headers that the addon's sources include, directly or through others. */
export const TENSORFLOW_FILES =
  '^tensorflow/(libtensorflow_(cc|framework)\\.(so\\.2|2\\.dylib)$|include/(tensorflow/c/|tensorflow/core/platform/ctstring|' +
  'tsl/platform/ctstring|xla/tsl/c/).*\\.h$)|\\.dist-info/METADATA$';

/** Files of NVIDIA's wheels that TensorFlow loads or runs. */
export const CUDA_FILES = '^nvidia/.*(/lib/.*\\.so[^/]*$|/nvvm/libdevice/|/bin/ptxas$)';

/** The CUDA requirements that a TensorFlow wheel's METADATA names under its extra `and-cuda`. */
export function cudaRequirements(metadata: string): string[] {
  return metadata
    .split('\n')
    .map(line => /^Requires-Dist:\s*([^;]+?)\s*;.*extra\s*==\s*["']and-cuda["']/.exec(line)?.[1])
    .filter(requirement => requirement !== undefined);
}
