// Serves requests of another program on standard input and output, which then carry only messages. Called by `resident` and
// `session`.
import { Writable } from 'node:stream';
import { endWithParent } from '../../system/endWithParent.js';
import { serveResident, type ServedRequest } from '../resident/residentEngine.js';
import { printNote } from './print.js';

/**
 * Ends the process when its input or the process that started it ends.
 * @throws Error if a message can't be read or written
 * @param close frees what the requests hold
 * @param stuckMs also ends the process once a request has kept it busy for this time without a pause
 */
export async function serveStandardStreams(
  requests: readonly ServedRequest[],
  { close = () => {}, stuckMs }: { close?: () => void; stuckMs?: number } = {},
): Promise<void> {
  endWithParent({ stuckMs });
  try {
    await serveResident(process.stdin, claimStandardOutput(), requests, printNote);
  } catch (error) {
    // An open input would keep the process alive.
    process.stdin.destroy();
    throw error;
  } finally {
    close();
  }
  process.exit();
}

/** Redirects all other output to standard error, since a stray line would break the messages. */
export function claimStandardOutput(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return new Writable({ write: (chunk: Buffer, encoding, done) => void write(chunk, encoding, done) });
}
