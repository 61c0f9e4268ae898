// A process that was killed for memory is told from one that another program has killed.
import { expect, test } from 'vitest';
import { endedBySignal } from '../../../../extension/src/core/runs/endedBySignal.js';

test.each([
  ['SIGKILL', 1, 'out_of_memory', /operating system: memory ran out/, /per_device_train_batch_size.*resume/],
  ['SIGKILL', null, 'out_of_memory', /most likely because memory ran out/, /per_device_train_batch_size/],
  ['SIGKILL', 0, 'internal', /another program or a user: memory had not run out/, undefined],
  ['SIGSEGV', 0, 'internal', /ended by SIGSEGV$/, undefined],
] as const)('%s with %s processes killed for memory', (signal, kills, code, message, hint) => {
  const said = endedBySignal(signal, kills);
  expect(said).toMatchObject({ code, message: expect.stringMatching(message) });
  if (hint) expect(said.hint).toMatch(hint);
  else expect(said.hint).toBeUndefined();
});
