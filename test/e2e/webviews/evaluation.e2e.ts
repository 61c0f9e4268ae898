// The page of an evaluation on a dataset, fed with the engine's recorded answer: progress, figures, losses in the text of the worst
// rows, failures, keyboard and themes.
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EngineLine } from '../../../extension/src/host/webviews/engineLines.js';
import type { DatasetReport } from '../../../extension/src/protocol/answers.js';
import type { EngineError } from '../../../extension/src/protocol/engineError.js';
import type { EvaluationState } from '../../../extension/src/protocol/evaluationMessages.js';
import { expectAccessible } from './accessibility.js';
import { screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';
import { recordedAnswer } from './recordings.js';

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterEach(() => browser.closePages());
afterAll(() => browser?.stop());

const FILE = '/data/pirate.validation.jsonl';

/** With one exact answer, which the recorded model doesn't give, and no answer to another row. */
function report(): DatasetReport & { type?: undefined } {
  const recorded = recordedAnswer('evaluate-pirate') as DatasetReport;
  const [first, second] = recorded.worst;
  const answers = recorded.answers
    .filter(({ line }) => line !== second!.line)
    .map(answer =>
      answer.line === first!.line
        ? { ...answer, answer: answer.expected, metrics: { rougeL: 1, exact_match: 1 } }
        : answer,
    );
  return { ...recorded, answers };
}

async function open(
  { answers = true, state = null }: { answers?: boolean; state?: EvaluationState | null } = {},
  options: Partial<OpenOptions> = {},
): Promise<Page> {
  return browser.open({
    webview: 'evaluation',
    theme: 'dark',
    width: 1200,
    ...options,
    prepare: page =>
      page.evaluate(([target, state]) => window.fake.serveEvaluation(target, 'pirate', state), [
        { run: '/runs/pirate', step: null, dataset: FILE, answers },
        state,
      ] as const),
  });
}

const tell = (page: Page, lines: readonly EngineLine[], end: boolean | EngineError = false) =>
  page.evaluate(([lines, end]) => window.fake.tellEvaluation(lines, end), [lines, end] as const);
const logged = (page: Page) => page.evaluate(() => window.fake.log);
const cells = (page: Page, row: number) => page.locator(`tbody tr:nth-child(${row})`).locator('th, td');

async function completed(page: Page, line: EngineLine = report()): Promise<void> {
  await page.getByRole('progressbar').waitFor();
  await tell(page, [{ type: 'warning', message: '1 row was left out' }, line], true);
  await page.getByRole('heading', { name: 'Rows with the highest loss' }).waitFor();
}

describe('an evaluation', () => {
  it('says how far the engine is, then shows figures, warnings and the worst rows with their answers', async () => {
    const page = await open();
    await page.getByRole('status').getByText('Starting the engine...').waitFor();
    await tell(page, [{ type: 'progress', phase: 'answer', done: 10, total: 40 }]);
    await page.getByRole('status').getByText('Answering the rows: 25%').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('25');
    await completed(page);

    const { loss, perplexity, token_accuracy: accuracy, rouge1, rouge2, rougeL, worst, answers } = report();
    const figures = await page.locator('.figures > div').allInnerTexts();
    expect(figures.map(each => each.replaceAll(/\s+/g, ' '))).toEqual([
      `Loss ${loss.toFixed(4)} per label token`,
      `Perplexity ${perplexity.toFixed(3)}`,
      `Token accuracy ${(100 * accuracy).toFixed(0)}%`,
      `ROUGE-1 ${rouge1!.toFixed(3)}`,
      `ROUGE-2 ${rouge2!.toFixed(3)}`,
      `ROUGE-L ${rougeL!.toFixed(3)}`,
      'Exact match 2.56% 1 of 39 answers',
    ]);
    await page.getByText('40 rows, 677 label tokens').waitFor();
    await page.getByRole('list', { name: 'Warnings' }).getByText('1 row was left out').waitFor();
    expect(await page.locator('tbody tr').count()).toBe(worst.length);
    expect(await cells(page, 1).nth(0).innerText()).toBe(`Line ${worst[0]!.line}`);
    expect(await cells(page, 1).nth(2).innerText()).toContain('as expected');
    expect(await cells(page, 2).nth(2).innerText()).toContain('Not asked');
    const third = answers.find(({ line }) => line === worst[2]!.line)!;
    expect(await cells(page, 3).nth(2).locator('.texts > :nth-child(2)').innerText()).toBe(
      `Answer of the model · ROUGE-L ${third.metrics['rougeL']!.toFixed(3)}\n\n${third.answer.trim()}`,
    );
  });

  it('draws the loss of each token in the text of its row', async () => {
    const page = await open({ answers: false });
    await completed(page);
    expect(await page.getByRole('columnheader').allInnerTexts()).toEqual(['Row', 'Loss', 'Text']);
    const [row] = report().worst;
    const text = page.locator('tbody tr:first-child .tokens');
    expect(await text.evaluate(element => element.textContent)).toBe(
      `${row!.masked[0]!.text}${row!.tokens.join('')}${row!.masked[1]!.text}`,
    );
    const strengths = await text
      .locator('.token')
      .evaluateAll(spans => spans.map(span => Number((span as HTMLElement).style.getPropertyValue('--strength'))));
    // Full at a probability of 0.1%.
    row!.losses.forEach((loss, i) =>
      expect(strengths[i], `token ${i}`).toBeCloseTo(Math.min(1, loss / Math.log(1000)), 2),
    );
    await text.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    const at = row!.losses.length - 2;
    await page
      .locator('.token-card')
      .getByText(`loss ${row!.losses[at]!.toFixed(2)}, probability`)
      .waitFor();
  });

  it('opens a row in its editor, with the keyboard', async () => {
    const page = await open();
    await completed(page);
    await page.getByRole('link', { name: `Line ${report().worst[1]!.line}`, exact: true }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => logged(page)).toContainEqual({ file: FILE, line: report().worst[1]!.line });
  });

  it('is cancelled and asked again, and keeps the focus', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Cancel' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('Cancelled before it had a result.').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('Starting the engine...').waitFor();
    expect(await logged(page)).toEqual([{ evaluating: FILE }, { evaluating: FILE }]);
    await completed(page);
  });

  it('says why it failed, and opens the place', async () => {
    const page = await open();
    await page.getByRole('progressbar').waitFor();
    const hint = 'Name the format.';
    await tell(page, [], { code: 'bad_input', message: 'no format has these fields', file: FILE, line: 3, hint });
    await page.getByRole('alert').getByText('no format has these fields').waitFor();
    await page.getByText(hint).waitFor();
    await page.getByRole('link', { name: 'Open line 3 of pirate.validation.jsonl' }).click();
    await expect.poll(() => logged(page)).toContainEqual({ file: FILE, line: 3 });
    await page.getByRole('button', { name: 'Evaluate Again' }).waitFor();
  });

  it('shows a result that was kept, and says if no row has a loss', async () => {
    const first = await open();
    await completed(first, { ...report(), worst: [] });
    await first.getByText('No row has a token on which the loss is computed.').waitFor();
    const { state } = (await first.evaluate(() => window.fake.keptState())) as { state: EvaluationState };
    const page = await open({ state });
    await page.getByText('40 rows, 677 label tokens').waitFor();
    expect(await logged(page)).toEqual([]);
  });

  for (const theme of themes)
    it(`is accessible and looks right: ${theme}`, async () => {
      const page = await open({}, { theme, reducedMotion: true });
      await page.getByRole('progressbar').waitFor();
      await tell(page, [{ type: 'progress', phase: 'evaluate', done: 2, total: 5 }]);
      await page.getByText('Computing the loss: 40%').waitFor();
      await page.screenshot({ path: screenshotPath(`evaluation-running-${theme}`), fullPage: true });
      await expectAccessible(page);
      await completed(page);
      await page.locator('.tokens').first().focus();
      await page.keyboard.press('ArrowRight');
      await page.locator('.token-card').waitFor();
      await page.screenshot({ path: screenshotPath(`evaluation-${theme}`), fullPage: true });
      await expectAccessible(page);
      await page.setViewportSize({ width: 420, height: 900 });
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
      await page.screenshot({ path: screenshotPath(`evaluation-narrow-${theme}`), fullPage: true });
      await page.getByRole('button', { name: 'Evaluate Again' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('progressbar').waitFor();
      await tell(page, [], {
        code: 'bad_input',
        message: 'no format has these fields',
        file: FILE,
        line: 3,
        hint: 'Name it.',
      });
      await page.getByRole('alert').waitFor();
      await page.screenshot({ path: screenshotPath(`evaluation-failed-${theme}`), fullPage: true });
      await expectAccessible(page);
    });
});
