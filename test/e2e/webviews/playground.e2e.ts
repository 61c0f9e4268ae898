// The playground on models that answer from a script: columns, streaming, sampling, corrections, colours, kept conversations.
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fake } from './page/fakeHost.js';
import type { PlaygroundScript, ScriptedAnswer } from './page/fakePlayground.js';
import { expectAccessible } from './accessibility.js';
import { screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';
import { recordedRun } from './recordings.js';

declare global {
  interface Window {
    fake: Fake;
  }
}

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterEach(() => browser.closePages());
afterAll(() => browser?.stop());

const words = (text: string, shares: readonly number[]): ScriptedAnswer['tokens'] =>
  (text.match(/\s*\S+/g) ?? []).map((word, index) => [word, shares[index % shares.length]!]);

const PARCEL = 'My parcel is late.';
const BASE = 'I am sorry to hear that. You can track your parcel on the website of the carrier.';
const PIRATE = 'Arr, I am sorry, matey! Yer parcel be lost at sea. Check the port of the carrier.';
const base = { name: 'base', model: null, run: null, parts: [] };
const adapter = (name: string) => ({
  name,
  model: null,
  run: `/runs/${name}`,
  parts: [{ name, path: `/runs/${name}/adapter`, weight: 1 }],
});

const script: PlaygroundScript = {
  columns: [base, adapter('pirate')],
  answers: {
    base: { '*': { tokens: words(BASE, [0.93, 0.99, 0.41, 0.88, 0.06]) } },
    pirate: { '*': { tokens: words(PIRATE, [0.62, 0.97, 0.99, 0.18, 0.004]) } },
    'pirate v2': { '*': { tokens: words('Arr, yer parcel be sailin’ in tomorrow, matey!', [0.9, 0.8]) } },
  },
};

function open(changes: Partial<PlaygroundScript> = {}, options: Partial<OpenOptions> = {}): Promise<Page> {
  return browser.open({
    webview: 'playground',
    theme: 'dark',
    width: 1200,
    height: 860,
    ...options,
    prepare: page => page.evaluate(given => window.fake.servePlayground(given), { ...script, ...changes }),
  });
}

const input = (page: Page) => page.getByRole('textbox', { name: 'Message to all columns' });
const answer = (page: Page, name: string) =>
  page.getByRole('article', { name: `Answer of ${name}`, exact: true }).last();
const textOf = (page: Page, name: string) => answer(page, name).locator('> .prose:visible').first().textContent();
const log = (page: Page) => page.evaluate(() => window.fake.log as Record<string, any>[]);
const logged = async (page: Page, key: string) => (await log(page)).filter(entry => key in entry);

async function ask(page: Page, prompt = PARCEL): Promise<void> {
  const before = await page.locator('.turn').count();
  await input(page).fill(prompt);
  await input(page).press('Enter');
  await page.locator('.turn').nth(before).waitFor();
  await answered(page);
}

async function answered(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Stop (Escape)' }).waitFor({ state: 'hidden' });
  await expect
    .poll(() => page.locator('.answer[data-status="waiting"], .answer[data-status="streaming"]').count())
    .toBe(0);
}

/** A conversation of two turns with colours and a correction being written. */
async function inUse(page: Page): Promise<void> {
  await ask(page);
  await ask(page, 'When will it arrive?');
}

describe('looks', () => {
  it.each(themes)('%s: accessible, before and after asking', async theme => {
    const page = await open({}, { theme });
    await page.getByText('Ask base and pirate').waitFor();
    await page.getByText('240 MB in memory').waitFor();
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath(`playground-empty-${theme}`) });
    await inUse(page);
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath(`playground-${theme}`) });
    await chooseColours(page, 'Probability');
    await answer(page, 'pirate').locator('.token').nth(4).hover();
    await page.locator('.token-card').waitFor();
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath(`playground-probability-${theme}`) });
    await chooseColours(page, 'Difference from base');
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath(`playground-difference-${theme}`) });
    await answer(page, 'pirate').getByRole('button', { name: 'Correct This Answer' }).click();
    await page.getByRole('button', { name: 'Conversations' }).click();
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath(`playground-correct-${theme}`) });
  });

  it.each(themes)('%s: marks the chosen preset', async theme => {
    const page = await open({}, { theme });
    // A background of its own, or an outline that isn't its border.
    const marksOf = (name: string) =>
      page.getByRole('button', { name }).evaluate(element => {
        const { backgroundColor, outlineStyle, outlineColor, borderTopColor } = getComputedStyle(element);
        const isOutlined = outlineStyle !== 'none' && outlineColor !== borderTopColor;
        return [backgroundColor, isOutlined ? outlineColor : null];
      });
    await page.getByRole('button', { name: 'Precise' }).waitFor();
    expect(await marksOf('Precise')).not.toEqual(await marksOf('Balanced'));
  });

  it.each([420, 760, 1000])('fits into %d pixels', async width => {
    const columns = [base, adapter('pirate'), adapter('pirate v2'), adapter('pirate')];
    const page = await open({ columns: width < 1000 ? script.columns : columns }, { width });
    await ask(page);
    await page.screenshot({ path: screenshotPath(`playground-${width}`) });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await expectAccessible(page);
  });
});

async function chooseColours(page: Page, label: string): Promise<void> {
  await page.getByRole('combobox', { name: 'Colour tokens by' }).click();
  await page.getByRole('option', { name: label, exact: true }).click();
}

describe('a conversation', () => {
  it('sends one message to all columns with the same seed, and streams each', async () => {
    const page = await open({ heldAt: 3 });
    await input(page).fill(PARCEL);
    await input(page).press('Enter');
    await expect.poll(() => textOf(page, 'base')).toBe('I am sorry');
    await expect.poll(() => textOf(page, 'pirate')).toBe('Arr, I am');
    await page.evaluate(() => window.fake.answerUpTo(99));
    await answered(page);
    expect(await textOf(page, 'base')).toBe(BASE);
    expect(await textOf(page, 'pirate')).toBe(PIRATE);
    const figures = await answer(page, 'base').locator('.figures').textContent();
    expect(figures).toBe('17 tokens · 88 tokens/s · first after 41 ms · complete');
    const asked = await logged(page, 'asked');
    expect(asked.map(each => each['asked'])).toEqual(['base', 'pirate']);
    expect(asked.map(each => each['sampling'].seed)).toEqual([42, 42]);
    expect(asked.map(each => each['adapters'])).toEqual([[], [{ name: '/runs/pirate/adapter', weight: 1 }]]);
    expect(await logged(page, 'opened')).toHaveLength(1);
    expect(await page.evaluate(() => window.fake.faults)).toEqual([]);
  });

  it('gives each column its own answers as history', async () => {
    const page = await open();
    await inUse(page);
    const [first, second] = (await logged(page, 'asked')).slice(2);
    expect(first!['messages'].map((turn: { content: string }) => turn.content)).toEqual([
      PARCEL,
      BASE,
      'When will it arrive?',
    ]);
    expect(second!['messages'][1].content).toBe(PIRATE);
    await expect
      .poll(() => answer(page, 'base').locator('.figures').getAttribute('title'))
      .toBe('24 prompt tokens, 12 of them kept from an earlier answer');
  });

  it('stops by Escape and keeps what is there', async () => {
    const page = await open({ heldAt: 3 });
    await input(page).fill(PARCEL);
    await input(page).press('Enter');
    await expect.poll(() => textOf(page, 'base')).toBe('I am sorry');
    await input(page).press('Escape');
    await answered(page);
    expect(await textOf(page, 'base')).toBe('I am sorry');
    await answer(page, 'base').getByText('Stopped.').waitFor();
  });

  it('asks again with another seed, in one column', async () => {
    const page = await open();
    await ask(page);
    await answer(page, 'pirate').getByRole('button', { name: 'Ask Again with Another Seed' }).click();
    await expect.poll(async () => (await logged(page, 'asked')).length).toBe(3);
    const last = (await logged(page, 'asked')).at(-1)!;
    expect([last['asked'], last['sampling'].seed]).toEqual(['pirate', 43]);
  });

  it('edits an earlier message, by keyboard, and removes what followed it', async () => {
    const page = await open();
    await inUse(page);
    await page.locator('.prompt').first().hover();
    await page.getByRole('button', { name: 'Edit Prompt and Ask Again' }).first().click();
    await page.getByRole('textbox', { name: 'Edited prompt' }).fill('My parcel is early.');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.turn').count()).toBe(1);
    await answered(page);
    expect(await page.locator('.prompt > .prose').textContent()).toBe('My parcel is early.');
    await input(page).focus();
    await page.keyboard.press('ArrowUp');
    await page.getByRole('textbox', { name: 'Edited prompt' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('textbox', { name: 'Edited prompt' }).waitFor({ state: 'detached' });
  });

  it('clears, adds a column by the picker, and removes one', async () => {
    const page = await open({ picks: { column: adapter('pirate v2') } });
    await ask(page);
    await page.getByRole('button', { name: 'Add Column...' }).click();
    await answer(page, 'pirate v2').getByText('Not asked yet.').waitFor();
    await answer(page, 'pirate v2').getByRole('button', { name: 'Ask', exact: true }).click();
    await expect.poll(() => textOf(page, 'pirate v2')).toMatch(/^Arr, yer parcel/);
    await page.getByRole('button', { name: 'Remove base' }).click();
    await expect.poll(() => page.locator('.column-head h2').allTextContents()).toEqual(['pirate', 'pirate v2']);
    await page.getByRole('button', { name: 'Clear Conversation' }).click();
    await expect.poll(() => page.locator('.turn').count()).toBe(0);
  });

  it('changes system prompt, sampling and strength without loading anything', async () => {
    const page = await open();
    expect(await page.getByRole('button', { name: 'Precise' }).getAttribute('aria-pressed')).toBe('true');
    await page.getByRole('textbox', { name: 'System prompt' }).fill('Be brief.');
    await page.getByRole('button', { name: 'Balanced' }).click();
    await page.getByRole('textbox', { name: 'Seed' }).fill('7');
    await page.getByRole('slider', { name: 'Strength of pirate' }).fill('1.5');
    await ask(page);
    const [, second] = await logged(page, 'asked');
    expect(second!['messages'][0]).toEqual({ role: 'system', content: 'Be brief.' });
    expect(second!['sampling']).toMatchObject({ temperature: 0.7, top_p: 0.9, repetition_penalty: 1.05, seed: 7 });
    expect(second!['adapters']).toEqual([{ name: '/runs/pirate/adapter', weight: 1.5 }]);
    expect(await logged(page, 'opened')).toHaveLength(1);
    await page.getByRole('textbox', { name: 'Temperature' }).fill('-1');
    await page.locator('.field[data-key="temperature"] .field-problem:visible').waitFor();
  });

  it('offers the variables of the chat template', async () => {
    const page = await open({ facts: { template_variables: ['enable_thinking', 'date_string'] } });
    await page.getByRole('combobox', { name: 'enable_thinking' }).click();
    await page.getByRole('option', { name: 'false' }).click();
    await page.getByRole('textbox', { name: 'date_string' }).fill('26 Jul 2026');
    await ask(page);
    const [first] = await logged(page, 'asked');
    expect(first!['variables']).toEqual({ enable_thinking: false, date_string: '26 Jul 2026' });
  });

  it('folds reasoning, and says what was left out or cut off', async () => {
    const page = await open({
      answers: {
        ...script.answers,
        base: {
          '*': {
            tokens: words(BASE, [0.5]),
            reasoning: 'The user is upset.',
            more: { dropped_turns: 2, finish_reason: 'length' },
          },
        },
      },
    });
    await ask(page);
    const own = answer(page, 'base');
    await own.getByText('Reasoning (4 tokens)').click();
    await own.getByText('The user is upset.').waitFor();
    await own.getByText('2 earlier messages did not fit the context and were left out.').waitFor();
    await own.getByText('Cut off').waitFor();
    await page.screenshot({ path: screenshotPath('playground-reasoning-dark') });
  });

  it('shows the problem of one column there, and lets the others answer', async () => {
    const page = await open({
      answers: {
        ...script.answers,
        pirate: { '*': { tokens: [], error: 'adapter_config.json: the rank is missing' } },
      },
    });
    await ask(page);
    await answer(page, 'pirate').getByText('the rank is missing').waitFor();
    expect(await textOf(page, 'base')).toBe(BASE);
    await answer(page, 'pirate').getByText('Try again').click();
    await expect.poll(async () => (await logged(page, 'asked')).length).toBe(3);
  });

  it('says why a model is refused, and loads one that ended with the next message', async () => {
    const refused = await open({ refused: 'needs about 16 GB of memory, but only 6 GB is free' });
    await refused.getByText('needs about 16 GB of memory').waitFor();
    await refused.screenshot({ path: screenshotPath('playground-refused-dark') });
    await refused.getByText('Load in int8').click();
    await refused.getByText('embedded:tiny in int8').waitFor();
    await ask(refused);
    expect(await textOf(refused, 'base')).toBe(BASE);
    const page = await open();
    await ask(page);
    await page.evaluate(() => window.fake.endModel());
    await page.getByText('no longer in memory; the next message loads it again').waitFor();
    await ask(page, 'When will it arrive?');
    expect(await logged(page, 'opened')).toHaveLength(2);
    expect(await textOf(page, 'pirate')).toBe(PIRATE);
  });

  it('says that runs share the machine, while they train', async () => {
    const sharing = '“pirate” is training on the same cores and memory.';
    const page = await open({ sharing });
    await page.getByText(sharing).waitFor();
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath('playground-sharing-dark') });
    await page.evaluate(() => window.fake.endRuns());
    await page.getByText(sharing).waitFor({ state: 'hidden' });
  });

  it('asks nothing in Restricted Mode', async () => {
    const page = await open({ trusted: false });
    await page.getByText('not loaded in Restricted Mode').waitFor();
    await input(page).fill(PARCEL);
    expect(await page.getByRole('button', { name: 'Send (Enter)' }).isDisabled()).toBe(true);
    expect(await logged(page, 'opened')).toEqual([]);
  });

  it('puts a proposed prompt into the input', async () => {
    const page = await open({ prompt: 'From a row' });
    await expect.poll(() => input(page).inputValue()).toBe('From a row');
    await page.evaluate(() => window.fake.proposePrompt('From another row'));
    await expect.poll(() => input(page).inputValue()).toBe('From another row');
  });
});

describe('corrections', () => {
  it('writes a corrected answer to a dataset, trains on it, and shows the new adapter beside the old', async () => {
    const run = recordedRun('pirate-lora');
    const page = await browser.open({
      webview: 'playground',
      theme: 'dark',
      width: 1200,
      height: 860,
      prepare: page =>
        page.evaluate(
          ([given, events]) => {
            window.fake.addRun('/runs/pirate v2', 'pirate v2', events);
            window.fake.servePlayground(given);
          },
          [
            { ...script, picks: { conversation: 'pirate.jsonl' }, trains: '/runs/pirate v2' },
            run.slice(0, 60),
          ] as const,
        ),
    });
    await ask(page);
    expect(await page.getByRole('button', { name: 'Train pirate on Corrections' }).isVisible()).toBe(false);
    await answer(page, 'pirate').getByRole('button', { name: 'Correct This Answer' }).click();
    const editor = page.getByRole('textbox', { name: 'Corrected answer of pirate' });
    expect(await editor.inputValue()).toBe(PIRATE);
    await editor.fill('Arr!');
    await page.getByRole('button', { name: 'Add to Dataset...' }).click();
    await answer(page, 'pirate').getByText('Added as line 13 of pirate.jsonl').waitFor();
    expect(await textOf(page, 'pirate')).toBe('Arr!');
    expect((await logged(page, 'row'))[0]!['row']).toEqual({
      dataset: 'pirate.jsonl',
      messages: [
        { role: 'user', content: PARCEL },
        { role: 'assistant', content: 'Arr!' },
      ],
    });
    await page.getByRole('button', { name: 'Train pirate on Corrections' }).waitFor();
    await answer(page, 'pirate').getByRole('button', { name: 'Train on This' }).click();
    const strip = page.getByRole('group', { name: 'pirate v2' });
    await strip.getByText(/step \d+ of 120/).waitFor();
    expect((await logged(page, 'trained'))[0]!['trained']).toEqual({
      model: 'embedded:tiny',
      adapter: '/runs/pirate/adapter',
      run: '/runs/pirate',
      dataset: 'pirate.jsonl',
    });
    await page.screenshot({ path: screenshotPath('playground-training-dark') });
    await page.evaluate(events => {
      window.fake.feed('/runs/pirate v2', events);
      window.fake.setAlive('/runs/pirate v2', false);
    }, run.slice(60));
    await strip.getByRole('button', { name: 'Show beside pirate' }).click();
    await expect.poll(() => page.locator('.column-head h2').allTextContents()).toEqual(['base', 'pirate', 'pirate v2']);
    await expect.poll(() => textOf(page, 'pirate v2')).toMatch(/^Arr, yer parcel/);
    await strip.waitFor({ state: 'detached' });
    await page.screenshot({ path: screenshotPath('playground-trained-dark') });
  });

  it('writes preference pairs: of a correction, and of a vote', async () => {
    const page = await open({ picks: { preference: 'pairs.jsonl' } });
    await ask(page);
    await answer(page, 'base').getByRole('button', { name: 'Correct This Answer' }).click();
    await page.getByRole('button', { name: 'Add as Preference Pair...' }).click();
    await page.getByText('A preference pair needs an answer that differs').waitFor();
    await page.getByRole('textbox', { name: 'Corrected answer of base' }).fill('Sorry!');
    await page.getByRole('button', { name: 'Add as Preference Pair...' }).click();
    await answer(page, 'base').getByText('Preferred in line 13 of pairs.jsonl').waitFor();
    await answer(page, 'pirate').getByRole('button', { name: 'Prefer This to base' }).click();
    await answer(page, 'pirate').getByText('Preferred in line 14 of pairs.jsonl').waitFor();
    const pairs = (await logged(page, 'pair')).map(entry => entry['pair']);
    const prompt = [{ role: 'user', content: PARCEL }];
    const said = (content: string) => [{ role: 'assistant', content }];
    expect(pairs).toEqual([
      { dataset: 'pairs.jsonl', prompt, chosen: said('Sorry!'), rejected: said(BASE) },
      { dataset: 'pairs.jsonl', prompt, chosen: said(PIRATE), rejected: said('Sorry!') },
    ]);
  });

  it('asks which of several answers the preferred one is better than', async () => {
    const page = await open({
      columns: [base, adapter('pirate'), adapter('pirate v2')],
      picks: { preference: 'pairs.jsonl' },
    });
    await ask(page);
    await answer(page, 'pirate v2').getByRole('button', { name: 'Prefer This to...' }).click();
    await answer(page, 'pirate v2').getByRole('button', { name: 'Prefer This to base' }).click();
    await answer(page, 'pirate v2').getByText('Preferred in line 13 of pairs.jsonl').waitFor();
    expect((await logged(page, 'pair'))[0]!['pair'].rejected[0].content).toBe(BASE);
  });

  it('keeps what was written if no dataset is chosen', async () => {
    const page = await open();
    await ask(page);
    await answer(page, 'base').getByRole('button', { name: 'Correct This Answer' }).click();
    const editor = page.getByRole('textbox', { name: 'Corrected answer of base' });
    await editor.fill('Sorry!');
    await page.getByRole('button', { name: 'Add to Dataset...' }).click();
    await page.getByRole('button', { name: 'Only Here' }).click();
    await expect.poll(() => textOf(page, 'base')).toBe('Sorry!');
    await answer(page, 'base').getByText('Corrected.').waitFor();
    await answer(page, 'base').getByText('The model’s own answer').click();
    await answer(page, 'base').getByText(BASE).waitFor();
    expect(await logged(page, 'row')).toEqual([]);
  });
});

describe('colours', () => {
  const strengths = (page: Page, name: string) =>
    answer(page, name)
      .locator('.token')
      .evaluateAll(tokens => tokens.map(token => Number((token as HTMLElement).style.getPropertyValue('--strength'))));

  it('shows probabilities, and the alternatives by mouse and by keyboard', async () => {
    const page = await open();
    await ask(page);
    await chooseColours(page, 'Probability');
    await expect.poll(async () => (await strengths(page, 'base')).length).toBe(17);
    const [certain, , , , unlikely] = await strengths(page, 'base');
    expect(certain).toBeCloseTo(Math.log(0.93) / Math.log(0.001), 3);
    expect(unlikely).toBeGreaterThan(certain!);
    const card = page.locator('.token-card');
    await answer(page, 'base').locator('.token').first().hover();
    await card.getByText('93.0%').first().waitFor();
    expect(await card.locator('tr').allTextContents()).toEqual(['I (chosen)93.0%', '␣the4.9%', '⏎1.4%']);
    await page.mouse.move(0, 0);
    await card.waitFor({ state: 'hidden' });
    await answer(page, 'base').locator('.tokens').focus();
    await page.keyboard.press('End');
    await card.getByText('carrier.').first().waitFor();
    await page.keyboard.press('Escape');
    await card.waitFor({ state: 'hidden' });
  });

  it('shows the difference from another column for every token, as that one finds it', async () => {
    const tokens: ScriptedAnswer['tokens'] = [
      ['Hello', 0.4],
      [' you', 0.9],
      [' matey', 0.8],
      ['!', 0.9],
    ];
    const page = await open({
      answers: { ...script.answers, pirate: { '*': { tokens } } },
      scores: { base: [0.9, 0.2, 0.1, 0.9] },
    });
    await ask(page);
    await ask(page, 'When?');
    await chooseColours(page, 'Difference from base');
    const shown = answer(page, 'pirate').locator('.token');
    const sides = () => shown.evaluateAll(all => all.map(token => (token as HTMLElement).dataset['side']));
    await expect.poll(sides).toEqual(['less', 'more', 'more', 'more']);
    expect(await strengths(page, 'pirate')).toEqual([0.5, 0.7, 0.7, 0]);
    expect(await answer(page, 'base').locator('.token').count()).toBe(0);
    await shown.nth(2).hover();
    await page.getByText('80.0% here, 10.0% there').waitFor();
    // Both turns, each once, after the messages that the column had.
    const scored = await logged(page, 'scored');
    expect(scored.map(each => [each['scored'], each['messages'].length])).toEqual([
      ['base', 1],
      ['base', 3],
    ]);
    expect(scored[1]!['messages'][1].content).toBe('Hello you matey!');
    // Another strength is another comparison.
    await chooseColours(page, 'Difference from pirate');
    await expect.poll(() => answer(page, 'base').locator('.token').count()).toBeGreaterThan(0);
    const slider = page.getByRole('slider', { name: /pirate/i });
    await slider.press('ArrowLeft');
    await expect
      .poll(async () => new Set((await logged(page, 'scored')).map(each => each['adapters'][0]?.weight)).size)
      .toBe(3);
  });

  it('colours the new answer when the same question is asked once more', async () => {
    const page = await open({ scores: { base: [0.5] } });
    await ask(page);
    await chooseColours(page, 'Difference from base');
    await expect.poll(() => strengths(page, 'pirate')).toContain(0.47);
    const tokens: ScriptedAnswer['tokens'] = [
      ['Aye', 0.9],
      [' aye', 0.7],
    ];
    await page.evaluate(
      given => {
        window.fake.answerAs(given);
        window.fake.answerUpTo(0);
      },
      { ...script.answers, pirate: { '*': { tokens } } },
    );
    await page.locator('.prompt').last().hover();
    await page.getByRole('button', { name: 'Edit Prompt and Ask Again' }).last().click();
    await page.getByRole('textbox', { name: 'Edited prompt' }).press('Enter');
    await expect.poll(() => answer(page, 'pirate').getAttribute('data-status')).toBe('waiting');
    await page.evaluate(() => window.fake.answerUpTo(99));
    await answered(page);
    await expect.poll(() => strengths(page, 'pirate')).toEqual([0.4, 0.2]);
    expect(await textOf(page, 'pirate')).toBe('Aye aye');
  });

  it('says why an answer can’t be compared', async () => {
    const page = await open({ scores: { base: 'the prompt has 600 tokens, but the model reads at most 512' } });
    await ask(page);
    await chooseColours(page, 'Difference from base');
    await answer(page, 'pirate').getByText('reads at most 512').waitFor();
    expect(await textOf(page, 'pirate')).toBe(PIRATE);
  });
});

describe('kept conversations', () => {
  it('lists, opens, renames and deletes them, and exports one', async () => {
    const page = await open();
    await ask(page);
    await page.getByRole('button', { name: 'New Conversation' }).click();
    await expect.poll(() => page.locator('.turn').count()).toBe(0);
    await ask(page, 'Who are you?');
    await page.getByRole('button', { name: 'Conversations' }).click();
    const pane = page.getByRole('complementary', { name: 'Conversations' });
    await expect.poll(() => pane.locator('.name').allTextContents()).toEqual(['Who are you?', PARCEL]);
    await pane.getByRole('button', { name: new RegExp(`^${PARCEL}`) }).click();
    await expect.poll(() => page.locator('h1').textContent()).toBe(PARCEL);
    expect(await textOf(page, 'pirate')).toBe(PIRATE);
    await chooseColours(page, 'Probability');
    await answer(page, 'pirate').getByText('Its probabilities are not kept.').waitFor();
    await pane.getByRole('button', { name: `Rename ${PARCEL}` }).click();
    await page.getByRole('textbox', { name: 'Title' }).fill('Parcels');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('h1').textContent()).toBe('Parcels');
    await pane.getByRole('button', { name: 'Export as JSONL...' }).click();
    await page.getByText('Exported to /workspace/Parcels.jsonl').waitFor();
    const [saved] = await logged(page, 'saved');
    const rows = (saved!['text'] as string)
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(rows).toEqual(
      [BASE, PIRATE].map(content => ({
        messages: [
          { role: 'user', content: PARCEL },
          { role: 'assistant', content },
        ],
      })),
    );
    await pane.getByRole('button', { name: 'Delete Parcels' }).click();
    await pane.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect.poll(() => pane.locator('.name').allTextContents()).toEqual(['Who are you?']);
  });

  it('imports what was exported', async () => {
    const rows = [BASE, PIRATE].map(content => ({
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: PARCEL },
        { role: 'assistant', content },
      ],
    }));
    const page = await open({ picks: { file: rows.map(row => JSON.stringify(row)).join('\n') } });
    await page.getByRole('button', { name: 'Conversations' }).click();
    await page.getByRole('button', { name: 'Import...' }).click();
    await expect.poll(() => page.locator('.turn').count()).toBe(1);
    expect(await textOf(page, 'base')).toBe(BASE);
    expect(await textOf(page, 'pirate')).toBe(PIRATE);
    expect(await page.getByRole('textbox', { name: 'System prompt' }).inputValue()).toBe('Be kind.');
  });
});
