import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { crc32c, EventFile } from '../../../../extension/src/engine/run/eventFile.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-events-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('EventFile', () => {
  it.each([
    // https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of ones', new Uint8Array(32).fill(255), 0x62a8ab43],
    ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ])('has the checksums of iSCSI: %s', (_, data, expected) => expect(crc32c(data)).toBe(expected));

  it('has the bytes that TensorBoard’s own writer writes', () => {
    new EventFile(folder, 1_700_000_000.5).scalars({ 'train/loss': 2.5, 'eval/loss': -1 }, 300, 1_700_000_001);
    const [name] = readdirSync(folder);
    expect(name).toBe('events.out.tfevents.1700000000.tunewright');
    expect(readFileSync(join(folder, name!)).toString('hex')).toBe(STORED);
  });
});

/** Of tensorboard.summary.writer.record_writer and its Event messages, for the same calls. */
const STORED =
  '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b3531102100000000000000017b' +
  'ecf60900004040fc54d94110ac022a130a110a0a747261696e2f6c6f73731500002040f66fe46b200000000000000029eda9' +
  '500900004040fc54d94110ac022a120a100a096576616c2f6c6f737315000080bf828537cb';
