// The page of the Export view, fed with the engine's targets: cards with size, time and what is missing, options, the export with
// progress and Cancel, its result, refusals, keyboard and themes.
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describedExports } from '../../../extension/src/engine/resident/capabilities.js';
import type { EngineLine } from '../../../extension/src/host/webviews/engineLines.js';
import type { EngineError } from '../../../extension/src/protocol/engineError.js';
import type { ExportPlans } from '../../../extension/src/protocol/exportAnswers.js';
import type { ExportSnapshot } from '../../../extension/src/protocol/exportMessages.js';
import { expectAccessible } from './accessibility.js';
import { certificate } from '../../support/certificates.js';
import { screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterEach(() => browser.closePages());
afterAll(() => browser?.stop());

const targets = describedExports();
const subject = {
  name: 'support-tone',
  about: 'LoRA on SmolLM2-135M-Instruct',
  model: '/models/SmolLM2-135M-Instruct',
  adapters: ['/work/runs/support-tone/adapter'],
};
const PATH = '/work/runs/support-tone/exports/support-tone-merged.gguf';
const NO_LORA: EngineError = {
  code: 'bad_input',
  message: "DoRA can't be expressed in this format",
  hint: 'Merge it into its base and convert the merged model.',
  file: '/work/runs/support-tone/adapter',
};
const NO_ROOM = {
  what: '269 MB on the disk of /work/runs, which has 12 MB free',
  met: false,
  hint: 'Free some space.',
};

/** A plan for each target; what exports an adapter alone is refused, the second one has no room. */
function plans(): ExportPlans['plans'] {
  return targets.map(({ target, takes }, i) => {
    if (takes === 'adapter') return { target, plan: null, refused: NO_LORA };
    const room = { what: '145 MB on the disk of /work/runs, which has 33.8 GB free', met: true, hint: null };
    const needs = [i === 1 ? NO_ROOM : room];
    return {
      target,
      plan: {
        target,
        path: i === 0 ? PATH : `${PATH}-${i}`,
        taken: i === 0,
        bytes: 145e6 * (i + 1),
        seconds: 9 * (i + 1),
        needs,
      },
      refused: null,
    };
  });
}

const first = targets[0]!;
const refusedTarget = targets.find(({ takes }) => takes === 'adapter')!;
const exported = {
  format: first.to,
  target: first.target,
  path: PATH,
  place: PATH,
  bytes: 144_812_032,
  peft_type: 'LORA',
  changed_parameters: 60,
  types: { Q8_0: 211, F32: 61 },
  rounding: { kl: 0.00213, adapter_kl: 0.4121, label_tokens: 248 },
  llama_cpp: { base: null, has_chat_template: true },
  certificate: { ...certificate(first.target, PATH), file: '/work/runs/support-tone/exports/x.certificate.json' },
};

async function open(
  {
    choice = null,
    state = { kind: 'choosing' },
    known = plans(),
  }: Partial<Pick<ExportSnapshot, 'choice' | 'state'> & { known: ExportPlans['plans'] }> = {},
  options: Partial<OpenOptions> = {},
): Promise<Page> {
  return browser.open({
    webview: 'export',
    theme: 'dark',
    width: 1000,
    ...options,
    prepare: page =>
      page.evaluate(([shown, facts, own]) => window.fake.serveExport(shown, facts, own), [
        { subject, choice, state },
        targets,
        known,
      ] as const),
  });
}

const tell = (page: Page, lines: readonly EngineLine[], end: boolean | EngineError = false) =>
  page.evaluate(([lines, end]) => window.fake.tellEvaluation(lines, end), [lines, end] as const);
const logged = (page: Page) => page.evaluate(() => window.fake.log);
const cardOf = (page: Page, title: string) => page.getByRole('radio', { name: new RegExp(`^${title}`) });
const exportButton = (page: Page) => page.getByRole('button', { name: 'Export', exact: true });

describe('the Export view', () => {
  it('has a card for each target, with size and time, what is missing and what isn’t possible', async () => {
    const page = await open();
    await page.getByRole('heading', { name: 'Export support-tone' }).waitFor();
    await page.getByText('LoRA on SmolLM2-135M-Instruct').waitFor();
    await page.getByText('145 MB, about 9 s').waitFor();
    const cards = await page.locator('.card').allInnerTexts();
    expect(cards.map(text => text.split('\n')[0])).toEqual(targets.map(({ title }) => title));
    expect(cards[1]).toContain('290 MB, about 18 s · something is missing');
    expect(cards.filter(text => text.includes('not possible'))).toHaveLength(
      targets.filter(({ takes }) => takes === 'adapter').length,
    );
    // The first one that is possible is chosen.
    expect(await cardOf(page, first.title).getAttribute('aria-checked')).toBe('true');
    await page.getByText(PATH).waitFor();
    await page.getByText('There is something of that name already').waitFor();
    await cardOf(page, targets[1]!.title).click();
    await page.getByRole('list', { name: 'What it needs' }).getByText('Free some space.').waitFor();
  });

  it('says why a target isn’t possible, and what works', async () => {
    const page = await open();
    await cardOf(page, refusedTarget.title).click();
    await page.getByRole('alert').getByText(NO_LORA.message).waitFor();
    await page.getByText(NO_LORA.hint!).waitFor();
    expect(await exportButton(page).isVisible()).toBe(false);
  });

  it('says so if nothing is possible', async () => {
    const hint = 'Two ways work. Python: PeftModel.from_pretrained(base, FOLDER). Any OpenAI client: tunewright serve.';
    const refused = { code: 'bad_input' as const, message: "PROMPT_TUNING can't be merged", hint };
    const page = await open({ known: targets.map(({ target }) => ({ target, plan: null, refused })) });
    await cardOf(page, first.title).click();
    await page.getByRole('alert').getByText("PROMPT_TUNING can't be merged").waitFor();
    await page.getByText('Two ways work.').waitFor();
  });

  it('plans the options that are chosen, and exports with them', async () => {
    const page = await open({ choice: { target: first.target, options: { type: 'q8_0' } } });
    await expect
      .poll(() => logged(page))
      .toContainEqual({ planning: { target: first.target, options: { type: 'q8_0' }, to: first.to } });
    await page.locator('vscode-dropdown').first().click();
    await page.getByRole('option', { name: 'q4_k_m' }).click();
    const choice = { target: first.target, options: { type: 'q4_k_m' } };
    await expect.poll(() => logged(page)).toContainEqual({ planning: { ...choice, to: first.to } });
    await page.getByRole('link', { name: `Change the place of ${first.title}` }).click();
    await page.getByText(`${PATH}-elsewhere`).waitFor();
    await exportButton(page).click();
    await page.getByRole('progressbar').waitFor();
    const place = { out: `${PATH}-elsewhere`, force: false };
    await expect.poll(() => logged(page)).toContainEqual({ exporting: { ...choice, to: first.to }, place });
    expect(await logged(page)).toContainEqual({ remembered: choice });
  });

  it('shows progress, then where it is and what rounding has changed', async () => {
    const page = await open();
    await exportButton(page).click();
    await page.getByText('Starting the engine...').waitFor();
    await tell(page, [{ type: 'progress', phase: 'write', done: 68, total: 272 }]);
    await page.getByText('Writing: 25%').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('25');
    await tell(page, [{ type: 'warning', message: 'rounding has moved the model' }, exported], true);
    await page.getByRole('heading', { name: `${first.title}: exported` }).waitFor();
    await page.getByRole('list', { name: 'Warnings' }).getByText('rounding has moved the model').waitFor();
    const figures = await page.locator('.result .figures > div').allInnerTexts();
    expect(figures.map(text => text.replaceAll(/\s+/g, ' '))).toEqual([
      'Size 145 MB 211 Q8_0, 61 F32',
      'Merged 60 parameters',
      'Changed by rounding 0.002130 nats per token; by the adapter: 0.4121',
    ]);
    await page.getByText('it differs from what it was made from by no more than its type must').waitFor();
    const rows = await page.getByRole('table', { name: 'Certificate' }).getByRole('row').allInnerTexts();
    expect(rows.map(text => text.split(/\t|\n/)[0])).toEqual(['What', 'Chat template', 'Token ids', 'KL divergence']);
    expect(rows[3]).toContain('0.002130 nats per token');
    await page.getByText('Q8_0 keeps 8 bits of each value').waitFor();
    await page.getByRole('button', { name: 'Copy Path' }).click();
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await expect.poll(() => logged(page)).toContainEqual({ act: 'reveal', path: PATH });
    expect(await logged(page)).toContainEqual({ act: 'copy', path: PATH });
    await page.getByRole('button', { name: 'Copy Command for llama.cpp' }).click();
    const command = `llama-cli -m ${PATH} --jinja -cnv`;
    await expect.poll(() => logged(page)).toContainEqual({ act: 'copy', path: command });
  });

  it('shows the answers of an installed model beside ours, and why they differ', async () => {
    const installed = {
      ...{ program: 'Ollama', version: '0.34.1', model: 'support-tone:latest', not_asked: null },
      answers: [
        { prompt: 'Who are you?', ours: 'A helper.', file: null, theirs: 'A helper.', same: true },
        { prompt: 'Where is my parcel?', ours: 'On its way.', file: 'On its way.', theirs: '', same: false },
      ],
      differences: [{ cause: 'stop' as const, text: 'Ollama doesn’t know <|im_end|> as an end of answers.' }],
    };
    const result = {
      ...exported,
      ...{ path: null, place: 'support-tone:latest in Ollama', llama_cpp: undefined },
      certificate: { ...exported.certificate, installed },
    };
    const state = {
      ...{ kind: 'completed' as const, title: 'Ollama', warnings: [], time: '2026-11-29T17:49:00.000Z' },
      exported: result,
    };
    const page = await open({ state });
    await page.getByText('Ollama 0.34.1 answers 1 of 2 prompts as this program does (support-tone:latest).').waitFor();
    const rows = await page.getByRole('table', { name: 'Answers here and in Ollama' }).getByRole('row').allInnerTexts();
    expect(rows.map(text => text.split('\t').map(cell => cell.trim()))).toEqual([
      ['Prompt', 'Here', 'Ollama'],
      ['Who are you?', 'A helper.', 'the same'],
      ['Where is my parcel?', 'On its way.', 'nothing'],
    ]);
    await page.getByText('doesn’t know <|im_end|>').waitFor();
    expect(await page.getByRole('button', { name: 'Copy Command for llama.cpp' }).count()).toBe(0);
    await page.screenshot({ path: screenshotPath('export-installed-dark'), fullPage: true });
  });

  it('is cancelled with the keyboard, keeps the focus, and says why it failed', async () => {
    const page = await open();
    await exportButton(page).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Cancel' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('Cancelled. Nothing was written.').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('progressbar').waitFor();
    await tell(page, [], { code: 'bad_input', message: 'too large for F16', file: '/m/model.gguf', hint: 'Use BF16.' });
    await page.getByRole('alert').getByText('too large for F16').waitFor();
    await page.getByText('Use BF16.').waitFor();
    await page.getByRole('link', { name: 'Open model.gguf' }).click();
    await expect.poll(() => logged(page)).toContainEqual({ file: '/m/model.gguf', line: null });
  });

  it('chooses cards with the arrow keys', async () => {
    const page = await open();
    await cardOf(page, first.title).focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => cardOf(page, targets[1]!.title).getAttribute('aria-checked')).toBe('true');
    await page.keyboard.press('End');
    await expect.poll(() => cardOf(page, targets.at(-1)!.title).getAttribute('aria-checked')).toBe('true');
    await page.keyboard.press('Home');
    await expect.poll(() => cardOf(page, first.title).getAttribute('aria-checked')).toBe('true');
  });

  it('shows a result that was kept', async () => {
    const page = await open();
    await exportButton(page).click();
    await page.getByRole('progressbar').waitFor();
    await tell(page, [exported], true);
    await page.getByRole('heading', { name: `${first.title}: exported` }).waitFor();
    const { state, choice } = (await page.evaluate(() => window.fake.keptState())) as ExportSnapshot;
    const again = await open({ state, choice });
    await again.getByRole('heading', { name: `${first.title}: exported` }).waitFor();
    await again.getByText('145 MB, about 9 s').waitFor();
  });

  for (const theme of themes)
    it(`is accessible and looks right: ${theme}`, async () => {
      const page = await open({}, { theme, reducedMotion: true });
      await page.getByText('145 MB, about 9 s').waitFor();
      await page.screenshot({ path: screenshotPath(`export-${theme}`), fullPage: true });
      await expectAccessible(page);
      await cardOf(page, refusedTarget.title).click();
      await page.getByRole('alert').waitFor();
      await page.screenshot({ path: screenshotPath(`export-refused-${theme}`), fullPage: true });
      await expectAccessible(page);
      await cardOf(page, targets[1]!.title).click();
      await page.mouse.move(0, 0);
      await page.getByRole('list', { name: 'What it needs' }).getByText('Free some space.').waitFor();
      await exportButton(page).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('progressbar').waitFor();
      await tell(page, [{ type: 'progress', phase: 'write', done: 2, total: 5 }]);
      await page.getByText('Writing: 40%').waitFor();
      await page.screenshot({ path: screenshotPath(`export-running-${theme}`), fullPage: true });
      await expectAccessible(page);
      await tell(page, [{ type: 'warning', message: 'rounding has moved the model' }, exported], true);
      await page.getByRole('button', { name: 'Copy Path' }).waitFor();
      await page.screenshot({ path: screenshotPath(`export-done-${theme}`), fullPage: true });
      await expectAccessible(page);
      await page.setViewportSize({ width: 360, height: 900 });
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
      await page.screenshot({ path: screenshotPath(`export-narrow-${theme}`), fullPage: true });
    });
});
