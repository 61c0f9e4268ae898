// The pretraining text: reproducible from the seed, grammatical as far as it can be checked, and in the model's chat format.
import { describe, expect, it } from 'vitest';
import { JinjaTemplate } from '../../../extension/src/core/text/jinja/jinjaTemplate.js';
import { chatTemplate, renderChat } from '../../../extension/scripts/embedded/chatTemplate.mjs';
import { holdChat } from '../../../media/corpus/chats.mjs';
import { factGroups, factWeights } from '../../../media/corpus/facts.mjs';
import { createRandom } from '../../../extension/scripts/embedded/random.mjs';
import { generateRows } from '../../../extension/scripts/embedded/writeCorpus.mjs';

interface Row {
  text: string;
  heldOut: boolean;
}

function take(seed: number, count: number): Row[] {
  const rows = generateRows(seed);
  return Array.from({ length: count }, () => rows.next().value);
}

const rows = take(1, 4000);
const facts: { questions: string[]; answers: string[] }[] = Object.values(factGroups).flat() as never;

describe('the corpus', () => {
  it('depends on the seed only', () => {
    expect(take(1, 100)).toEqual(rows.slice(0, 100));
    expect(take(2, 100)).not.toEqual(rows.slice(0, 100));
  });

  it('has no broken slots, articles or spacing', () => {
    const broken = rows.filter(({ text }) =>
      /undefined|null|\[object|\$\{| {2}|\b[Aa] [aeio]\w|\b[Aa]n (?!hour)[^aeiou]| [.,?]|\.\./.test(
        text.replaceAll(' ...', ''),
      ),
    );
    expect(broken.map(row => row.text)).toEqual([]);
  });

  it('holds out a small share, without texts that are trained on', () => {
    const share = rows.filter(row => row.heldOut).length / rows.length;
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.1);
    const trained = new Set(rows.filter(row => !row.heldOut).map(row => row.text));
    expect(rows.filter(row => row.heldOut && trained.has(row.text))).toEqual([]);
  });

  it('answers in whole sentences', () => {
    const random = createRandom(3);
    for (let i = 0; i < 2000; i++) {
      const { messages } = holdChat(random);
      for (const { role, content } of messages) {
        if (role !== 'assistant' || /^(Repeat this|Say this again|Please say)/.test(messages.at(-2).content)) continue;
        expect(content).toMatch(/^["A-Z].*[.!?]"?$/s);
      }
    }
  });

  it('has a weight for every group of facts, valid questions, and whole answers', () => {
    expect(Object.keys(factWeights)).toEqual(Object.keys(factGroups));
    for (const { questions, answers } of facts) {
      for (const question of questions) expect(question).toMatch(/^[A-Z].*[?.]$/);
      for (const answer of answers) expect(answer).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('never gives two answers to the same question', () => {
    const byQuestion = new Map<string, Set<string>>();
    for (const { questions, answers } of facts) {
      for (const question of questions) {
        byQuestion.set(question, (byQuestion.get(question) ?? new Set()).add(answers.join('|')));
      }
    }
    expect([...byQuestion].filter(([, answers]) => answers.size > 1).map(([question]) => question)).toEqual([]);
  });

  it('renders chats like the template', () => {
    const template = new JinjaTemplate(chatTemplate);
    const random = createRandom(4);
    for (let i = 0; i < 200; i++) {
      const { messages } = holdChat(random);
      expect(renderChat(messages)).toBe(template.render({ messages, add_generation_prompt: false }).text);
    }
    const messages = [{ role: 'user', content: 'Hi' }];
    expect(template.render({ messages, add_generation_prompt: true }).text).toBe(
      `${renderChat(messages)}<|im_start|>assistant\n`,
    );
  });
});
