// How long a row may be on a model with a method attached. Called by train and evaluate before rows are read.
import type { Architecture } from '../models/architecture.js';
import type { PeftMethod } from '../peft/method.js';

/** Positions of the model, less those that virtual tokens or a prefix take up before each example. Reads no tensor. */
export function sequenceRoom(
  architecture: Architecture,
  attached: { method: PeftMethod; config: unknown } | null,
): number {
  if (!attached) return architecture.maxPositions;
  const unread = () => {
    throw new Error('hooks must not read tensors before the forward pass');
  };
  const { virtualTokens, keyValuePrefix } = attached.method.hooks(attached.config, architecture, unread, 'inference');
  return architecture.maxPositions - (virtualTokens?.count ?? 0) - (keyValuePrefix?.count ?? 0);
}
