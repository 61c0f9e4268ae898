// Sets the page of a webview and creates the host's end of its channel. Used by all webview providers.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { WebviewChannel } from '../../protocol/webviewChannel.js';
import type { HostServices } from '../services.js';
import { webviewHtml } from './webviewHtml.js';

export interface WebviewBundle {
  /** Of `<name>.js` and `<name>.css` in dist/webview. */
  name: string;
  title: string;
  /** Data for the first paint; the script requests everything else. */
  initial?: unknown;
  /** Commands that its links may execute. */
  commands?: readonly string[];
}

/** The caller must dispose the channel together with the webview. */
export function webviewChannelOf(
  webview: vscode.Webview,
  { name, title, initial, commands = [] }: WebviewBundle,
  { context, output }: HostServices,
): WebviewChannel {
  const folder = vscode.Uri.joinPath(context.extensionUri, 'dist', 'webview');
  const address = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, file)).toString();
  webview.options = { enableScripts: true, enableCommandUris: commands, localResourceRoots: [folder] };
  const channel = new WebviewChannel(
    {
      post: message => void webview.postMessage(message),
      listen: listener => {
        const subscription = webview.onDidReceiveMessage(listener);
        return () => subscription.dispose();
      },
    },
    fault => output.error(`${title}: ${fault}`),
  );
  webview.html = webviewHtml({
    title,
    initial,
    cspSource: webview.cspSource,
    nonce: randomBytes(16).toString('hex'),
    script: address(`${name}.js`),
    styles: [address('codicon.css'), address(`${name}.css`)],
  });
  return channel;
}

/** The icon of tabs with runs. */
export function tabIcon({ extensionUri }: vscode.ExtensionContext): { light: vscode.Uri; dark: vscode.Uri } {
  const icon = (theme: string) => vscode.Uri.joinPath(extensionUri, 'media', 'icons', `dashboard-${theme}.svg`);
  return { light: icon('light'), dark: icon('dark') };
}
