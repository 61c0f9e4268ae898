// Where a run is trained, as the engine block of its run file: on this machine, or on a cluster. Pure.
import type { Cluster } from '../../protocol/clusters.js';

/** Keys of the engine block that only count on a cluster. */
export const CLUSTER_KEYS = ['address', 'num_workers', 'use_gpu', 'storage_path', 'strategy', 'runtime_env'] as const;
/** Those that only count on this machine. */
export const LOCAL_KEYS = ['backend', 'adapter', 'compile', 'base_weights', 'precision'] as const;

type Engine = Readonly<Record<string, unknown>>;

/** The block with the settings of a cluster; those of this machine are left out. */
export function engineOn(engine: Engine, cluster: Pick<Cluster, 'address'> & Partial<Cluster>): Engine {
  const { name: _name, price_per_hour: _price, ...settings } = cluster;
  const set = Object.entries(settings).filter(([key, value]) => value !== DEFAULTS[key] && value !== null);
  return {
    ...without(engine, [...CLUSTER_KEYS, ...LOCAL_KEYS, 'threads']),
    backend: 'ray',
    ...Object.fromEntries(set),
  };
}

/** The block without the settings of a cluster. */
export function engineHere(engine: Engine): Engine {
  return engine['backend'] === 'ray' ? without(engine, [...CLUSTER_KEYS, 'backend', 'threads']) : engine;
}

/** What a run file needn't say. */
const DEFAULTS: Engine = { num_workers: 1, use_gpu: false, strategy: 'auto' };

function without(engine: Engine, keys: readonly string[]): Engine {
  return Object.fromEntries(Object.entries(engine).filter(([key]) => !keys.includes(key)));
}
