// Runs whose job on a cluster goes on while no process here follows it, as after a reboot. At the start of a window those that were
// started from its workspace are followed again, of others the user is asked.
import * as vscode from 'vscode';
import { keptAddresses as keptTexts } from '../keptValues.js';
import { guarded } from '../commands/guarded.js';
import { showInformationMessage } from '../window.js';
import { isOnCluster } from '../clusters/clusters.js';
import type { FolderRun } from './folderRun.js';
import type { FolderRunService } from './runService.js';

const STARTED = 'clusters.startedRuns';
/** Later ones push out the first. */
const MAX_KEPT = 100;

export function registerDetachedRuns(
  runs: FolderRunService,
  { workspaceState }: Pick<vscode.ExtensionContext, 'workspaceState'>,
  output: vscode.LogOutputChannel,
): vscode.Disposable {
  const started = () => keptTexts(workspaceState.get(STARTED));
  /** Considered once: what ends later in this window has its own notification. */
  const considered = new Set<string>();
  const consider = () => {
    if (!vscode.workspace.isTrusted) return;
    const found = runs.runs().filter(run => !considered.has(run.folder));
    for (const run of found) considered.add(run.folder);
    const detached = found.filter(({ phase }) => phase === 'detached');
    const own = detached.filter(({ folder }) => started().includes(folder));
    const others = detached.filter(run => !own.includes(run));
    for (const run of own) void guarded(output, 'follow the job of a run', () => runs.followJob(run));
    if (others.length > 0) void guarded(output, 'follow the jobs of runs', () => offer(runs, others));
  };
  consider();
  return vscode.Disposable.from(
    runs.onDidChange(consider),
    vscode.workspace.onDidGrantWorkspaceTrust(consider),
    runs.onDidStart(() => {
      const own = runs.startedHere().filter(run => isOnCluster(run.config));
      const folders = own.map(({ folder }) => folder).filter(folder => !started().includes(folder));
      for (const folder of folders) considered.add(folder);
      if (folders.length > 0) void workspaceState.update(STARTED, [...started(), ...folders].slice(-MAX_KEPT));
    }),
  );
}

async function offer(runs: FolderRunService, detached: readonly FolderRun[]): Promise<void> {
  const [first] = detached;
  const what =
    detached.length === 1
      ? `The job of ${first!.name} goes on on its cluster, and nothing follows it here.`
      : `The jobs of ${detached.length} runs go on on their clusters, and nothing follows them here.`;
  const follow = 'Resume';
  if ((await showInformationMessage(what, follow)) !== follow) return;
  for (const run of detached) await runs.followJob(run);
}
