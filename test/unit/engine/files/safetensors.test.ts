// safetensors: written files can be read, and wrong headers are InputErrors that name file and tensor.
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import {
  openSafetensors,
  writeDeviceTensors,
  writeSafetensors,
} from '../../../../extension/src/engine/files/safetensors.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'safetensors-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function writeRaw(header: unknown, dataBytes: number, claimedLength?: bigint): string {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(claimedLength ?? BigInt(Buffer.byteLength(json)));
  const path = join(folder, 'raw.safetensors');
  writeFileSync(path, Buffer.concat([prefix, Buffer.from(json), Buffer.alloc(dataBytes)]));
  return path;
}

function failure(action: () => unknown): InputError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error('nothing was thrown');
}

describe('round trip', () => {
  const values = Float32Array.of(1, -2.5, 0, 65504, 3.140625, -0.0078125);

  test('F32, F16 and BF16 keep values they can represent, and the layout is that of the reference writer', () => {
    const path = join(folder, 'sub', 'a.safetensors');
    writeSafetensors(path, [
      { name: 'z', shape: [2, 3], dtype: 'F16', data: values },
      { name: 'b', shape: [6], dtype: 'F32', data: () => values },
      { name: 'a', shape: [1], dtype: 'F32', data: Float32Array.of(7) },
      { name: 'y', shape: [3], dtype: 'BF16', data: Float32Array.of(1, -2.5, 0) },
      { name: 'none', shape: [0, 4], dtype: 'F32', data: new Float32Array(0) },
    ]);
    const bytes = readFileSync(path);
    const headerLength = Number(bytes.readBigUInt64LE());
    expect(headerLength % 8).toBe(0);
    expect(Object.keys(JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)))).toEqual([
      '__metadata__',
      'a',
      'b',
      'none',
      'y',
      'z',
    ]);
    const file = openSafetensors(path);
    expect(file.metadata).toEqual({ format: 'pt' });
    expect(file.tensors.get('z')).toMatchObject({
      shape: [2, 3],
      dtype: 'F16',
      byteLength: 12,
      place: { file: path, key: 'z' },
    });
    expect(file.tensors.get('z')!.readFloat32()).toEqual(values);
    expect(file.tensors.get('b')!.readFloat32()).toEqual(values);
    expect(file.tensors.get('y')!.readFloat32()).toEqual(Float32Array.of(1, -2.5, 0));
    expect(file.tensors.get('none')!.readFloat32()).toEqual(new Float32Array(0));
    file.close();
  });

  test('integers and F64 are read as numbers', () => {
    const path = writeRaw(
      {
        i: { dtype: 'I64', shape: [1], data_offsets: [0, 8] },
        d: { dtype: 'F64', shape: [1], data_offsets: [8, 16] },
        n: { dtype: 'I32', shape: [1], data_offsets: [16, 20] },
        u: { dtype: 'U8', shape: [1], data_offsets: [20, 21] },
        t: { dtype: 'BOOL', shape: [1], data_offsets: [21, 22] },
      },
      22,
    );
    const bytes = readFileSync(path);
    const start = bytes.length - 22;
    bytes.writeBigInt64LE(-5n, start);
    bytes.writeDoubleLE(0.5, start + 8);
    bytes.writeInt32LE(-7, start + 16);
    bytes[start + 20] = 200;
    bytes[start + 21] = 1;
    writeFileSync(path, bytes);
    const file = openSafetensors(path);
    expect(['i', 'd', 'n', 'u', 't'].map(name => file.tensors.get(name)!.readFloat32()[0])).toEqual([
      -5, 0.5, -7, 200, 1,
    ]);
    file.close();
  });
});

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
test('tensors on a device are read one by one, in the order of the file', async () => {
  const path = join(folder, 'device.safetensors');
  let reading = 0;
  const order: string[] = [];
  const tensor = (name: string, values: number[]) => ({
    shape: [values.length],
    data: async () => {
      expect(++reading, 'tensors read at once').toBe(1);
      order.push(name);
      await setImmediate();
      reading--;
      return Float32Array.from(values);
    },
  });
  await writeDeviceTensors(
    path,
    new Map([
      ['b', tensor('b', [3])],
      ['a', tensor('a', [1, 2])],
    ]),
  );
  expect(order).toEqual(['a', 'b']);
  const whole = join(folder, 'whole.safetensors');
  writeSafetensors(whole, [
    { name: 'a', shape: [2], dtype: 'F32', data: Float32Array.of(1, 2) },
    { name: 'b', shape: [1], dtype: 'F32', data: Float32Array.of(3) },
  ]);
  expect(readFileSync(path)).toEqual(readFileSync(whole));
});

test('a tensor is written in pieces, and one whose pieces don’t make up its shape is a bug that is said', async () => {
  const path = join(folder, 'pieces.safetensors');
  const inPieces = (...parts: number[][]) => ({
    shape: [3, 2],
    pieces: async function* () {
      for (const part of parts) yield Float32Array.from(part);
    },
  });
  for (const dtype of ['F32', 'BF16'] as const) {
    await writeDeviceTensors(path, new Map([['w', inPieces([1, 2], [3, 4, 5, 6])]]), { dtype });
    const file = openSafetensors(path);
    expect(file.tensors.get('w')!.readFloat32()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(file.tensors.get('w')!.readRows(1, 2)).toEqual(Float32Array.of(3, 4, 5, 6));
    file.close();
  }
  await expect(writeDeviceTensors(path, new Map([['w', inPieces([1, 2])]]))).rejects.toThrow(
    'tensor w has 2 values, its shape [3,2] needs 6',
  );
});

describe('a bad file is an InputError', () => {
  test.each([
    [
      'a header length beyond the file',
      () => writeRaw('{}', 0, 1n << 60n),
      /header length is 1152921504606846976 bytes/,
    ],
    ['no JSON', () => writeRaw('{nope', 0), /not JSON/],
    ['a list', () => writeRaw('[]', 0), /not a JSON object/],
    ['an unknown dtype', () => writeRaw({ w: { ...f32(0, 8), dtype: 'Q9' } }, 8), /unknown dtype "Q9"/],
    ['an inherited name as dtype', () => writeRaw({ w: { ...f32(0, 8), dtype: 'toString' } }, 8), /unknown dtype/],
    ['a shape larger than its data', () => writeRaw({ w: f32(0, 8, [2 ** 40, 2]) }, 8), /takes 8796093022208 bytes/],
    ['a negative size', () => writeRaw({ w: f32(0, 8, [-2]) }, 8), /not a list of sizes/],
    ['offsets beyond the file', () => writeRaw({ w: f32(0, 80) }, 8), /ends at byte 80, but the file has 8/],
    ['offsets the wrong way round', () => writeRaw({ w: f32(8, 0, [2]) }, 8), /not \[begin, end\]/],
    ['an overlap', () => writeRaw({ v: f32(0, 8), w: f32(4, 12) }, 12), /overlaps/],
    ['a gap', () => writeRaw({ v: f32(0, 4), w: f32(8, 12) }, 12), /gap/],
  ])('%s', (_name, write, message) => {
    const path = write();
    const error = failure(() => openSafetensors(path));
    expect(error.message).toMatch(message);
    expect(error.where).toContain(path);
    if (/shape|offsets|dtype|overlap|gap|negative/.test(_name)) expect(error.where).toBe(`${path}: w`);
  });

  test('data after the last tensor', () => {
    expect(failure(() => openSafetensors(writeRaw({ v: f32(0, 4) }, 8))).message).toMatch(
      /take 4 bytes, but the file has 8/,
    );
  });

  test('an empty file and a missing one', () => {
    const path = join(folder, 'empty');
    writeFileSync(path, '');
    expect(failure(() => openSafetensors(path)).message).toMatch(/at least 8 bytes/);
    expect(failure(() => openSafetensors(join(folder, 'missing'))).message).toMatch(/does not exist/);
    expect(failure(() => openSafetensors(folder)).message).toMatch(/not a file/);
  });

  test('a file truncated after it was opened', () => {
    const path = writeRaw({ w: f32(0, 8) }, 8);
    const file = openSafetensors(path);
    const descriptor = openSync(path, 'r+');
    ftruncateSync(descriptor, statSync(path).size - 3);
    closeSync(descriptor);
    const error = failure(() => file.tensors.get('w')!.readFloat32());
    expect(error.describe()).toContain(`${path}: w: the file ends 3 bytes too early`);
    file.close();
  });
});

const full = () => {
  throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
};

describe('writing is atomic', () => {
  test('a failure halfway leaves the old file and no temporary one', () => {
    const path = join(folder, 'a.safetensors');
    writeSafetensors(path, [{ name: 'w', shape: [1], dtype: 'F32', data: Float32Array.of(1) }]);
    const before = readFileSync(path);
    const error = failure(() => writeSafetensors(path, [{ name: 'w', shape: [1], dtype: 'F32', data: full }]));
    expect(error.message).toBe('the disk is full');
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}.${process.pid}.tmp`)).toBe(false);
  });

  test('a device that fails halfway leaves the old file and no temporary one', async () => {
    const path = join(folder, 'c.safetensors');
    const tensor = { shape: [1], data: async () => Float32Array.of(1) };
    await writeDeviceTensors(path, new Map([['w', tensor]]));
    const before = readFileSync(path);
    const broken = { ...tensor, data: async () => full() };
    const error = await inputErrorOf(() => writeDeviceTensors(path, new Map([['w', broken]])));
    expect(error.message).toBe('the disk is full');
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}.${process.pid}.tmp`)).toBe(false);
  });

  test('a link under the name of the temporary file is not written through', () => {
    const [path, target] = [join(folder, 'b.safetensors'), join(folder, 'precious')];
    writeFileSync(target, 'precious');
    symlinkSync(target, `${path}.${process.pid}.tmp`);
    writeSafetensors(path, [{ name: 'w', shape: [1], dtype: 'F32', data: Float32Array.of(1) }]);
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(openSafetensors(path).tensors.get('w')!.readFloat32()).toEqual(Float32Array.of(1));
  });
});
