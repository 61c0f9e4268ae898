import { expect, test } from 'vitest';
import * as kept from '../../../extension/src/host/keptValues.js';

const ODD = [undefined, null, 7, 'x', '__proto__', [7, null], { folders: 7, conversation: [], file: {}, folder: 1 }];

test.each(ODD.map(value => [JSON.stringify(value) ?? 'undefined', value]))('%s counts as absent', (_, value) => {
  expect(kept.keptGrouping(value)).toBe('none');
  expect(kept.keptSteps(value)).toEqual([]);
  expect(kept.keptFolders(value)).toEqual([]);
  expect(kept.keptConversation(value)).toBe('');
  expect(kept.keptAddresses(value).every(each => typeof each === 'string')).toBe(true);
  expect(kept.keptRace(value)).toEqual({ file: null, folder: null });
  expect(typeof kept.keptDraft(value)).toBe('object');
  expect(Array.isArray(kept.keptDraft(value))).toBe(false);
});

test('what has the right form is kept', () => {
  expect(kept.keptGrouping('model')).toBe('model');
  expect(kept.keptSteps(['run', 'danced', 'try'])).toEqual(['run', 'try']);
  expect(kept.keptDraft({ model: 'm' })).toEqual({ model: 'm' });
  expect(kept.keptFolders({ folders: ['/a', 7] })).toEqual(['/a']);
  expect(kept.keptAddresses(['http://a:1', 7])).toEqual(['http://a:1']);
  expect(kept.keptConversation({ conversation: 'id' })).toBe('id');
  expect(kept.keptRace({ file: '/r.json' })).toEqual({ file: '/r.json', folder: null });
});
