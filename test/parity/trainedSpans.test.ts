// What is trained on of a conversation, against the marks of the templates that TRL patched for training: the same text with marks
// says what the assistant writes in the original one too.
import { describe, expect, test } from 'vitest';
import type { ChatMessage } from '../../extension/src/core/data/example.js';
import { renderChat } from '../../extension/src/core/text/chatTemplate.js';
import { encodeChat } from '../../extension/src/core/text/encodeChat.js';
import { createTokenizer } from '../../extension/src/core/text/huggingFaceTokenizer.js';
import type { TextTokenizer } from '../../extension/src/core/text/textTokenizer.js';
import { originalOf, recordedChats, recordedTemplate, recordedText } from '../support/recordedChats.js';
import { fixtureFiles } from '../unit/core/text/tokenizerFixtures.js';

const { special_tokens: specialTokens, chats, results } = recordedChats;

/** Conversations whose calls a template leaves out: that is an error of the row here, and TRL trains on an empty answer. */
const DROPS_CALLS = ['deepseek_r1_distill', 'lfm2', 'llama3', 'phi3', 'phi3_5'];
const BARE_CALLS = ['tools', 'tools, thinking'];
/** Writes no content that is a text: of a model with images. */
const WITHOUT_TEXTS = ['smolvlm'];
/** What TRL's marks include and the template gives the model: the end of the results of tools, which no generation prompt has. */
const GIVEN = '<｜tool▁outputs▁end｜>';

/** A byte-level tokenizer that has the special tokens of a template. */
function tokenizerFor(template: string): TextTokenizer {
  const { tokenizer } = fixtureFiles('smollm');
  const marks = `${template}<s></s>`.matchAll(
    /<[|｜][^|｜>\n']*[|｜]>|<(?:start|end)_of_turn>|<\/?s>|<end_of_utterance>/g,
  );
  for (const content of new Set(Array.from(marks, mark => mark[0]))) {
    (tokenizer.added_tokens as unknown[]).push({ id: 0, content, special: true, normalized: false });
  }
  const { bos_token, eos_token } = specialTokens;
  return createTokenizer({ tokenizer, config: { bos_token, eos_token } });
}

/** The runs of tokens with labels, decoded. */
function trained(
  tokenizer: TextTokenizer,
  messages: ChatMessage[],
  options: { tools?: unknown[]; template: string },
): string[] {
  const { inputIds, labels } = encodeChat(tokenizer, messages, options);
  const runs: number[][] = [];
  labels.forEach((label, i) => {
    if (label < 0) return;
    if (i === 0 || labels[i - 1] < 0) runs.push([]);
    runs[runs.length - 1].push(inputIds[i]);
  });
  return runs.map(ids => tokenizer.decode(ids));
}

/** Texts of the marked spans, those that follow each other as one. */
function marked(text: string, spans: [number, number][]): string[] {
  const joined: [number, number][] = [];
  for (const [start, end] of spans) {
    const last = joined.at(-1);
    if (last && text.slice(last[1], start).trim() === '') last[1] = end;
    else joined.push([start, end]);
  }
  return joined.map(([start, end]) => text.slice(start, end));
}

/** Conversations of which the patched template writes the same text: else there is no reference. */
function comparable(name: string): string[] {
  return Object.keys(chats).filter(chat => {
    const text = recordedText(name, chat);
    const reference = recordedText(`${originalOf(name)}_training`, chat);
    return text !== undefined && text === reference && !chats[chat].add_generation_prompt;
  });
}

const patched = Object.keys(results).filter(
  name =>
    `${originalOf(name)}_training` in results &&
    !WITHOUT_TEXTS.includes(originalOf(name)) &&
    comparable(name).length > 0,
);

test('most templates are compared', () => expect(new Set(patched.map(originalOf)).size).toBeGreaterThan(15));

describe.each(patched)('%s', name => {
  const template = recordedTemplate(name);
  const tokenizer = tokenizerFor(template);
  const isMarked = name !== originalOf(name);
  const reference = `${originalOf(name)}_training`;

  test.each(comparable(name))('%s', chat => {
    const { messages, tools } = chats[chat] as { messages: ChatMessage[]; tools?: unknown[] };
    const train = () => trained(tokenizer, messages, { tools, template });
    if (DROPS_CALLS.includes(originalOf(name)) && BARE_CALLS.includes(chat)) {
      expect(train).toThrow('leaves out the tool calls');
      return;
    }
    const wanted = marked(recordedText(reference, chat) as string, results[reference][chat].generations ?? []);
    const found = train();
    expect(found).toHaveLength(wanted.length);
    const before = messages.slice(
      0,
      messages.findIndex(message => message.role === 'assistant'),
    );
    const prompt = renderChat(tokenizer, before, { tools, template, addGenerationPrompt: true });
    found.forEach((run, i) => {
      // White space after the last token of a turn is not trained on, except where the template marks it.
      const [span, text] = [wanted[i].trimEnd(), run.trimEnd()];
      expect(span.slice(-text.length)).toBe(text);
      // TRL's marks include the header of some templates, which the generation prompt gives.
      const header = span.slice(0, -text.length).trim();
      if (isMarked) expect(header).toBe('');
      else if (header !== GIVEN) expect(prompt).toContain(header);
    });
  });
});
