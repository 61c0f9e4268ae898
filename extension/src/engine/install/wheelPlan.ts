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
  /** SHA-256 of TensorFlow's wheel, so that no index decides which code is run. */
  sha256: string;
  /** Peak disk usage of the installation. */
  diskBytes: number;
}

/** The wheels of the release as the Python package index has them. They are changed together with `WHEEL_VERSION`. */
const SHA256 = {
  linux: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  linuxGpu: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
  macos: '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
};

const LINUX_X64_TAG = 'manylinux_2_27_x86_64';

/** NVIDIA's wheels have older tags than TensorFlow's; pip before 20.3 uses the last tag only. */
const CUDA_TAGS = ['manylinux1_x86_64', 'manylinux2014_x86_64', 'manylinux_2_17_x86_64', LINUX_X64_TAG];

/** A way to download wheels: Node, pip or uv. */
export interface WheelWay {
  name: string;
  /**
   * Writes to `staging` at least those files of the wheel that match the regular expression `files`.
   * @param sha256 of the wheel; null: as the index says
   */
  fetch: (requirement: string, files: string, staging: string, sha256: string | null) => Promise<void>;
}

/** The plan for a platform; null if the index has no wheel with a C library for it. */
export function planWheel(platform: string, arch: string, gpu: boolean): WheelPlan | null {
  if (platform === 'linux' && arch === 'x64')
    return {
      requirement: `${gpu ? 'tensorflow' : 'tensorflow-cpu'}==${WHEEL_VERSION}`,
      sha256: gpu ? SHA256.linuxGpu : SHA256.linux,
      platforms: gpu ? CUDA_TAGS : [LINUX_X64_TAG],
      uvPlatform: 'x86_64-manylinux_2_28',
      diskBytes: gpu ? 8e9 : 2e9,
    };
  if (platform === 'darwin' && arch === 'arm64' && !gpu)
    return {
      requirement: `tensorflow==${WHEEL_VERSION}`,
      sha256: SHA256.macos,
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
