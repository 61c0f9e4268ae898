// The webview's end of the channel to the extension host. The only module that calls acquireVsCodeApi(), which is
// allowed only once.
import { WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';

const vscode = acquireVsCodeApi();

export const host = new WebviewChannel(
  {
    post: message => vscode.postMessage(message),
    listen: listener => {
      const onMessage = (event: MessageEvent) => listener(event.data);
      window.addEventListener('message', onMessage);
      return () => window.removeEventListener('message', onMessage);
    },
  },
  fault => console.error(fault),
);

/** Saves state that the webview restores after it was hidden or the window was reloaded. */
export function keepState(state: unknown): void {
  vscode.setState(state);
}

export function keptState(): unknown {
  return vscode.getState();
}
