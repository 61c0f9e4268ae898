// The bounds of a written file: one for every type that can be written, larger for fewer bits, and that of the coarsest of several.
import { expect, it } from 'vitest';
import { klBound } from '../../../../extension/src/engine/export/exportBounds.js';
import { GGUF_MATRIX_TYPES } from '../../../../extension/src/protocol/exportConfig.js';

it('there is one for each type, with a reason, in the order of their bits', () => {
  const bounds = GGUF_MATRIX_TYPES.map(type => klBound([type.toUpperCase()]));
  for (const { why } of bounds) expect(why).toMatch(/^[a-z]/);
  const quantized = GGUF_MATRIX_TYPES.filter(type => type.startsWith('q')).toSorted(
    (a, b) => b.charCodeAt(1) - a.charCodeAt(1),
  );
  const most = ['F32', 'F16', 'BF16', ...quantized].map(type => klBound([type.toUpperCase()]).most);
  expect(most).toEqual(most.toSorted((a, b) => a - b));
});

it('of several types it is that of the coarsest; of copies alone, that of exact values', () => {
  expect(klBound(['F32', 'Q4_0', 'Q8_0'])).toEqual(klBound(['Q4_0']));
  expect(klBound([])).toEqual(klBound(['F32']));
});
