// Shows the address of the server in the status bar, or how many there are; hidden while there is none. A click offers what can be
// done with them.
import * as vscode from 'vscode';
import { iconText } from '../window.js';
import { titleOf, type Servers } from './servers.js';

export function registerServerStatusBar(servers: Servers): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('tunewright.server', vscode.StatusBarAlignment.Left, 49);
  item.name = 'Tunewright Server';
  item.command = 'tunewright.serverActions';
  const show = () => {
    const listening = servers.list();
    void vscode.commands.executeCommand('setContext', 'tunewright.servers', listening.length);
    const [first] = listening;
    if (!first) return item.hide();
    const text = listening.length === 1 ? first.address : `${listening.length} servers`;
    const lines = listening.map(({ served, address }) => `${titleOf(served)} at ${address}`);
    item.text = iconText('broadcast', text);
    item.tooltip = ['Tunewright serves:', ...lines].join('\n');
    item.accessibilityInformation = { label: `Tunewright serves ${lines.join(', ')}` };
    item.show();
  };
  show();
  return vscode.Disposable.from(item, servers.onDidChange(show));
}
