import { expect, it } from 'vitest';
import { messageIn } from '../../../../extension/src/engine/ray/jobMessages.js';

const said = (message: unknown) => messageIn(`TUNEWRIGHT ${JSON.stringify(message)}`);

it('reads messages, and leaves other lines to people', () => {
  expect(said({ n: 0, type: 'cancelled' })).toEqual({ n: 0, type: 'cancelled' });
  expect(messageIn('TUNEWRIGHT {')).toBeNull();
  expect(messageIn('Loading weights: 100%')).toBeNull();
  expect(messageIn('(RayTrainWorker pid=1) TUNEWRIGHT {"n":0,"type":"cancelled"}')).toBeNull();
});

it('reads no message that would lead outside the folder of checkpoints, or that it doesn’t know', () => {
  const piece = { n: 0, type: 'piece', offset: 0, data: 'AAAA' };
  expect(said({ ...piece, path: 'step-1/trainable.safetensors' })).not.toBeNull();
  for (const path of [
    '../x.safetensors',
    'step-1/../x.safetensors',
    '/etc/x.safetensors',
    'step-1/x.json',
    'step-x/a.safetensors',
  ])
    expect(said({ ...piece, path }), path).toBeNull();
  expect(said({ n: 0, type: 'new kind' })).toBeNull();
  expect(said({ n: -1, type: 'cancelled' })).toBeNull();
});
