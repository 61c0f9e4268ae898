// Gives a webview its page and the host's end of its channel. Used by every provider of a webview.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { WebviewChannel } from '../../protocol/webviewChannel.js';
import type { HostServices } from '../services.js';
import { webviewHtml } from './webviewHtml.js';

export interface WebviewBundle {
  /** Of dist/webview: `<name>.js` and `<name>.css`. */
  name: string;
  title: string;
  /** What its script is to show at once; it asks for what comes later. */
  initial?: unknown;
  /** Commands that its links may carry out. */
  commands?: readonly string[];
}

/** The channel belongs to the caller, who disposes it with the webview. */
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
