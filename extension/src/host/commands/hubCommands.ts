// Commands that take a run's result elsewhere: to the Hugging Face Hub, and into a Python program. The engine's `push` and `eject` do the
// work. The hub's access token is asked for once, kept in the editor's secret storage, and given to the engine in its environment only.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { peftTypeOf } from '../../core/runs/runFileKeys.js';
import type { Exported, ExportPlan } from '../../protocol/exportAnswers.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import type { FolderRunService } from '../runs/runService.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import { EngineInputError, type HostServices } from '../services.js';
import { showInformationMessage, showInputBox, showQuickPick, cancellable } from '../window.js';
import { registerGuarded } from './guarded.js';
import { pickRun } from './pickRun.js';

const SECRET = 'tunewright.hubToken';
const TOKEN_KEY = 'HF_TOKEN';

export function registerHubCommands(
  { engine, output, context }: Omit<HostServices, 'runs'>,
  runs: FolderRunService,
  methods: KnownMethods,
): vscode.Disposable {
  const { secrets } = context;
  return vscode.Disposable.from(
    registerGuarded(output, 'tunewright.pushToHub', async argument => {
      const title = 'Push to Hugging Face';
      const run = await pickRun(runs, argument, title, each => resultOf(each) !== null);
      const result = run && resultOf(run);
      if (!result) return;
      const { mergeable } = methods.usesOf(peftTypeOf(run.config));
      const contents = [
        ...(isWholeModel(result) ? [] : [{ label: 'Adapter', content: 'adapter' }]),
        ...(mergeable ? [{ label: 'Merged Model', content: 'folder' }] : []),
        ...(mergeable ? [{ label: 'Merged Model as GGUF', content: 'gguf' }] : []),
      ];
      const chosen = contents.length > 1 ? await showQuickPick(contents, { title }) : { content: null };
      if (!chosen) return;
      const repo = await showInputBox({
        title,
        prompt: 'Repository; leave empty for your account and the name of the run',
        placeHolder: 'user/name',
      });
      if (repo === undefined) return;
      const visibility = await showQuickPick(
        [
          { label: 'Private', flags: [] },
          { label: 'Public', description: 'Everybody can see it', flags: ['--public'] },
        ],
        { title },
      );
      if (!visibility) return;
      const args = ['push', result, ...(repo ? ['--repo', repo] : []), ...visibility.flags];
      if (chosen.content) args.push('--content', chosen.content);
      const env =
        (await keptToken(secrets)) ??
        (await askToken(title, secrets, () => engine.json<ExportPlan>([...args, '--dry-run'])));
      if (!env) return;
      try {
        const { place } = await cancellable(`Pushing ${run.name}`, token =>
          engine.json<Exported>(args, { token, env }),
        );
        const open = 'Open in Browser';
        if ((await showInformationMessage(`${run.name} is at ${place}.`, open)) === open)
          await vscode.env.openExternal(vscode.Uri.parse(place));
      } catch (error) {
        // The next push asks for another one.
        if (error instanceof EngineInputError && error.record.key === TOKEN_KEY) await secrets.delete(SECRET);
        throw error;
      }
    }),
    registerGuarded(output, 'tunewright.ejectRun', async argument => {
      const run = await pickRun(runs, argument, 'Eject to Python', () => true);
      const home = vscode.workspace.workspaceFolders?.[0]?.uri;
      const target =
        run &&
        (await vscode.window.showSaveDialog({
          title: `Eject ${run.name} to Python`,
          saveLabel: 'Eject',
          filters: { Python: ['py'] },
          defaultUri: home && vscode.Uri.joinPath(home, `${run.name.replace(/[^\w.-]+/g, '-')}.py`),
        }));
      if (!target) return;
      // The dialog has confirmed that the program is replaced.
      const force = existsSync(target.fsPath) ? ['--force'] : [];
      const args = ['eject', join(run.folder, 'run.json'), '--out', target.fsPath, ...force];
      await cancellable(`Ejecting ${run.name}`, token => engine.json(args, { token }));
      await vscode.window.showTextDocument(target);
    }),
  );
}

/** The environment with the token that was given once; undefined if none was. */
export async function keptToken(secrets: vscode.SecretStorage): Promise<Record<string, string> | undefined> {
  const kept = await secrets.get(SECRET);
  return kept ? { [TOKEN_KEY]: kept } : undefined;
}

/** The environment with the user's token: empty if the machine has one already; undefined if the user cancelled. */
async function askToken(
  title: string,
  secrets: vscode.SecretStorage,
  plan: () => Promise<ExportPlan>,
): Promise<Record<string, string> | undefined> {
  const { needs } = await plan();
  if (needs.every(({ met }) => met)) return {};
  const token = await showInputBox({
    title,
    prompt: 'Hugging Face access token with write permission (huggingface.co/settings/tokens)',
    password: true,
    ignoreFocusOut: true,
    validateInput: text => (/^hf_\S+$/.test(text.trim()) ? null : 'A token begins with hf_'),
  });
  if (token === undefined) return undefined;
  await secrets.store(SECRET, token.trim());
  return { [TOKEN_KEY]: token.trim() };
}
