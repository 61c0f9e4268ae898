import { expect, test } from 'vitest';
import { peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { KnownMethods } from '../../../../extension/src/host/runFiles/knownMethods.js';

const known = new KnownMethods('.');

test.each(peftMethods.map(method => [method.peftType, method] as const))('%s is known by its facts', (name, method) => {
  expect(known.titleOf(name)).toBe(method.title);
  expect(known.canMerge(name)).toBe(method.merge !== undefined && method.storage !== 'model');
  expect(known.exportsOf(name)).toEqual(method.asLora ? ['gguf', 'mlx'] : []);
});

test('a method of another version keeps its name and can do nothing', () => {
  expect(known.titleOf('NO_SUCH_METHOD')).toBe('NO_SUCH_METHOD');
  expect(known.canMerge('NO_SUCH_METHOD')).toBe(false);
  expect(known.exportsOf('NO_SUCH_METHOD')).toEqual([]);
});
