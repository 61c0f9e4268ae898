// Loads TensorFlow's C library through tfjs-node's addon and registers it as the tfjs backend `tensorflow`. Called by
// openBackend only, once per process.
import * as tf from '@tensorflow/tfjs-core';
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import type { EngineInstallation } from '../install/installation.js';
import { cpuModel } from '../machine/machine.js';
import { requirePackage } from '../install/tfjsNodePackage.js';
import { createNodeBackend, REAL } from '../capture/nodeBackend.js';
import type { Addon } from '../capture/tfjsNode.js';
import type { Backend } from './backend.js';

/**
 * @param threads null: all cores. TensorFlow reads it once, while its library is loaded.
 * @throws Error of the dynamic loader if the library can't be loaded
 */
export async function loadTensorflowBackend(
  installation: EngineInstallation,
  threads: number | null,
): Promise<Backend> {
  const quiet = process.env.TF_CPP_MIN_LOG_LEVEL === undefined;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  // TensorFlow disables oneDNN on CPUs without AVX512_VNNI, although it makes a step a fifth faster there (decisions/0026).
  if (process.arch === 'x64') process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  if (threads !== null) {
    process.env.TF_NUM_INTRAOP_THREADS = String(threads);
    process.env.TF_NUM_INTEROP_THREADS = String(threads);
  }

  const binding = loadBinding(installation, quiet);
  const backend = createNodeBackend(binding);
  tf.registerBackend(REAL, () => backend);
  await tf.setBackend(REAL);
  return {
    name: 'tensorflow',
    libraryVersion: binding.TF_Version,
    device: backend.isUsingGpuDevice ? 'GPU (CUDA)' : `CPU (${cpuModel()})`,
    threads: threads ?? availableParallelism(),
  };
}

/** The addon's exports. Loading it loads the library, whose first messages can only be silenced by muting stderr. */
function loadBinding({ folder, addon, muteStderr }: EngineInstallation, quiet: boolean): Addon {
  const stderr = quiet && muteStderr !== null ? requirePackage(join(folder, muteStderr)) : null;
  stderr?.mute();
  try {
    return requirePackage(join(folder, addon)) as Addon;
  } finally {
    stderr?.restore();
  }
}
