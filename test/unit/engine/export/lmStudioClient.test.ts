// Asking a model in LM Studio: its name among those of the server, answers, and what the server may say instead.
import { afterEach, describe, expect, it } from 'vitest';
import { LmStudioClient, type PlacedModel } from '../../../../extension/src/engine/export/lmStudioClient.js';
import { startLmStudio, type LmStudioOptions, type LmStudioServer } from '../../../support/lmStudioServer.js';

const servers: LmStudioServer[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serverOf(ids: LmStudioServer['models'], options?: LmStudioOptions): Promise<LmStudioServer> {
  const server = await startLmStudio(options);
  servers.push(server);
  server.models.push(...ids);
  return server;
}

const placed: PlacedModel = { publisher: 'tunewright', model: 'Pirate-135M', file: 'Pirate-135M-Q4_K_M' };

describe('nameOf', () => {
  it.each<[string, LmStudioServer['models'], string | null]>([
    ['its folder', [{ id: 'qwen' }, { id: 'pirate-135m', publisher: 'tunewright' }], 'pirate-135m'],
    ['publisher and folder', [{ id: 'tunewright/pirate-135m', publisher: 'tunewright' }], 'tunewright/pirate-135m'],
    ['its file', [{ id: 'pirate-135m-q4_k_m' }], 'pirate-135m-q4_k_m'],
    [
      'its folder and type',
      [
        { id: 'pirate-135m@q8_0', publisher: 'tunewright' },
        { id: 'pirate-135m@q4_k_m', publisher: 'tunewright' },
      ],
      'pirate-135m@q4_k_m',
    ],
    [
      'its folder, with a type in the list',
      [
        { id: 'pirate-135m', publisher: 'tunewright', quantization: 'Q8_0' },
        { id: 'pirate-135m:2', publisher: 'tunewright', quantization: 'Q4_K_M' },
      ],
      'pirate-135m',
    ],
    ['no model of another publisher', [{ id: 'pirate-135m', publisher: 'someone' }], null],
    ['no longer name', [{ id: 'pirate-135m-instruct', publisher: 'tunewright' }], null],
    ['nothing in an empty list', [], null],
  ])('finds %s', async (_, models, name) => {
    const server = await serverOf(models);
    expect(await new LmStudioClient(server.url).nameOf(placed, 0)).toBe(name);
  });

  it('waits until LM Studio has noticed the file', async () => {
    const server = await serverOf([]);
    const name = new LmStudioClient(server.url).nameOf(placed);
    await expect.poll(() => server.requests.length).toBeGreaterThan(1);
    server.models.push({ id: 'pirate-135m', publisher: 'tunewright' });
    expect(await name).toBe('pirate-135m');
  });

  it('asks older versions for OpenAI’s list', async () => {
    const server = await serverOf([{ id: 'pirate-135m' }], { isOld: true });
    expect(await new LmStudioClient(server.url).nameOf(placed, 0)).toBe('pirate-135m');
  });

  it('says when there is no server', async () => {
    const server = await serverOf([]);
    server.close();
    await expect(new LmStudioClient(server.url).nameOf(placed, 0)).rejects.toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('lms server start') as string,
    });
  });
});

it('answers chats and continues texts', async () => {
  const answer = (prompt: string) => ({
    content: `${prompt}!`,
    reasoning_content: 'Hm.',
    finish_reason: 'length',
    prompt_tokens: 7,
  });
  const server = await serverOf([{ id: 'pirate' }], { answer });
  const client = new LmStudioClient(server.url);
  const expected = { text: 'Ahoy!', finish: 'length', promptTokens: 7, rendered: null };
  expect(await client.chat('pirate', 'Ahoy', { seed: 1 })).toEqual({ ...expected, reasoning: 'Hm.' });
  expect(await client.complete('pirate', 'Ahoy', {})).toEqual({ ...expected, reasoning: '' });
  expect(server.asked[0]).toEqual({
    model: 'pirate',
    messages: [{ role: 'user', content: 'Ahoy' }],
    stream: false,
    seed: 1,
  });
});

it('says what the server says', async () => {
  const server = await serverOf([{ id: 'pirate' }], { refusal: 'Failed to load model: not enough memory' });
  await expect(new LmStudioClient(server.url).chat('pirate', 'Ahoy', {})).rejects.toThrow(
    `LM Studio at ${server.url} failed with status 400: Failed to load model: not enough memory`,
  );
});
