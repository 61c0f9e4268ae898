// Commands for the tokens of Ray clusters.
import * as vscode from 'vscode';
import { withoutLogins } from '../../core/withoutLogins.js';
import { engineConfigSchema } from '../../protocol/engineConfig.js';
import type { Clusters } from '../clusters/clusters.js';
import { showInputBox, showQuickPick, tellBriefly } from '../window.js';
import { registerGuarded } from './guarded.js';

export function registerClusterCommands(clusters: Clusters, output: vscode.LogOutputChannel): vscode.Disposable {
  return vscode.Disposable.from(
    registerGuarded(output, 'tunewright.setClusterToken', async argument => {
      const title = 'Set Cluster Token';
      const address = typeof argument === 'string' ? argument : await pickAddress(clusters.addresses(), title);
      const token =
        address &&
        (await showInputBox({
          title,
          prompt: `Token of ${withoutLogins(address)}; it is kept in the editor’s secret storage`,
          password: true,
          ignoreFocusOut: true,
          validateInput: text => (/^[\x21-\x7e]+$/.test(text.trim()) ? null : 'A token is one word'),
        }));
      if (!token) return;
      await clusters.setToken(address, token.trim());
      tellBriefly('key', `The token is sent to ${withoutLogins(address)} from the next run on.`);
    }),
    registerGuarded(output, 'tunewright.clearClusterToken', async argument => {
      const known = await clusters.withToken();
      if (known.length === 0) return tellBriefly('key', 'No cluster has a token.');
      const title = 'Clear Cluster Token';
      const items = known.map(address => ({ label: withoutLogins(address), address }));
      const address = typeof argument === 'string' ? argument : (await showQuickPick(items, { title }))?.address;
      if (address === undefined) return;
      await clusters.clearToken(address);
      tellBriefly('key', `The token of ${withoutLogins(address)} was removed.`);
    }),
  );
}

async function pickAddress(known: readonly string[], title: string): Promise<string | undefined> {
  const other = { icon: 'edit', label: 'Another Address...', address: null };
  const items = [...known.map(address => ({ label: withoutLogins(address), address })), other];
  const picked = known.length === 0 ? other : await showQuickPick(items, { title });
  return picked && (picked.address ?? askAddress(title));
}

/** The address of a cluster's dashboard. */
export async function askAddress(title: string): Promise<string | undefined> {
  const isAddress = (text: string) => engineConfigSchema.shape.address.safeParse(text.trim()).success;
  const written = await showInputBox({
    title,
    prompt: 'Address of the Ray cluster’s dashboard',
    placeHolder: 'http://head:8265',
    validateInput: text => (isAddress(text) ? null : 'An address is such as http://head:8265, without a login in it'),
  });
  return written?.trim();
}
