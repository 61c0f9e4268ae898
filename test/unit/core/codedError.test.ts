import { expect, test } from 'vitest';
import { CancelledError, describePlace, errorRecord } from '../../../extension/src/core/codedError.js';
import { InputError } from '../../../extension/src/core/inputError.js';
import { DivergedError } from '../../../extension/src/engine/training/trainer.js';
import { engineErrorSchema } from '../../../extension/src/protocol/engineError.js';
import { engineEventSchema } from '../../../extension/src/protocol/engineEvent.js';

test('an input error is one record for programs and one text for people', () => {
  const error = new InputError('invalid JSON', {
    file: 'rows.jsonl',
    line: 7,
    key: 'messages',
    hint: 'Mind the comma.',
  });
  expect(engineErrorSchema.parse(errorRecord(error))).toEqual({
    code: 'bad_input',
    message: 'invalid JSON',
    file: 'rows.jsonl',
    line: 7,
    key: 'messages',
    hint: 'Mind the comma.',
  });
  expect(error.describe()).toBe('rows.jsonl:7: messages: invalid JSON.\n  Mind the comma.');
});

test.each([
  [{ file: 'a.json', line: 3 }, 'a.json:3'],
  [{ file: 'a.json', key: 'method.r' }, 'a.json: method.r'],
  [{ key: 'method.r' }, 'method.r'],
  [{ line: 3 }, ''],
  [{}, ''],
])('%j is described as "%s"', (place, text) => expect(describePlace(place)).toBe(text));

test('each kind of error has its code', () => {
  const codes = [
    new InputError('no'),
    new InputError('no', { code: 'model_not_found' }),
    new DivergedError(3, null, 'the loss is non-finite'),
    new CancelledError(),
    AbortSignal.abort().reason as Error,
    new Error('a bug'),
    Object.assign(new Error('of Node'), { code: 'ENOENT' }),
  ].map(error => errorRecord(error).code);
  expect(codes).toEqual(['bad_input', 'model_not_found', 'diverged', 'cancelled', 'cancelled', 'internal', 'internal']);
});

test('an unknown code becomes `internal`; `failed` events of older versions have none', () => {
  expect(engineErrorSchema.parse({ code: 'struck_by_lightning', message: 'no' }).code).toBe('internal');
  const stamp = { seq: 0, time: '2026-01-31T14:25:00Z' };
  const old = { ...stamp, type: 'failed', step: 4, message: 'no', last_checkpoint: null };
  expect(engineEventSchema.parse(old)).toEqual(old);
  expect(engineEventSchema.parse({ ...old, code: 'struck_by_lightning' })).toMatchObject({ code: 'internal' });
});
