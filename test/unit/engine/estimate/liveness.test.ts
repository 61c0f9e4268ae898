// Peak memory of small graphs that can be counted by hand: buffers are freed after their last reader, views and
// elementwise nodes allocate nothing, equal nodes are merged, unused nodes don't run, and a product copies a second
// matrix in order to transpose it.
import { expect, test } from 'vitest';
import { DataType, Graph, type Attribute } from '../../../../extension/src/engine/capture/graph.js';
import { liveness, nodesThatRun } from '../../../../extension/src/engine/estimate/liveness.js';

const KB = 1024;

/** Every node gives one float32 vector of `kilobytes`. */
function graphOf(nodes: [name: string, op: string, inputs: string[], kilobytes: number][], outputs: string[]) {
  const graph = new Graph();
  const attributes: Record<string, Attribute> = {};
  for (const [name, op, inputs] of nodes)
    graph.add(
      op,
      inputs.map(input => (input.startsWith('^') ? input : `${input}:0`)),
      attributes,
      name,
    );
  const tensors = new Map(nodes.map(([name, , , size]) => [`${name}:0`, { shape: [(size * KB) / 4], dtype: 1 }]));
  return { graph, captured: [], inputs: [], outputs: outputs.map(name => `${name}:0`), tensors };
}

function peakOf(...given: Parameters<typeof graphOf>): number {
  const traced = graphOf(...given);
  return liveness(nodesThatRun(traced), traced.tensors).peak / KB;
}

test('a chain holds two links at a time', () => {
  const peak = peakOf(
    [
      ['x', 'Placeholder', [], 100],
      ['a', 'Transpose', ['x'], 10],
      ['b', 'Transpose', ['a'], 20],
      ['c', 'Transpose', ['b'], 5],
      ['d', 'Transpose', ['c'], 5],
    ],
    ['d'],
  );
  expect(peak).toBe(30);
});

test('an elementwise node overwrites an input that it is the last to read, but not an input of the graph', () => {
  const chain = (op: string) =>
    peakOf(
      [
        ['x', 'Placeholder', [], 10],
        ['a', op, ['x'], 10],
        ['b', op, ['a'], 10],
        ['c', op, ['b'], 10],
      ],
      ['c'],
    );
  expect(chain('Neg')).toBe(10);
  expect(chain('Transpose')).toBe(20);
});

test('a view keeps its buffer alive', () => {
  const peak = peakOf(
    [
      ['x', 'Placeholder', [], 10],
      ['a', 'Transpose', ['x'], 10],
      ['v', 'Reshape', ['a'], 10],
      ['b', 'Transpose', ['a'], 10],
      ['c', 'AddV2', ['v', 'b'], 10],
    ],
    ['c'],
  );
  expect(peak).toBe(20);
});

test('a cast allocates a buffer unless the type stays the same', () => {
  const peak = (DstT: number) => {
    const graph = new Graph();
    graph.add('Placeholder', [], {}, 'x');
    graph.add('Transpose', ['x:0'], {}, 'a');
    graph.add('Cast', ['a:0'], { SrcT: { type: DataType.float32 }, DstT: { type: DstT } }, 'b');
    const tensors = new Map(
      ['x', 'a', 'b'].map(name => [`${name}:0`, { shape: [(10 * KB) / 4], dtype: DataType.float32 }]),
    );
    const traced = { graph, captured: [], inputs: [], outputs: ['b:0'], tensors };
    return liveness(nodesThatRun(traced), tensors).peak / KB;
  };
  expect(peak(DataType.int32)).toBe(20);
  expect(peak(DataType.float32)).toBe(10);
});

test('equal nodes are computed once and kept, unless one waits for something else', () => {
  const twice = (waits: string[]) =>
    peakOf(
      [
        ['x', 'Placeholder', [], 10],
        ['s', 'Transpose', ['x'], 10],
        ['f', 'Sum', ['s'], 1],
        ['big', 'Tile', ['f'], 50],
        ['g', 'Sum', ['big'], 1],
        ['s2', 'Transpose', ['x', ...waits], 10],
        ['out', 'Mul', ['s2', 'g'], 10],
      ],
      ['out'],
    );
  expect(twice([])).toBe(61);
  expect(twice(['^g'])).toBe(51);
});

test('nodes without a reader do not run', () => {
  const traced = graphOf(
    [
      ['x', 'Placeholder', [], 10],
      ['unused', 'Tile', ['x'], 1000],
      ['a', 'Transpose', ['x'], 10],
    ],
    ['a'],
  );
  expect(nodesThatRun(traced).nodes.map(({ name }) => name)).toEqual(['x', 'a']);
});

test('a transposed second matrix is copied while its product runs, but not for the product of a row', () => {
  const peak = (adjY: boolean, op = 'BatchMatMulV2') => {
    const graph = new Graph();
    graph.add('Placeholder', [], {}, 'x');
    graph.add('Tile', ['x:0'], {}, 'matrix');
    graph.add(op, ['x:0', 'matrix:0'], { adj_x: { bool: false }, adj_y: { bool: adjY } }, 'product');
    graph.add('Tile', ['product:0'], {}, 'after');
    const sizes = { x: 10, matrix: 100, product: 20, after: 25 };
    const tensors = new Map(
      Object.entries(sizes).map(([name, size]) => [`${name}:0`, { shape: [(size * KB) / 4], dtype: 1 }]),
    );
    const traced = { graph, captured: [], inputs: [], outputs: ['after:0'], tensors };
    return liveness(nodesThatRun(traced), tensors).peak / KB;
  };
  expect(peak(false)).toBe(100 + 20);
  expect(peak(true)).toBe(100 + 20 + 100);
  expect(peak(true, 'BatchMatMulV3')).toBe(100 + 20);
});
