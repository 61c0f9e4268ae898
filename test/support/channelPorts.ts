// The two ends of a webview's connection within one process. Both directions copy and are delayed, as in VS Code.
import type { ChannelPort } from '../../extension/src/protocol/webviewChannel.js';

export function ports(): [ChannelPort, ChannelPort] {
  const listeners: ((message: unknown) => void)[][] = [[], []];
  const port = (own: 0 | 1): ChannelPort => ({
    post: message => queueMicrotask(() => listeners[1 - own]!.forEach(listener => listener(structuredClone(message)))),
    listen: listener => {
      listeners[own]!.push(listener);
      return () => void listeners[own]!.splice(listeners[own]!.indexOf(listener), 1);
    },
  });
  return [port(0), port(1)];
}
