// Dawn, Chromium's WebGPU library, as npm's package `webgpu` builds it: loads its addon, lists the machine's GPUs and opens one.
// Needs nothing but the GPU's own Vulkan, Metal or D3D12 driver.
import { InputError } from '../../core/inputError.js';
import { damageOf, findDawn } from '../install/dawnPackage.js';
import { mayHaveGpu } from '../machine/machine.js';
import { requirePackage } from '../install/tfjsNodePackage.js';
import type { GpuAdapter } from '../../protocol/engineStatus.js';

/** The exports of `dawn.node`. */
interface Dawn {
  /** @param options such as `adapter=NAME`, `enable-dawn-features=a,b` */
  create(options: string[]): GPU;
  /** The classes and constants that a browser has as globals. */
  globals: Record<string, unknown>;
}

const UNUSABLE = { code: 'engine_not_installed', key: 'engine.backend' } as const;
const INSTALL = 'tunewright engine install --webgpu';

let loaded: Dawn | null = null;

/** @throws InputError if there is no addon for this machine, or it can't be loaded */
function loadDawn(): Dawn {
  if (loaded) return loaded;
  const path = findDawn();
  if (path === null) throw new InputError('WebGPU is not installed', { ...UNUSABLE, hint: `Run: ${INSTALL}` });
  const damage = damageOf(path);
  if (damage !== null)
    throw new InputError(`WebGPU's library is damaged: ${damage} (${path})`, { ...UNUSABLE, hint: `Run: ${INSTALL}` });
  // Chromium's SwiftShader refuses to start without it, on machines without a desktop.
  if (process.platform === 'linux') process.env.XDG_RUNTIME_DIR ??= '/tmp';
  // Mesa's software driver, which Dawn refuses with a warning on standard error.
  process.env.VK_LOADER_DRIVERS_DISABLE ??= '*lvp*';
  try {
    loaded = requirePackage(path) as Dawn;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new InputError(`WebGPU could not be loaded from ${path} (${reason})`, {
      ...UNUSABLE,
      hint: `Run: ${INSTALL} --force`,
    });
  }
  // tfjs refers to GPUBuffer, GPUBufferUsage and others as a browser's globals.
  for (const [name, value] of Object.entries(loaded.globals)) (globalThis as Record<string, unknown>)[name] ??= value;
  return loaded;
}

// No adapter has this name; Dawn's refusal lists those that there are.
const NO_NAME = 'adapter=\u0001';

/** Names and backends of all GPUs with a driver, as Dawn lists them; empty if there are none. */
async function listNames(dawn: Dawn): Promise<{ name: string; backend: string }[]> {
  try {
    await createInstance(dawn, [NO_NAME]).requestAdapter();
    return [];
  } catch (error) {
    return [...(error as Error).message.matchAll(/\* backend: '([^']*)', name: '(.*)'$/gm)]
      .map(([, backend, name]) => ({ backend: backend!, name: name! }))
      .filter(({ backend }) => backend !== 'null');
  }
}

/** Dawn's addon doesn't keep an instance for its devices: once it is collected, their promises never settle. */
const instances: GPU[] = [];

function createInstance(dawn: Dawn, options: string[]): GPU {
  const gpu = dawn.create(options);
  instances.push(gpu);
  return gpu;
}

async function requestAdapter(dawn: Dawn, name: string, backend: string): Promise<GPUAdapter | null> {
  const gpu = createInstance(dawn, [`adapter=${name}`, `backend=${backend}`, 'enable-dawn-features=allow_unsafe_apis']);
  return gpu.requestAdapter({ powerPreference: 'high-performance' });
}

/**
 * All GPUs that WebGPU can use, in Dawn's order. A GPU with two drivers is listed twice.
 * @throws InputError if Dawn isn't installed or can't be loaded
 */
export async function listGpuAdapters(): Promise<GpuAdapter[]> {
  const dawn = loadDawn();
  const adapters: GpuAdapter[] = [];
  for (const { name, backend } of await listNames(dawn)) {
    const adapter = await requestAdapter(dawn, name, backend);
    if (adapter) adapters.push(described(adapter, adapters.length, name, backend));
  }
  return adapters;
}

/**
 * The first GPU that isn't software; null if there is none. Dawn is loaded only where there may be one.
 * @throws as {@link listGpuAdapters}
 */
export async function findRealGpu(): Promise<GpuAdapter | null> {
  if (!mayHaveGpu()) return null;
  return (await listGpuAdapters()).find(({ type }) => type !== 'software') ?? null;
}

function described({ info, limits, features }: GPUAdapter, index: number, name: string, backend: string): GpuAdapter {
  return {
    index,
    name,
    backend,
    type: info.isFallbackAdapter ? 'software' : 'gpu',
    driver: info.description,
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
    features: USED_FEATURES.filter(feature => features.has(feature)),
  };
}

/** Those that make kernels faster, or measure them. */
const USED_FEATURES = ['timestamp-query', 'subgroups', 'shader-f16'] as const;

/** Those above the standard's defaults that are asked for, as high as the adapter allows. */
const USED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/**
 * Opens a GPU.
 * @param chosen its name, a part of it, or its index in `engine status`; null: the first that isn't software, else the first
 * @throws InputError if there is no such GPU
 */
export async function openGpu(chosen: string | number | null): Promise<{ device: GPUDevice; adapter: GpuAdapter }> {
  const adapters = await listGpuAdapters();
  const adapter = chooseAdapter(adapters, chosen);
  const opened = await requestAdapter(loadDawn(), adapter.name, adapter.backend);
  if (!opened) throw new Error(`the GPU ${adapter.name} can't be opened any more`);
  const device = await opened.requestDevice({
    requiredFeatures: [...adapter.features] as GPUFeatureName[],
    requiredLimits: Object.fromEntries(USED_LIMITS.map(limit => [limit, opened.limits[limit]])),
  });
  return { device, adapter };
}

export function chooseAdapter(adapters: readonly GpuAdapter[], chosen: string | number | null): GpuAdapter {
  const listed = adapters.map(({ index, name, backend }) => `${index}: ${name} (${backend})`).join(', ');
  if (adapters.length === 0)
    throw new InputError('WebGPU finds no GPU on this machine', {
      key: 'engine.backend',
      hint: 'It needs a Vulkan driver (Linux), Metal (macOS) or Direct3D 12 (Windows). Use "auto" to train on the CPU.',
    });
  if (chosen === null) return adapters.find(({ type }) => type !== 'software') ?? adapters[0]!;
  // A number that is no index may be a part of a name, such as 4090.
  const found =
    (typeof chosen === 'number' ? adapters[chosen] : undefined) ??
    adapters.find(({ name }) => name.toLowerCase().includes(String(chosen).toLowerCase()));
  if (!found)
    throw new InputError(`no GPU ${JSON.stringify(chosen)}`, {
      key: 'engine.adapter',
      hint: `There are: ${listed}`,
    });
  return found;
}
