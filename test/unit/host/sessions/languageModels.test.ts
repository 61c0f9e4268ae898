// Results of runs as language models of the editor, with fake runs, sessions and engine.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { TunedModels, type TunedModel } from '../../../../extension/src/host/sessions/languageModels.js';
import { registerChatProvider } from '../../../../extension/src/host/sessions/chatProviderApi.js';
import type { GenerationInput, SessionSettings } from '../../../../extension/src/protocol/sessionMessages.js';
import { FakeEmitter } from '../../../support/fakeEmitter.js';

const fake = vi.hoisted(() => ({
  CancellationError: class extends Error {},
  workspace: { isTrusted: true, onDidGrantWorkspaceTrust: (listener: () => void) => ({ dispose: () => listener }) },
  lm: {} as Record<string, unknown>,
}));
vi.mock('vscode', async () => {
  const { FakeEmitter: EventEmitter } = await import('../../../support/fakeEmitter.js');
  const from = (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) });
  return {
    ...{ EventEmitter, Disposable: { from }, CancellationError: fake.CancellationError, lm: fake.lm },
    workspace: Object.assign(fake.workspace, { asRelativePath: (path: string) => `runs/${basename(path)}` }),
    LanguageModelTextPart: class {
      constructor(readonly value: string) {}
    },
    LanguageModelToolCallPart: class {
      constructor(
        readonly callId: string,
        readonly name: string,
        readonly input: object,
      ) {}
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), 'tunewright-lm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run that has completed, with an adapter or a whole model. */
function run(name: string, config: object, files: string[] = ['adapter_config.json']) {
  const path = join(folder, name);
  mkdirSync(join(path, 'adapter'), { recursive: true });
  for (const file of files) writeFileSync(join(path, 'adapter', file), '{}');
  const completed = files.length > 0 ? { adapter: 'adapter' } : null;
  return { folder: path, name, config, startedMs: Date.UTC(2026, 0, 31), glance: () => ({ completed }) };
}

let opened: SessionSettings[];
let asked: GenerationInput[];
let loads: string[][];
let calls: object[];
beforeEach(() => {
  [opened, asked, loads, calls] = [[], [], [], []];
  fake.workspace.isTrusted = true;
});

function tunedModels(runs: ReturnType<typeof run>[]) {
  const session = () => ({
    facts: { context_length: 512 },
    load: async (...args: string[]) => void loads.push(args),
    generate: async (input: GenerationInput, { onPiece }: { onPiece(piece: object): void }) => {
      asked.push(input);
      for (const text of ['Ahoy', '', '!']) onPiece({ text, reasoning: 'hm', tokens: 1 });
      return { tool_calls: calls };
    },
    countTokens: async (input: object) => {
      asked.push(input);
      return 9;
    },
    dispose: () => {},
  });
  const changed = new FakeEmitter<void>();
  const models = new TunedModels(
    {
      inspectModel: async (model: string) => {
        if (model === 'org/absent') throw new Error('not on this machine');
        return { contextLength: model === 'org/large' ? 32_768 : 512 };
      },
    } as never,
    { runs: () => runs, onDidChange: changed.event, onDidEnd: new FakeEmitter().event } as never,
    {
      open: async (settings: SessionSettings) => {
        opened.push(settings);
        return session();
      },
    } as never,
  );
  return { models, changed };
}

const token = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose: () => {} }) } as never;

async function answer(models: TunedModels, model: TunedModel, options: object = {}, messages?: object[]) {
  const parts: unknown[] = [];
  const hello = [{ role: 1, content: [{ value: 'Hello' }] }];
  await models.provideLanguageModelChatResponse(
    model,
    (messages ?? hello) as never,
    options,
    { report: part => parts.push(part) },
    token,
  );
  return parts;
}

const pirate = () => run('pirate', { model: 'embedded:tiny', engine: { base_weights: 'int8' } });

test('results of runs and then their bases are listed, each once', async () => {
  const { models } = tunedModels([
    pirate(),
    run('formal', { model: 'embedded:tiny', engine: { base_weights: 'int8' } }),
    run('large', { model: 'org/large' }),
    run('whole', { model: 'embedded:tiny' }, ['config.json']),
    run('running', { model: 'embedded:tiny' }, []),
    run('absent', { model: 'org/absent' }),
    run('broken', { model: 7 }),
  ]);
  const listed = await models.provideLanguageModelChatInformation();
  expect(listed.map(({ id, name, detail }) => [id, name, detail])).toEqual([
    ['runs/pirate', 'pirate', 'fine-tuned from embedded:tiny'],
    ['runs/formal', 'formal', 'fine-tuned from embedded:tiny'],
    ['runs/large', 'large', 'fine-tuned from large'],
    ['runs/whole', 'whole', 'fine-tuned from embedded:tiny'],
    ['embedded:tiny int8', 'embedded:tiny', 'base model, int8'],
    ['org/large', 'large', 'base model'],
    ['embedded:tiny', 'embedded:tiny', 'base model'],
  ]);
  expect(listed[0]).toMatchObject({
    ...{ family: 'embedded:tiny', version: '2026-01-31T00:00:00.000Z', isUserSelectable: true, capabilities: {} },
    ...{ maxInputTokens: 384, maxOutputTokens: 128 },
  });
  expect(listed[2]).toMatchObject({ maxInputTokens: 31_744, maxOutputTokens: 1024 });
  expect(opened).toEqual([]);
});

test('nothing is listed in Restricted Mode', async () => {
  const { models } = tunedModels([pirate()]);
  fake.workspace.isTrusted = false;
  expect(await models.provideLanguageModelChatInformation()).toEqual([]);
});

test('an answer streams as text parts, from the adapter of the run on its base', async () => {
  const { models } = tunedModels([pirate()]);
  const [tuned, base] = (await models.provideLanguageModelChatInformation()) as [TunedModel, TunedModel];
  const parts = await answer(models, tuned, { modelOptions: { temperature: 0.5, mystery: 1 } });
  expect(parts).toEqual([{ value: 'Ahoy' }, { value: '!' }]);
  const adapter = join(folder, 'pirate', 'adapter');
  expect(asked).toEqual([
    {
      messages: [{ role: 'user', content: 'Hello' }],
      adapters: [{ name: adapter }],
      sampling: { max_new_tokens: 128, temperature: 0.5 },
    },
  ]);
  await answer(models, base);
  expect(asked[1]).toMatchObject({ adapters: [] });
  // One session, and the adapter is offered to it again in case it was rewritten.
  expect(opened).toMatchObject([{ model: 'embedded:tiny', base_weights: 'int8' }]);
  await answer(models, tuned);
  expect(loads).toEqual([
    [adapter, adapter],
    [adapter, adapter],
  ]);
});

test('tools are passed on, and their calls are parts', async () => {
  calls = [{ id: 'c1', name: 'weather', arguments: '{"city":"Bergen"}' }];
  const { models } = tunedModels([pirate()]);
  const [tuned] = (await models.provideLanguageModelChatInformation()) as [TunedModel];
  const inputSchema = { type: 'object', properties: { city: { type: 'string' } } };
  const parts = await answer(models, tuned, { tools: [{ name: 'weather', description: 'Now', inputSchema }] });
  const tool = { name: 'weather', description: 'Now', parameters: inputSchema };
  expect(asked[0]).toMatchObject({ tools: [{ type: 'function', function: tool }] });
  expect(parts.at(-1)).toEqual({ callId: 'c1', name: 'weather', input: { city: 'Bergen' } });
});

test.each(['{"degrees": NaN}', '["Bergen"]', '"Bergen"', 'null', '{"city": "Ber'])(
  'a call with the arguments %s, which VS Code can’t pass on, is shown as text',
  async json => {
    calls = [{ id: 'c1', name: 'weather', arguments: json }];
    const { models } = tunedModels([pirate()]);
    const [tuned] = (await models.provideLanguageModelChatInformation()) as [TunedModel];
    expect((await answer(models, tuned)).at(-1)).toEqual({ value: `\nweather(${json})` });
  },
);

test('tokens of a text and of a message are counted by the model', async () => {
  const { models } = tunedModels([pirate()]);
  const [tuned] = (await models.provideLanguageModelChatInformation()) as [TunedModel];
  expect(await models.provideTokenCount(tuned, 'Hello', token)).toBe(9);
  await models.provideTokenCount(tuned, { role: 2, content: [{ value: 'Aye' }] } as never, token);
  expect(asked).toEqual([{ text: 'Hello' }, { messages: [{ role: 'user', content: 'Aye' }] }]);
  expect(await models.provideTokenCount(tuned, { role: 1, content: [] } as never, token)).toBe(0);
});

test('a request that was cancelled while the model was loading isn’t answered', async () => {
  const { models } = tunedModels([pirate()]);
  const [tuned] = (await models.provideLanguageModelChatInformation()) as [TunedModel];
  const cancelled = { ...(token as object), isCancellationRequested: true } as never;
  await expect(models.provideTokenCount(tuned, 'Hello', cancelled)).rejects.toBeInstanceOf(fake.CancellationError);
  expect(asked).toEqual([]);
});

test('the editor hears when the list may have changed', () => {
  const { models, changed } = tunedModels([]);
  const heard = vi.fn();
  models.onDidChangeLanguageModelChatInformation(heard);
  changed.fire();
  expect(heard).toHaveBeenCalledOnce();
  models.dispose();
  changed.fire();
  expect(heard).toHaveBeenCalledOnce();
});

test('a VS Code without the API gets no provider', () => {
  const { models } = tunedModels([]);
  registerChatProvider('tunewright', models).dispose();
  const register = vi.fn(() => ({ dispose: () => {} }));
  fake.lm['registerLanguageModelChatProvider'] = register;
  registerChatProvider('tunewright', models);
  expect(register).toHaveBeenCalledWith('tunewright', models);
});
