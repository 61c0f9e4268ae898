// The texts to paste, run by what reads them: a shell, Python, the keys of VS Code's documentation.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { adapterNames } from '../../../../extension/src/host/serving/adapterNames.js';
import {
  apiOf,
  chatLanguageModels,
  chatSettings,
  curlCommand,
  pythonCode,
} from '../../../../extension/src/host/serving/clientCode.js';

const endpoint = { url: 'http://127.0.0.1:40123', names: ['pirate', 'poet'], contextLength: 513, readsTools: true };
const hostile = { ...endpoint, names: [`it's "x" $(touch y) \\ \u00e9`] };

test('the API is below /v1', () => {
  expect(apiOf(endpoint)).toBe('http://127.0.0.1:40123/v1');
  expect(apiOf({ url: 'http://127.0.0.1:40123/' })).toBe('http://127.0.0.1:40123/v1');
});

test.each([endpoint, hostile])('the command is one call of curl with the model’s name, $names', each => {
  const shown = `curl() { printf '%s\\0' "$@"; }\n${curlCommand(each)}`;
  const { stdout, status } = spawnSync('sh', ['-c', shown], { encoding: 'utf8' });
  expect(status).toBe(0);
  const [url, , header, , body] = stdout.split('\0');
  expect([url, header]).toEqual([`${apiOf(each)}/chat/completions`, 'Content-Type: application/json']);
  expect(JSON.parse(body!)).toEqual({ model: each.names[0], messages: [{ role: 'user', content: 'Hello!' }] });
});

test.each([endpoint, hostile])('the Python code asks the package openai for the model, $names', each => {
  const fake = `
import json, sys, types
class Completions:
    def create(self, **named):
        print(json.dumps(named))
        text = types.SimpleNamespace(message=types.SimpleNamespace(content='Ahoy'))
        return types.SimpleNamespace(choices=[text])
def client(**named):
    print(json.dumps(named))
    return types.SimpleNamespace(chat=types.SimpleNamespace(completions=Completions()))
sys.modules['openai'] = types.SimpleNamespace(OpenAI=client)
`;
  const { stdout, stderr } = spawnSync('python3', ['-c', fake + pythonCode(each)], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const [opened, asked, answer] = stdout.trim().split('\n');
  expect(JSON.parse(opened!)).toEqual({ base_url: apiOf(each), api_key: 'unused' });
  expect(JSON.parse(asked!)).toEqual({ model: each.names[0], messages: [{ role: 'user', content: 'Hello!' }] });
  expect(answer).toBe('Ahoy');
});

const limits = { toolCalling: true, vision: false, maxInputTokens: 257, maxOutputTokens: 256 };
const url = 'http://127.0.0.1:40123/v1/chat/completions';

test('a model that can’t be told of tools is not offered for them', () => {
  const [provider] = JSON.parse(chatLanguageModels({ ...endpoint, readsTools: false }));
  expect(provider.models.map(({ toolCalling }: { toolCalling: boolean }) => toolCalling)).toEqual([false, false]);
});

test('settings.json has each model, without a key, and no more tokens than the context', () => {
  expect(JSON.parse(chatSettings(endpoint))).toEqual({
    'github.copilot.chat.customOAIModels': {
      pirate: { name: 'pirate', url, ...limits, requiresAPIKey: false },
      poet: { name: 'poet', url, ...limits, requiresAPIKey: false },
    },
  });
});

test('chatLanguageModels.json has one custom endpoint with each model', () => {
  expect(JSON.parse(chatLanguageModels(endpoint))).toEqual([
    {
      name: 'Tunewright',
      vendor: 'customendpoint',
      apiKey: 'unused',
      apiType: 'chat-completions',
      models: ['pirate', 'poet'].map(name => ({ id: name, name, url, ...limits })),
    },
  ]);
});

test.each([
  [
    ['pirate', 'poet'],
    ['pirate', 'poet'],
  ],
  [
    ['pirate', 'pirate', 'pirate'],
    ['pirate', 'pirate-2', 'pirate-3'],
  ],
  [['base'], ['base-2']],
  [['tiny'], ['tiny-2']],
  [['my run: v=2 + more'], ['my-run-v-2-more']],
  [
    ['.hidden', '海賊', '?'],
    ['hidden', '海賊', 'adapter'],
  ],
  [['a'.repeat(300)], ['a'.repeat(100)]],
])('runs %j are %j in requests', (runs, names) => expect(adapterNames(runs, 'tiny')).toEqual(names));
