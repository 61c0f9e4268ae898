// The results of runs as language models of this editor, by its own API, as another extension reaches them.
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { config, phase, waitForRun } from './runs.js';
import { activated, waitFor } from './support.js';

/** The part of the API of VS Code 1.91 and later that is used here: newer than the types of engines.vscode. */
interface LanguageModel {
  readonly id: string;
  readonly name: string;
  readonly maxInputTokens: number;
  sendRequest(messages: object[], options?: object): Promise<{ text: AsyncIterable<string> }>;
  countTokens(text: string | object): Promise<number>;
}
const { lm, LanguageModelChatMessage } = vscode as unknown as {
  lm: { selectChatModels(selector: object): Promise<LanguageModel[]> };
  LanguageModelChatMessage: { User(text: string): object; Assistant(text: string): object };
};

const ours = () => lm.selectChatModels({ vendor: 'tunewright' });

describe('language models of the editor', () => {
  it('are the result of a finished run and its base', async () => {
    const { runs } = await activated();
    const run = await runs.start(config('spoken', { max_steps: 2 }));
    await waitForRun(run, 'the run to complete', () => phase(run) === 'completed' && !run.alive);
    const models = await waitFor('its model', async () => {
      const found = await ours();
      return found.some(({ name }) => name === 'spoken') && found;
    });
    assert.ok(models.some(({ id }) => id === 'embedded:tiny'));
    for (const { maxInputTokens } of models) assert.equal(maxInputTokens, 384);
  });

  it('answer as a stream, and count tokens', async () => {
    const models = await ours();
    for (const name of ['spoken', 'embedded:tiny']) {
      const model = models.find(each => each.name === name)!;
      const messages = [
        LanguageModelChatMessage.User('What is rain?'),
        LanguageModelChatMessage.Assistant('Water.'),
        LanguageModelChatMessage.User('And snow?'),
      ];
      const { text } = await model.sendRequest(messages, { modelOptions: { max_new_tokens: 12 } });
      const pieces = [];
      for await (const piece of text) pieces.push(piece);
      assert.ok(pieces.length > 1, `${name} streams: ${JSON.stringify(pieces)}`);
      assert.ok(pieces.join('').trim().length > 0);
      const plain = await model.countTokens('What is rain?');
      assert.ok(plain > 0);
      // With what the template adds to a turn.
      for (const message of messages) assert.ok((await model.countTokens(message)) > 1);
      assert.ok((await model.countTokens(messages[0]!)) > plain);
    }
  });
});
