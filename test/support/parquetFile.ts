// A Parquet file with one column of texts, which are one text of a dictionary, repeated: a small file with many characters.
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

type Field = readonly [id: number, type: number, bytes: Buffer];

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}

/** Zigzag, of a number that isn't negative. */
const int = (value: number) => varint(2 * value);
const binary = (text: string) => Buffer.concat([varint(Buffer.byteLength(text)), Buffer.from(text)]);
const list = (type: number, items: Buffer[]) => Buffer.concat([Buffer.from([(items.length << 4) | type]), ...items]);

/** Thrift's compact protocol. */
function struct(...fields: Field[]): Buffer {
  const written = fields.map(([id, type, bytes], i) =>
    Buffer.concat([Buffer.from([((id - (fields[i - 1]?.[0] ?? 0)) << 4) | type]), bytes]),
  );
  return Buffer.concat([...written, Buffer.from([0])]);
}

/** @returns the file; its column is `text` */
export function repeatedText(text: string, rows: number): Buffer {
  const dictionary = Buffer.alloc(4 + Buffer.byteLength(text));
  dictionary.writeUInt32LE(Buffer.byteLength(text));
  dictionary.write(text, 4);
  // One run of the index 0, of one bit.
  const page = Buffer.concat([Buffer.from([1]), varint(rows * 2), Buffer.from([0])]);
  const sizes = ({ length }: Buffer): Field[] => [
    [2, I32, int(length)],
    [3, I32, int(length)],
  ];
  const dictionaryHeader = struct([1, I32, int(2)], ...sizes(dictionary), [
    7,
    STRUCT,
    struct([1, I32, int(1)], [2, I32, int(0)]),
  ]);
  const counts = struct([1, I32, int(rows)], [2, I32, int(8)], [3, I32, int(3)], [4, I32, int(3)]);
  const pageHeader = struct([1, I32, int(0)], ...sizes(page), [5, STRUCT, counts]);
  const before = Buffer.concat([dictionaryHeader, dictionary]);
  const body = Buffer.concat([before, pageHeader, page]);
  const column = struct(
    [1, I32, int(6)],
    [2, LIST, list(I32, [int(0), int(8)])],
    [3, LIST, list(BINARY, [binary('text')])],
    [4, I32, int(0)],
    [5, I64, int(rows)],
    [6, I64, int(body.length)],
    [7, I64, int(body.length)],
    [9, I64, int(4 + before.length)],
    [11, I64, int(4)],
  );
  const chunk = struct([2, I64, int(4)], [3, STRUCT, column]);
  const group = struct([1, LIST, list(STRUCT, [chunk])], [2, I64, int(body.length)], [3, I64, int(rows)]);
  const root = struct([4, BINARY, binary('schema')], [5, I32, int(1)]);
  const leaf = struct([1, I32, int(6)], [3, I32, int(0)], [4, BINARY, binary('text')], [6, I32, int(0)]);
  const schema = list(STRUCT, [root, leaf]);
  const footer = struct([1, I32, int(1)], [2, LIST, schema], [3, I64, int(rows)], [4, LIST, list(STRUCT, [group])]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([Buffer.from('PAR1'), body, footer, length, Buffer.from('PAR1')]);
}
