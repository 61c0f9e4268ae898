// Where to run: the quick pick of commands that start or resume a run, shown only if the settings name clusters.
import * as vscode from 'vscode';
import { withoutLogins } from '../../core/withoutLogins.js';
import { engineOn, engineHere } from '../../core/runs/runPlace.js';
import { block } from '../../core/runs/runFileKeys.js';
import type { Cluster } from '../../protocol/clusters.js';
import { showQuickPick, type PickItem } from '../window.js';
import { addressOf, type Clusters } from './clusters.js';

type Named = Pick<Clusters, 'named'>;

interface Place extends PickItem {
  /** null: this machine. */
  cluster: Cluster | null;
  /** The settings already say so. */
  isKept: boolean;
}

/** The run with the engine settings of the chosen place. @throws vscode.CancellationError */
export async function atChosenPlace(config: object, clusters: Named, title: string): Promise<object> {
  const place = await choosePlace(config, clusters, title);
  if (place.isKept) return config;
  const engine = block(config as Record<string, unknown>, 'engine');
  return { ...config, engine: place.cluster === null ? engineHere(engine) : engineOn(engine, place.cluster) };
}

/** For `--on`; undefined: where the run was. @throws vscode.CancellationError */
export async function chosenPlace(config: object, clusters: Named, title: string): Promise<string | undefined> {
  const { cluster, isKept } = await choosePlace(config, clusters, title);
  return isKept ? undefined : (cluster?.name ?? 'here');
}

async function choosePlace(config: object, clusters: Named, title: string): Promise<Place> {
  const named = clusters.named();
  const kept = addressOf(config);
  const here: Place = { icon: 'vm', label: 'This machine', cluster: null, isKept: kept === null };
  const others = named.map((cluster): Place => {
    const description = [withoutLogins(cluster.address), workersOf(cluster)].join(' · ');
    return { icon: 'server-environment', label: cluster.name, description, cluster, isKept: false };
  });
  if (named.length === 0) return { ...here, isKept: true };
  const own: Place[] =
    kept === null
      ? [here]
      : [
          { icon: 'server-environment', label: 'As in its settings', description: kept, cluster: null, isKept: true },
          here,
        ];
  const picked = await showQuickPick([...own, ...others], { title, placeHolder: 'Where to run' });
  if (!picked) throw new vscode.CancellationError();
  return picked;
}

function workersOf({ num_workers: workers, use_gpu: gpus }: Cluster): string {
  return `${workers} ${workers === 1 ? 'worker' : 'workers'}${gpus ? ' with a GPU each' : ''}`;
}
