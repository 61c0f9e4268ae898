import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runFileJsonSchema } from '../../../extension/src/engine/run/runFileSchema.js';
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { helpOf } from '../../../extension/src/core/forms/formField.js';
import type { KnownGpu } from '../../../extension/src/core/gpuMemory.js';
import { clusterSchema } from '../../../extension/src/protocol/clusters.js';
import type { EngineError } from '../../../extension/src/protocol/engineError.js';
import { proposeRun } from '../../../extension/src/core/runs/proposeRun.js';
import type { Draft, TrainingData } from '../../../extension/src/protocol/runPanelMessages.js';
import { block } from '../../../extension/src/core/runs/runFileKeys.js';
import type { RaceFiles } from '../../../extension/src/protocol/raceMessages.js';
import { finishedRun } from '../../support/raceRuns.js';
import { expectAccessible } from './accessibility.js';
import { screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';
import { recordedAnswer } from './recordings.js';

const models = {
  'embedded:tiny': { inspection: recordedAnswer('inspect-tiny'), estimate: recordedAnswer('estimate-tiny') },
  'smollm2-135m-instruct': {
    inspection: recordedAnswer('inspect-smollm2'),
    estimate: recordedAnswer('estimate-smollm2'),
  },
};
/** Answers for a run on a cluster, whatever its draft says. */
const onCluster = {
  'embedded:tiny': {
    inspection: recordedAnswer('inspect-tiny'),
    estimate: { ...recordedAnswer('estimate-tiny'), available_bytes: null, workers: 4 },
  },
};
const choices = {
  models: [
    { id: 'embedded:tiny', label: 'embedded:tiny', group: 'embedded', detail: '' },
    { id: 'smollm2-135m-instruct', label: 'smollm2-135m-instruct', group: 'pulled', detail: '98 MB' },
    { id: '/ws/pirate-merged', label: 'pirate-merged', group: '', detail: 'made from embedded:tiny · llama · 7 MB' },
  ],
  datasets: [
    { path: '/ws/data/pirate.messages.jsonl', label: 'pirate.messages.jsonl', group: 'data' },
    { path: '/ws/data/support.alpaca.json', label: 'support.alpaca.json', group: 'data' },
  ],
  clusters: [
    clusterSchema.parse({ name: 'lab', address: 'http://lab:8265', num_workers: 4, use_gpu: true, price_per_hour: 3 }),
  ],
};
const ready: Draft = {
  model: 'embedded:tiny',
  dataset: { train: '/ws/data/pirate.messages.jsonl', max_length: 128 },
  method: { peft_type: 'LORA', r: 8, target_modules: 'all-linear' },
};

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterEach(() => browser.closePages());
afterAll(() => browser?.stop());

interface PanelOptions extends Partial<OpenOptions> {
  draft?: Draft;
  models?: Record<string, { inspection: any; estimate: any }>;
  trusted?: boolean;
  problems?: Record<string, EngineError>;
  data?: Record<string, TrainingData>;
  hub?: Record<string, string>;
  races?: RaceFiles[];
  gpus?: KnownGpu[];
}

async function open({
  draft = ready,
  models: known = models,
  trusted = true,
  problems = {},
  data = {},
  hub = {},
  races = [],
  gpus = [],
  ...options
}: PanelOptions = {}): Promise<Page> {
  return browser.open({
    webview: 'runPanel',
    theme: 'dark',
    width: 260,
    ...options,
    prepare: page =>
      page.evaluate(given => window.fake.servePanel(given), {
        schema: runFileJsonSchema() as Record<string, unknown>,
        choices,
        draft,
        trusted,
        models: known,
        problems,
        data,
        hub,
        races,
        gpus,
        picks: {
          model_folder: '/models/mine',
          model_file: '/models/mine.gguf',
          model_id: 'org/name',
          dataset: '/elsewhere/rows.csv',
          cluster: 'http://head:8265',
        },
      }),
  });
}

const { name: _name, seed: _seed, ...raced } = finishedRun('r4', 1, { validation_loss: 1.23 });
const race: RaceFiles = {
  race: {
    name: 'ranks',
    run: { ...ready, dataset: { ...block(ready, 'dataset'), validation: 0.1 } },
    vary: [{ name: 'r4' }],
    seeds: [1],
  },
  run: null,
  folders: { 'runs/r4-seed1': raced },
  baseScore: null,
};

/** The latest of what the panel sent to the host, by kind. */
const last = (page: Page, kind: 'draft' | 'started' | 'estimated' | 'described' | 'opened' | 'pulled') =>
  page.evaluate(
    kind =>
      window.fake.log
        .map(entry => (entry as Record<string, any>)[kind])
        .filter(Boolean)
        .at(-1),
    kind,
  );
const field = (page: Page, key: string) => page.locator(`.field[data-key="${key}"]`);
const input = (page: Page, key: string) => field(page, key).locator('input');
const estimated = (page: Page) => expect.poll(() => page.locator('.memory-row').count()).toBe(3);

describe('run panel', () => {
  it('shows the draft, facts about the model, and the estimate', async () => {
    const page = await open();
    await expect.poll(() => page.locator('.panel').textContent()).toMatch(/1\.8M parameters · llama · 512 tokens/);
    await estimated(page);
    expect(await input(page, 'r').inputValue()).toBe('8');
    expect(await input(page, 'target_modules').inputValue()).toBe('all-linear');
    expect(await page.locator('.share').textContent()).toMatch(/115,840 of 1,866,080 parameters trained \(6\.21%\)/);
    expect(await page.locator('.memory').first().textContent()).toMatch(/Full fine-tuning/);
    expect(await page.locator('.panel').textContent()).toMatch(/About \d+ s on this machine: 88 steps of \d+ ms/);
    expect(await page.evaluate(() => window.fake.faults)).toEqual([]);
  });

  it('updates the picture with the rank: 512 x 64 at r = 8 is 86% fewer', async () => {
    const page = await open();
    await estimated(page);
    await page.getByRole('combobox', { name: 'Matrix' }).click();
    await page.getByRole('option', { name: /worked example/ }).click();
    await expect.poll(() => page.locator('.verdict').textContent()).toMatch(/32,768 become 4,608: 86% fewer/);
    const width = () =>
      page
        .locator('rect.matrix-b')
        .first()
        .evaluate(rect => Number(rect.getAttribute('width')));
    const before = await width();
    await page.getByRole('slider', { name: 'Rank r' }).focus();
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
    await expect.poll(() => input(page, 'r').inputValue()).toBe('32');
    expect(await page.locator('.verdict').textContent()).toMatch(/18,432: 44% fewer/);
    expect(await width()).toBeGreaterThan(before);
    // Immediately, from the shapes alone: four times the rank, four times the parameters.
    expect(await page.locator('.share').textContent()).toMatch(/^463,360 of/);
    expect(await last(page, 'draft')).toMatchObject({ method: { peft_type: 'LORA', r: 32 } });
  });

  it('draws two pairs of factors where a method trains two, and none where it trains none', async () => {
    const page = await open();
    await estimated(page);
    const drawn = () => page.locator('.lora-picture rect:visible').count();
    expect(await drawn()).toBe(3);
    await page.getByRole('radio', { name: 'LoHa' }).click();
    await expect.poll(drawn).toBe(5);
    await page.getByRole('combobox', { name: 'Matrix' }).click();
    await page.getByRole('option', { name: /worked example/ }).click();
    await expect.poll(() => page.locator('.verdict').textContent()).toMatch(/32,768 become 9,216: 72% fewer/);
    expect(await page.getByRole('img').getAttribute('aria-label')).toMatch(/with 2 pairs of B and A of rank 8/);
    await page.screenshot({ path: screenshotPath('panel-two-pairs-dark') });
    // An `r` of another method is not LoRA's.
    await page.getByRole('radio', { name: 'VeRA' }).click();
    await expect.poll(() => input(page, 'r').inputValue()).toBe('256');
    await expect.poll(drawn).toBe(0);
  });

  it('compares the run with full fine-tuning and with the free memory', async () => {
    const { estimate, inspection } = models['embedded:tiny'];
    const needed = estimate.run.memory.total;
    const openWith = (available_bytes: number) =>
      open({ models: { 'embedded:tiny': { inspection, estimate: { ...estimate, available_bytes } } } });
    const rich = await openWith(100 * needed);
    await estimated(rich);
    const labels = (page: Page) => page.locator('.memory-label').allTextContents();
    expect(await labels(rich)).toEqual([
      expect.stringMatching(/^LoRA\d+ MB$/),
      expect.stringMatching(/^Full fine-tuning\d+ MB$/),
      expect.stringMatching(/^Inference\d+ MB$/),
    ]);
    expect(await rich.locator('.memory-free').textContent()).toMatch(/^[\d.]+ [GM]B free on this machine$/);
    expect(await rich.locator('.memory-row').first().locator('.part').count()).toBe(5);
    const poor = await openWith(needed / 2);
    await estimated(poor);
    expect((await labels(poor)).map(text => text.includes('more than is free'))).toEqual([true, true, false]);
    expect(await poor.locator('.memory-bar .available').count()).toBe(3);
  });

  it('has every option of every method, with help, default and problem, within 260 pixels', async () => {
    const page = await open();
    await estimated(page);
    const methods = (runFileJsonSchema() as JsonSchema).properties!['method']!.oneOf!;
    expect(await page.getByRole('radio').count()).toBe(methods.length);
    for (const { title, properties } of methods) {
      await page.getByRole('radio', { name: title }).click();
      for (const summary of await page.locator('.section[aria-label="Method"] summary').all()) await summary.click();
      for (const [key, schema] of Object.entries(properties!)) {
        if (key === 'peft_type') continue;
        expect(await field(page, key).textContent()).toContain(schema.title);
        expect(await field(page, key).locator('.help').textContent()).toBe(helpOf(schema, properties));
        if (typeof schema.default !== 'number') continue;
        expect(Number(await input(page, key).inputValue())).toBe(schema.default);
        await input(page, key).fill('-1e9');
        await field(page, key)
          .getByRole('alert')
          .getByText(/^Must be a/)
          .waitFor();
        await input(page, key).fill(String(schema.default));
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(260);
    }
  });

  it('shows only those options of a method that apply to the values of others', async () => {
    const page = await open();
    await page.getByRole('radio', { name: 'Selective' }).click();
    const choose = async (label: string, option: string) => {
      await page.getByRole('combobox', { name: label }).click();
      await page.getByRole('option', { name: option, exact: true }).click();
    };
    const shown = async (...keys: string[]) => {
      for (const key of ['num_layers', 'pattern'])
        await expect.poll(() => field(page, key).isVisible(), { message: key }).toBe(keys.includes(key));
    };
    await shown('num_layers');
    expect(await field(page, 'num_layers').locator('.help').textContent()).toBe('Number of blocks');
    // A problem in a hidden field doesn't block the start.
    await input(page, 'num_layers').fill('0');
    await field(page, 'num_layers').getByRole('alert').waitFor();
    await choose('Parameters', 'pattern');
    await shown('pattern');
    await input(page, 'pattern').fill('.*norm.*');
    const method = { peft_type: 'SELECTIVE', select: 'pattern', pattern: '.*norm.*' };
    await expect.poll(() => last(page, 'draft')).toMatchObject({ method });
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => last(page, 'started')).toMatchObject({ method });
    await choose('Parameters', 'norm');
    await shown();
    await choose('Parameters', 'first_layers');
    await shown('num_layers');
    expect(await input(page, 'num_layers').inputValue()).toBe('2');
    await page.getByRole('radio', { name: 'Prompt tuning' }).click();
    const text = field(page, 'prompt_tuning_init_text');
    await expect.poll(() => text.isVisible()).toBe(false);
    await choose('Initialization', 'TEXT');
    await expect.poll(() => text.isVisible()).toBe(true);
  });

  it('takes prompts with commas, one per line, and an optional name', async () => {
    const page = await open();
    await page.getByText('Sample answers').click();
    await page.getByRole('textbox', { name: 'Prompts' }).fill('Hello, who are you?\nWhy?');
    const samples = { prompts: ['Hello, who are you?', 'Why?'] };
    await expect.poll(() => last(page, 'draft')).toEqual({ ...ready, samples });
    await page.getByText('Run name').click();
    expect(await input(page, 'name').getAttribute('placeholder')).toBe('pirate-lora');
    await input(page, 'name').fill('mine');
    await expect.poll(() => last(page, 'draft')).toEqual({ ...ready, samples, name: 'mine' });
    await input(page, 'name').fill('');
    await expect.poll(() => last(page, 'draft')).toEqual({ ...ready, samples });
  });

  it('has no motion if reduced motion is preferred', async () => {
    const moving = (page: Page) =>
      page.locator('.panel').evaluate(panel => {
        const styles = [...panel.querySelectorAll('*')].map(element => getComputedStyle(element));
        return styles.filter(
          ({ transitionProperty, transitionDuration, animationName }) =>
            animationName !== 'none' || (transitionProperty !== 'none' && /[1-9]/.test(transitionDuration)),
        ).length;
      });
    const page = await open();
    await estimated(page);
    expect(await moving(page)).toBeGreaterThan(0);
    const still = await open({ reducedMotion: true });
    await estimated(still);
    expect(await moving(still)).toBe(0);
  });

  it('omits options at their default', async () => {
    const page = await open();
    await input(page, 'r').fill('4');
    await input(page, 'r').fill('8');
    await expect
      .poll(() => last(page, 'draft'))
      .toEqual({ ...ready, method: { peft_type: 'LORA', target_modules: 'all-linear' } });
  });

  it('shows a problem at its field, and does not start', async () => {
    const page = await open();
    await input(page, 'r').fill('0');
    await expect
      .poll(() => field(page, 'r').getByRole('alert').textContent())
      .toBe('Must be a whole number from 1 to 65536.');
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => page.locator('.footer').textContent()).toMatch(/Fix the highlighted fields first/);
    expect(await last(page, 'started')).toBeUndefined();
    await page.screenshot({ path: screenshotPath('panel-problem-dark') });
    await input(page, 'r').fill('8');
    await expect.poll(() => field(page, 'r').getByRole('alert').isVisible()).toBe(false);
  });

  it('shows a problem that the engine found at its field, even a collapsed one', async () => {
    const page = await open({
      problems: {
        '"rank_pattern"': {
          code: 'bad_input',
          message: '"up" matches no module',
          file: '/tmp/draft.json',
          key: 'method.rank_pattern',
        },
      },
    });
    await page.getByText('More method options').click();
    await input(page, 'rank_pattern').fill('up=4');
    await expect
      .poll(() => field(page, 'rank_pattern').getByRole('alert').textContent())
      .toBe('"up" matches no module');
  });

  it('does not start what the engine refuses, and shows it at its field', async () => {
    const file = '/tmp/draft.json';
    const unknown = {
      code: 'bad_input' as const,
      message: '"up" matches no module',
      file,
      key: 'method.target_modules',
    };
    const page = await open({ problems: { '"up"': unknown } });
    await input(page, 'target_modules').fill('up');
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect
      .poll(() => field(page, 'target_modules').getByRole('alert').textContent())
      .toBe('"up" matches no module');
    expect(await last(page, 'started')).toBeUndefined();
    await input(page, 'target_modules').fill('all-linear');
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => last(page, 'started')).toMatchObject({ method: { target_modules: 'all-linear' } });
  });

  const path = '/ws/data/pirate.messages.jsonl';
  const facts = (more: Partial<TrainingData['train']> = {}): TrainingData => ({
    train: { summary: 'Conversations (OpenAI messages) · 300 rows', notes: [], end: null, ...more },
    validation: null,
  });
  const leftOut = { text: '3 rows can’t be used, left out', line: 7 };
  const end = { text: 'The run would end: 8 of 30 rows can’t be used, more than a tenth.', line: 5 };

  it('says what the training data holds, and opens a row with a problem', async () => {
    const page = await open({ data: { [path]: facts({ notes: [leftOut] }) } });
    await page.getByText('Conversations (OpenAI messages) · 300 rows').waitFor();
    await page.getByText('3 rows can’t be used, left out').waitFor();
    await page.getByRole('link', { name: 'Open line 7' }).click();
    await expect.poll(() => last(page, 'opened')).toEqual({ path, line: 7 });
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => last(page, 'started')).toMatchObject({ dataset: { train: path } });
  });

  it('does not start what the rows would end, until the file has changed', async () => {
    const page = await open({ data: { [path]: facts({ end, notes: [{ ...leftOut, line: 5 }] }) } });
    const start = page.getByRole('button', { name: 'Start Fine-Tuning' });
    // Before the facts are known, as well: it waits for them.
    await start.click();
    await page.locator('.footer').getByText(end.text).waitFor();
    await page.locator('.data-facts').getByText(end.text).waitFor();
    await page.locator('.footer').getByRole('link', { name: 'Open line 5' }).click();
    await expect.poll(() => last(page, 'opened')).toEqual({ path, line: 5 });
    expect(await last(page, 'started')).toBeUndefined();
    await page.evaluate(([path, data]) => window.fake.changeData(path, data), [path, facts()] as const);
    await page.locator('.data-facts').getByRole('alert').waitFor({ state: 'hidden' });
    await page.locator('.footer').getByRole('alert').waitFor({ state: 'hidden' });
    await start.click();
    await expect.poll(() => last(page, 'started')).toMatchObject({ dataset: { train: path } });
  });

  it('shows at the validation file that its rows would end the run, and does not start', async () => {
    const page = await open({ data: { [path]: { ...facts(), validation: { ...facts().train, end } } } });
    await field(page, 'validation').getByRole('alert').getByText(end.text).waitFor();
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => page.getByRole('button', { name: 'Start Fine-Tuning' }).isEnabled()).toBe(true);
    expect(await last(page, 'started')).toBeUndefined();
  });

  it('asks for the facts of another dataset, and shows none of a file that can’t be read', async () => {
    const page = await open({ data: { [path]: facts() } });
    await page.getByText('Conversations (OpenAI messages) · 300 rows').waitFor();
    await page.getByRole('combobox', { name: 'Training data' }).click();
    await page.getByRole('option', { name: /support/ }).click();
    await expect.poll(() => last(page, 'described')).toBe('/ws/data/support.alpaca.json');
    await expect.poll(() => page.locator('.data-facts').isVisible()).toBe(false);
  });

  it('offers to pull a model that is not on this machine, and knows it afterwards', async () => {
    const page = await open({ draft: { ...ready, model: 'org/name' }, hub: { 'org/name': 'embedded:tiny' } });
    const note = page.locator('.note');
    await note.getByText('This model is not on this machine yet.').waitFor();
    expect(await page.getByRole('combobox', { name: 'Model', exact: true }).textContent()).toContain('org/name');
    expect(await page.locator('.section[aria-label="Model"]').getByRole('alert').isVisible()).toBe(false);
    await note.getByRole('button', { name: 'Pull Model' }).click();
    await expect.poll(() => last(page, 'pulled')).toBe('org/name');
    await expect.poll(() => page.locator('.panel').textContent()).toMatch(/1\.8M parameters · llama · 512 tokens/);
    await estimated(page);
    expect(await note.isVisible()).toBe(false);
  });

  it('a start does not need the model to be pulled', async () => {
    const page = await open({ draft: { ...ready, model: 'org/name' }, hub: { 'org/name': 'embedded:tiny' } });
    await page.locator('.note').waitFor();
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => last(page, 'started')).toMatchObject({ model: 'org/name' });
  });

  it('the count of the engine replaces the quick one, once it is there for the same method', async () => {
    const { estimate, inspection } = models['embedded:tiny'];
    const counted = { ...estimate, run: { ...estimate.run, trainable_parameters: 123_456 } };
    const page = await open({ models: { 'embedded:tiny': { inspection, estimate: counted } } });
    await expect.poll(() => page.locator('.share').textContent()).toMatch(/^123,456 of/);
    await input(page, 'r').fill('16');
    // Of this rank, the shapes say more than the estimate of the last one.
    expect(await page.locator('.share').textContent()).toMatch(/^231,680 of/);
    await expect.poll(() => page.locator('.share').textContent()).toMatch(/^246,912 of/);
  });

  it('proposes the same run in whatever order model, dataset and method are chosen', async () => {
    const chosen: Record<string, (page: Page) => Promise<void>> = {
      model: async page => {
        await page.getByRole('combobox', { name: 'Model', exact: true }).click();
        await page.getByRole('option', { name: /^embedded:tiny/ }).click();
      },
      dataset: async page => {
        await page.getByRole('combobox', { name: 'Training data' }).click();
        await page.getByRole('option', { name: /pirate/ }).click();
      },
      method: async page => {
        await page.getByRole('radio', { name: 'Full fine-tuning' }).click();
        await page.getByRole('radio', { name: 'LoRA' }).click();
      },
    };
    const train = '/ws/data/pirate.messages.jsonl';
    const { name: _, ...proposed } = proposeRun({
      model: 'embedded:tiny',
      parameters: null,
      dataset: { train, firstRows: [{ prompt: `first of ${train}`, completion: 'x' }] },
      method: { peft_type: 'LORA', learningRate: 2e-4 },
    });
    for (const order of [
      ['model', 'dataset', 'method'],
      ['method', 'dataset', 'model'],
      ['dataset', 'method', 'model'],
    ]) {
      const page = await open({ draft: {} });
      for (const name of order) await chosen[name]!(page);
      await expect.poll(() => last(page, 'draft')).toEqual(proposed);
      await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
      await expect.poll(() => last(page, 'started')).toEqual({ name: 'pirate-lora', ...proposed });
    }
  });

  it('shows the methods without scrolling', async () => {
    const page = await open({ draft: {}, height: 500 });
    const card = (await page.getByRole('radio', { name: 'LoRA' }).boundingBox())!;
    const footer = (await page.locator('.footer').boundingBox())!;
    expect(card.y + card.height).toBeLessThan(footer.y);
  });

  it('marks names that match nothing, and starts all the same', async () => {
    const message = 'target_modules: "q_prj" matches no module of this model and is ignored.';
    const { inspection, estimate } = models['embedded:tiny'];
    const unmatched = [{ key: 'method.target_modules', message }];
    const page = await open({ models: { 'embedded:tiny': { inspection, estimate: { ...estimate, unmatched } } } });
    await expect.poll(() => field(page, 'target_modules').getByRole('alert').textContent()).toBe(message);
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => last(page, 'started')).toBeDefined();
  });

  it('chooses a method by keyboard and remembers the options of the others', async () => {
    const page = await open();
    await page.getByRole('radio', { name: /LoRA/ }).focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => last(page, 'draft')).toMatchObject({ method: { peft_type: 'PROMPT_TUNING' } });
    await expect.poll(() => input(page, 'num_virtual_tokens').inputValue()).toBe('20');
    expect(await page.locator('.lora-picture').isVisible()).toBe(false);
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => input(page, 'target_modules').inputValue()).toBe('all-linear');
  });

  it('goes from an empty form to a started run by keyboard alone', async () => {
    const page = await open({ draft: {} });
    const tabTo = async (target: Locator) => {
      for (let presses = 0; presses < 80; presses++) {
        if (await target.evaluate(element => element.matches(':focus-within'))) return;
        await page.keyboard.press('Tab');
      }
      throw new Error('not reachable by Tab');
    };
    await tabTo(page.getByRole('combobox', { name: 'Model', exact: true }));
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => last(page, 'draft')).toMatchObject({ model: 'embedded:tiny' });
    await tabTo(page.getByRole('combobox', { name: 'Training data', exact: true }));
    await page.keyboard.press('ArrowDown');
    const train = '/ws/data/pirate.messages.jsonl';
    await expect.poll(() => last(page, 'draft')).toMatchObject({ dataset: { train } });
    await tabTo(page.getByRole('radio', { name: /LoRA/ }));
    await page.keyboard.press('ArrowRight');
    await tabTo(input(page, 'num_virtual_tokens'));
    await page.keyboard.press('Control+A');
    await page.keyboard.type('12');
    await tabTo(page.getByRole('button', { name: 'Start Fine-Tuning' }));
    await page.keyboard.press('Enter');
    await expect
      .poll(() => last(page, 'started'))
      .toMatchObject({
        model: 'embedded:tiny',
        dataset: { train },
        method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 12 },
      });
  });

  it('starts the run with the suggested name', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => last(page, 'started')).toEqual({ name: 'pirate-lora', ...ready });
  });

  it('says what is missing', async () => {
    const page = await open({ draft: {} });
    expect(await page.locator('.panel').textContent()).toMatch(/Choose a model to fine-tune/);
    await page.getByRole('button', { name: 'Start Fine-Tuning' }).click();
    await expect.poll(() => page.locator('.footer').textContent()).toMatch(/Choose a model first/);
    await page.screenshot({ path: screenshotPath('panel-empty-dark') });
  });

  it('takes a model and a dataset from dialogs', async () => {
    const page = await open({ draft: {}, height: 1400 });
    for (const [choice, model] of [
      ['GGUF file...', '/models/mine.gguf'],
      ['Hugging Face ID...', 'org/name'],
      ['smollm2-135m-instruct', 'smollm2-135m-instruct'],
      ['Model folder...', '/models/mine'],
    ] as const) {
      await page.getByRole('combobox', { name: 'Model' }).click();
      await page.getByRole('option', { name: choice }).click();
      await expect.poll(() => last(page, 'draft')).toMatchObject({ model });
    }
    await expect.poll(() => page.getByRole('alert').first().textContent()).toMatch(/neither model\.safetensors/);
    await page.getByRole('combobox', { name: 'Training data' }).click();
    await page.getByRole('option', { name: 'Browse...' }).click();
    await expect.poll(() => last(page, 'draft')).toMatchObject({ dataset: { train: '/elsewhere/rows.csv' } });
  });

  it('opens a run file, and reacts to trust granted later', async () => {
    const page = await open({ draft: {}, trusted: false });
    await expect.poll(() => page.locator('.panel').textContent()).toMatch(/Restricted Mode/);
    await page.getByText('Trust this workspace to see the memory that a training step takes.').waitFor();
    await page.getByText('Trust this workspace to see the number of trained parameters.').waitFor();
    const manage = page.getByRole('link', { name: 'Manage Workspace Trust' });
    expect(await manage.getAttribute('href')).toBe('command:workbench.trust.manage');
    expect(await page.getByRole('button', { name: 'Start Fine-Tuning' }).isDisabled()).toBe(true);
    await page.evaluate(draft => window.fake.showDraft(draft, '/ws/pirate.tune.json'), {
      ...ready,
      method: { peft_type: 'SELECTIVE', num_layers: 3 },
    });
    await expect.poll(() => input(page, 'num_layers').inputValue()).toBe('3');
    expect(await last(page, 'estimated')).toBeUndefined();
    await page.evaluate(() => window.fake.grantTrust());
    await estimated(page);
    expect(await manage.isVisible()).toBe(false);
    expect(await page.locator('.run-file').textContent()).toBe('/ws/pirate.tune.json');
  });

  it('runs here or on a cluster, with the settings that count there', async () => {
    const page = await open({ models: onCluster });
    await estimated(page);
    const where = page.getByRole('combobox', { name: 'Where to run' });
    const choose = async (name: string | RegExp) => {
      await where.click();
      await page.getByRole('option', { name }).click();
    };
    const shown = (key: string) => field(page, key).evaluate(element => !(element as HTMLElement).hidden);
    await page.getByText('Engine', { exact: true }).click();
    expect([await shown('backend'), await shown('compile'), await shown('num_workers')]).toEqual([true, true, false]);
    await choose('lab · http://lab:8265');
    await expect
      .poll(() => last(page, 'draft'))
      .toMatchObject({
        engine: { backend: 'ray', address: 'http://lab:8265', num_workers: 4, use_gpu: true },
      });
    expect([await shown('backend'), await shown('compile'), await shown('num_workers')]).toEqual([false, false, true]);
    expect(await input(page, 'num_workers').inputValue()).toBe('4');
    await page.getByText('In each of the 4 workers:').waitFor();
    await page.getByText('3 per hour; time and cost: known after the first steps').waitFor();
    expect(await page.locator('.panel').textContent()).not.toContain('free on this machine');
    await choose('Ray cluster...');
    await expect
      .poll(() => last(page, 'draft'))
      .toMatchObject({ engine: { backend: 'ray', address: 'http://head:8265' } });
    await expect.poll(() => where.textContent()).toContain('http://head:8265');
    await choose('This machine');
    await expect.poll(() => last(page, 'draft')).not.toHaveProperty('engine');
    expect([await shown('backend'), await shown('num_workers')]).toEqual([true, false]);
  });

  it.each(themes)('where to run looks right: %s', async theme => {
    const engine = { backend: 'ray', address: 'http://lab:8265', num_workers: 4, use_gpu: true };
    const page = await open({ theme, reducedMotion: true, models: onCluster, draft: { ...ready, engine } });
    await estimated(page);
    await page.getByText('Engine', { exact: true }).click();
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
    await page.screenshot({ path: screenshotPath(`panel-cluster-${theme}`), fullPage: true });
    await expectAccessible(page);
  });

  for (const theme of themes)
    it(`is accessible and looks right: ${theme}`, async () => {
      const page = await open({ theme, reducedMotion: true, draft: { ...ready, model: 'smollm2-135m-instruct' } });
      await estimated(page);
      await page.screenshot({ path: screenshotPath(`panel-${theme}`), fullPage: true });
      const notes = await open({
        theme,
        reducedMotion: true,
        draft: { ...ready, model: 'org/name' },
        hub: { 'org/name': 'embedded:tiny' },
        data: {
          [path]: facts({ end, notes: [leftOut, { text: '2 rows with an empty answer, trained on', line: 9 }] }),
        },
      });
      await notes.locator('.note').waitFor();
      await notes.getByRole('button', { name: 'Start Fine-Tuning' }).click();
      await notes.locator('.footer').getByText(end.text).waitFor();
      await notes.screenshot({ path: screenshotPath(`panel-data-${theme}`), fullPage: true });
      await expectAccessible(notes);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(260);
      for (const summary of await page.locator('summary').all()) await summary.click();
      await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
      await expectAccessible(page);
      const restricted = await open({ theme, reducedMotion: true, trusted: false });
      await restricted.getByRole('link', { name: 'Manage Workspace Trust' }).focus();
      await restricted.screenshot({ path: screenshotPath(`panel-restricted-${theme}`), fullPage: true });
      await expectAccessible(restricted);
      if (theme !== 'dark' && theme !== 'highContrast') return;
      await page.screenshot({ path: screenshotPath(`panel-unfolded-${theme}`), fullPage: true });
      await page.setViewportSize({ width: 700, height: 900 });
      await page.screenshot({ path: screenshotPath(`panel-wide-${theme}`), fullPage: true });
    });
});

it('cards say what races on this model and dataset have measured', async () => {
  const page = await open({ races: [race] });
  const card = page.locator('[data-key="LORA"] .card-measured');
  await expect.poll(() => card.innerText()).toBe('loss 1.2300');
  expect(await page.locator('[data-key="IA3"] .card-measured').innerText()).toBe('');
  const words = 'Measured here: validation loss 1.2300, 1.00% trained, 500 MB, 1:00 (r4 in the race “ranks”)';
  expect(await page.locator('.measured').innerText()).toBe(words);
  expect(await card.getAttribute('title')).toBe(words);
  await page.screenshot({ path: screenshotPath('run-panel-measured'), fullPage: true });
  await expectAccessible(page);
  await page.locator('[data-key="IA3"]').click();
  await page.locator('.measured').waitFor({ state: 'hidden' });
  await page.close();
});

describe('GPUs', () => {
  const gpus: KnownGpu[] = [
    { index: 0, name: 'SwiftShader Device (Subzero)', type: 'software', largest_buffer: 2 ** 30 },
    { index: 1, name: 'NVIDIA H200', type: 'gpu', largest_buffer: 2 ** 31 },
  ];
  const onGpu = (engine: object) => ({ ...ready, engine });

  for (const theme of ['dark', 'light', 'highContrast'] as const)
    it(`are chosen by keyboard, software is marked, and the memory is compared with what is known, in ${theme}`, async () => {
      const page = await open({ theme, reducedMotion: true, gpus, draft: onGpu({ backend: 'webgpu' }) });
      const note = page.getByText('How much memory it has is unknown');
      await note.waitFor();
      expect(await note.innerText()).toMatch(/^NVIDIA H200 must hold about .* One buffer can have 2\.1\d? GB/);
      await page.locator('summary', { hasText: 'Engine' }).click();
      const choice = page.getByRole('combobox', { name: 'GPU', exact: true });
      await choice.focus();
      await page.keyboard.press('ArrowDown');
      await expect
        .poll(async () => (await last(page, 'draft'))?.['engine'])
        .toEqual({
          ...{ backend: 'webgpu', adapter: 'SwiftShader Device (Subzero)' },
        });
      await page.getByText('is software: it computes on the CPU').waitFor();
      const options = await page.locator('[data-key="adapter"] vscode-option').allTextContents();
      expect(options.map(text => text.trim())).toEqual([
        'The first that isn’t software',
        'Software: SwiftShader Device (Subzero) (slow, for tests)',
        'NVIDIA H200',
      ]);
      await expectAccessible(page);
      await page.screenshot({ path: screenshotPath(`panel-gpu-${theme}`), fullPage: true });
    });

  it('are no choice for another backend, nor where auto finds one only', async () => {
    for (const [engine, found] of [
      [{ backend: 'tensorflow' }, gpus],
      [{}, gpus.slice(1)],
    ] as const) {
      const page = await open({ gpus: [...found], draft: onGpu(engine) });
      await page.locator('summary', { hasText: 'Engine' }).click();
      await page.getByLabel('Backend').waitFor();
      expect(await page.locator('[data-key="adapter"]').isVisible()).toBe(false);
      await page.close();
    }
  });

  it('are a choice where auto finds several', async () => {
    const page = await open({ gpus, draft: onGpu({ threads: 2 }) });
    await page.locator('summary', { hasText: 'Engine' }).click();
    await page.locator('[data-key="adapter"]').waitFor();
  });
});
