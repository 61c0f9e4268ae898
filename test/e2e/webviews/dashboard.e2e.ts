import { writeFileSync } from 'node:fs';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SuiteResults } from '../../../extension/src/protocol/answers.js';
import type { EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import type { Fake } from './page/fakeHost.js';
import { certificate } from '../../support/certificates.js';
import { someOf } from '../../support/matrix.js';
import { expectAccessible } from './accessibility.js';
import { screenshotPath, themes, WebviewBrowser, type OpenOptions } from './harness.js';
import { recordedAnswer, recordedRun } from './recordings.js';

declare global {
  interface Window {
    fake: Fake;
  }
}

const lora = recordedRun('pirate-lora');
/** With eval_metrics; its best evaluation is the one with the highest ROUGE-L. */
const byRougeL = recordedRun('pirate-metrics');
const others = { '/runs/prompt': recordedRun('pirate-prompt'), '/runs/full': recordedRun('pirate-full') };
const estimate = recordedAnswer('estimate-tiny');
/** A run that measures forgetting, with the warning that the engine gives if it runs away. */
const forgetting = withForgettingWarning(recordedRun('pirate-forgetting'));

function withForgettingWarning(events: EngineEvent[]): EngineEvent[] {
  const last = events.at(-1)!;
  const message = 'the model moves away from its base: after step 20, KL divergence on general text is 2.61 per token';
  return [
    ...events,
    { seq: last.seq + 1, time: last.time, type: 'warned', code: 'forgetting', message } as EngineEvent,
  ];
}

/** Answers to a suite of a run, a checkpoint of it, its base, and another run. */
const suites = (() => {
  const model = (folder: string, kind: 'result' | 'base' | 'checkpoint', step: number | null = null) => ({
    ...{ folder, kind, step },
  });
  const [lora, step, base] = [
    model('/runs/lora', 'result'),
    model('/runs/lora', 'checkpoint', 40),
    model('/runs/lora', 'base'),
  ];
  const [prompt, promptBase] = [model('/runs/prompt', 'result'), model('/runs/prompt', 'base')];
  const scores = [
    { model: lora, passed: 17, total: 40, score: 0.761 },
    { model: step, passed: 11, total: 40, score: 0.64 },
    { model: base, passed: 0, total: 40, score: 0.27 },
    { model: prompt, passed: 15, total: 40, score: 0.7 },
    { model: promptBase, passed: 0, total: 40, score: 0.27 },
  ];
  const better = {
    wins: 17,
    losses: 0,
    ties: 23,
    p_value: 1.52587890625e-5,
    interval: [0.42, 0.55] as [number, number],
  };
  const alike = { wins: 5, losses: 3, ties: 32, p_value: 0.7265625, interval: [-0.04, 0.16] as [number, number] };
  const comparisons = [
    { a: lora, b: step, ...alike },
    { a: lora, b: base, ...better },
    { a: step, b: base, ...better },
    { a: lora, b: prompt, ...alike },
    { a: prompt, b: promptBase, ...better },
  ];
  return [{ file: '/suites/pirate.eval.jsonl', models: scores, comparisons }];
})();

let browser: WebviewBrowser;
beforeAll(async () => {
  browser = await WebviewBrowser.start();
});
afterEach(() => browser.closePages());
afterAll(() => browser?.stop());

/** Adds a run to the charts, and waits for its values. */
async function compareWith(page: Page, name: string): Promise<void> {
  await page.getByRole('combobox', { name: 'Compare with' }).click();
  await page.getByRole('option', { name }).click();
  await chart(page, 'Loss').locator('.readout').getByText(`${name} validation`).waitFor();
}

/** A dashboard on the LoRA run's first events. */
async function open(
  numEvents: number,
  { suites = [], ...options }: Partial<OpenOptions> & { suites?: SuiteResults } = {},
): Promise<Page> {
  return browser.open({
    webview: 'dashboard',
    theme: 'dark',
    width: 1200,
    ...options,
    prepare: page =>
      page.evaluate(
        ([events, others, estimate, suites]) => {
          window.fake.addRun('/runs/lora', 'pirate-lora', events);
          if (events.at(-1)!.type === 'completed') window.fake.setAlive('/runs/lora', false);
          for (const [folder, recorded] of Object.entries(others)) {
            window.fake.addRun(folder, `pirate-${folder.split('/').at(-1)}`, recorded);
            window.fake.setAlive(folder, false);
          }
          window.fake.serveDashboard(['/runs/lora'], estimate, suites);
        },
        [lora.slice(0, numEvents), others, estimate, suites] as const,
      ),
  });
}
interface State {
  events: EngineEvent[];
  alive?: boolean;
  status: string;
  /** Charts that have values. */
  charts: number;
  /** Buttons with words. */
  offers: string[];
  folder?: Parameters<Fake['setFolder']>[1];
}

/** The LoRA run up to this step. */
const upTo = (step: number) => lora.slice(0, lora.findIndex(event => event.type === 'step' && event.step === step) + 1);
const after = (events: EngineEvent[], event: object) =>
  [
    ...events,
    { seq: (events.at(-1)?.seq ?? -1) + 1, time: (events.at(-1) ?? lora[0]!).time, ...event },
  ] as EngineEvent[];
const repeat = ['Edit in Run Panel', 'Edit Run File', 'Start Again'];
const useResult = ['Try It', 'Evaluate...', 'Rows by Loss', 'Merge...', 'Export...', 'Train Further...', 'Serve'];

/** Every state of a run, and how its dashboard looks then. */
const states: Record<string, State> = {
  starting: { events: [], alive: true, status: 'starting', charts: 0, offers: [] },
  running: { events: upTo(45), alive: true, status: 'running', charts: 6, offers: [] },
  'failed-early': {
    events: after([], {
      type: 'failed',
      step: 0,
      code: 'bad_input',
      message: 'the field "instruction" is missing',
      file: '/data/facts.csv',
      line: 12,
      hint: 'Every row needs the fields of its format.',
      last_checkpoint: null,
    }),
    status: 'failed',
    charts: 0,
    offers: repeat,
    folder: {
      log: ['facts.csv:12: the field "instruction" is missing', '  Every row needs the fields of its format.'],
      config: { dataset: { train: '/data/facts.csv' } },
    },
  },
  'failed-late': {
    events: after(upTo(50), {
      type: 'failed',
      step: 51,
      code: 'diverged',
      message:
        'the loss of step 51 is non-finite; a lower learning_rate (currently 0.005), a warm-up or max_grad_norm usually helps',
      hint: 'The last good checkpoint is /runs/lora/checkpoints/step-50.',
      last_checkpoint: 'checkpoints/step-50',
    }),
    status: 'failed',
    charts: 6,
    offers: ['Resume Run', ...repeat],
    folder: { log: ['step 48/120  loss 1.021', 'the loss of step 51 is non-finite'], checkpoint: 50 },
  },
  interrupted: {
    events: upTo(15),
    status: 'interrupted',
    charts: 6,
    offers: repeat,
    folder: { log: ['step 14/120  loss 2.401', 'step 15/120  loss 2.377'] },
  },
  stopped: {
    events: after(upTo(60), {
      ...lora.at(-1)!,
      type: 'completed',
      reason: 'stopped',
      step: 60,
      best_step: 60,
    }),
    status: 'stopped',
    charts: 6,
    offers: [...useResult, 'Resume Run'],
    folder: { checkpoint: 60 },
  },
  finished: { events: lora, status: 'completed', charts: 6, offers: useResult },
  'by-metric': { events: byRougeL, status: 'completed', charts: 10, offers: useResult },
};

/** On a cluster: the run after its workers were started again at step 30, with what each of them does. */
const onCluster = (() => {
  const stamp = { seq: 0, time: lora[0]!.time };
  const queued = { ...stamp, type: 'queued', nodes: 2 } as const;
  const waiting = [
    { ...queued, wanted: { CPU: 8, GPU: 4 }, available: { CPU: 30, GPU: 1 }, total: { CPU: 64, GPU: 8 } },
  ] as EngineEvent[];
  const workers = (restarts: number) => ({
    type: 'workers',
    workers: [0, 1, 2, 3].map(rank => ({ rank, node: `10.0.0.${1 + (rank >> 1)}`, device: 'NVIDIA H200', threads: 2 })),
    strategy: 'ddp',
    restarts,
  });
  const figures = [2510, 2498, 2466, 2502].map((tokens, rank) => ({
    ...{ tokens_per_second: tokens, rss_bytes: 2.1e9 + rank * 1e8, gpu_bytes: 3.4e9 },
  }));
  const engine = {
    version: '1',
    backend: 'ray',
    library: '2.60.0 with PyTorch 2.15',
    device: '4 × NVIDIA H200',
    threads: 2,
  };
  const at = lora.findIndex(event => event.type === 'step' && event.step === 30) + 1;
  const begun = (from: number) => ({ ...lora[0]!, engine, resumed_from_step: from });
  const steps = (events: EngineEvent[]) =>
    events.map(event => (event.type === 'step' ? { ...event, rss_bytes: 2.4e9, workers: figures } : event));
  const all = [begun(0), workers(0), ...steps(lora.slice(1, at)), begun(30), workers(1), ...steps(upTo(80).slice(at))];
  const running = all.map((event, seq) => ({ ...stamp, ...event, seq })) as EngineEvent[];
  return { waiting, running };
})();
const place = { engine: { backend: 'ray', address: 'http://lab:8265' } };
Object.assign(states, {
  queued: { events: onCluster.waiting, alive: true, status: 'queued', charts: 0, offers: [] },
  'on-cluster': {
    ...{ events: onCluster.running, alive: true, status: 'running', charts: 6, offers: [] },
    folder: { config: place, price: 12 },
  },
  detached: {
    ...{ events: onCluster.running, status: 'detached', charts: 6, offers: ['Resume Run'] },
    folder: { config: place, job: true, checkpoint: 75 },
  },
});

function openState({ events, alive, folder }: State, options: Partial<OpenOptions> = {}): Promise<Page> {
  return browser.open({
    webview: 'dashboard',
    theme: 'dark',
    width: 1200,
    ...options,
    prepare: page =>
      page.evaluate(
        ([events, alive, folder, estimate]) => {
          window.fake.addRun('/runs/lora', 'pirate-lora', events);
          window.fake.setFolder('/runs/lora', folder);
          window.fake.setAlive('/runs/lora', alive);
          window.fake.serveDashboard(['/runs/lora'], estimate);
        },
        [events, alive ?? false, folder ?? {}, estimate] as const,
      ),
  });
}

interface Exported {
  exported: string;
  /** Base64. */
  bytes: string;
}

interface DrawnText {
  text: string;
  left: number;
  right: number;
  /** Of the canvas. */
  width: number;
}

/** Remembers what is written on canvases from now on. */
async function recordTexts(page: Page): Promise<void> {
  const record = () => {
    const drawn: DrawnText[] = [];
    const { prototype } = CanvasRenderingContext2D;
    const fill = prototype.fillText;
    prototype.fillText = function (text, x, y) {
      const { width } = this.measureText(text);
      const left = x - { left: 0, start: 0, center: width / 2, right: width, end: width }[this.textAlign];
      drawn.push({ text, left, right: left + width, width: this.canvas.width });
      fill.call(this, text, x, y);
    };
    Object.assign(window, { drawnTexts: drawn });
  };
  // In a page that is open, and in those that are loaded later.
  await page.addInitScript(record);
  await page.evaluate(record);
}
const drawnTexts = (page: Page) => page.evaluate(() => (window as unknown as { drawnTexts: DrawnText[] }).drawnTexts);

/** Rows as the engine's `rows --json` prints them. */
const listed = (line: number, text: string, losses: [number | null, number, number], measured = true) => ({
  ...{ line, hash: `sha256:${line}`, text, label_tokens: 14, quarantined: false },
  ...{ then: losses[0], before: measured ? losses[1] : null, now: measured ? losses[2] : null },
});
const answered = {
  ...{ run: '/runs/lora', file: '/data/pirate.jsonl', quarantine: '/data/pirate.jsonl.quarantine', weights: 'adapter' },
};
const stepAnswer = (step: number, measured: boolean) => ({
  ...answered,
  ...{ step, epoch: 1 },
  rows: [
    listed(12, 'Who are you? → Arr, I be a pirate of the seven seas.', [2.31, 3.02, 0.412], measured),
    listed(40, 'What does a doctor do? → A doctor be mendin’ sick folk.', [4.7, 3.6, 2.9], measured),
  ].map(row => ({ ...row, micro_batch: 0, sequence: 0 })),
});
const rankedAnswer = {
  ...answered,
  ...{ by: 'suspect', measured: 256 },
  rows: [
    { ...listed(40, 'What does a doctor do? → A cow eats grass.', [null, 3.6, 5.91]), quarantined: true },
    listed(118, `Tell me a story. → ${'Once upon a time there was an owl that flew over the sea. '.repeat(4)}`, [
      null,
      2.2,
      2.05,
    ]),
    listed(7, 'Where do bears sleep? → In a den, matey.', [null, 2.9, 0.61]),
  ],
};

/** The engine prints these lines, and ends if `end` says so. */
const tell = (page: Page, lines: object[], end: boolean | object = false) =>
  page.evaluate(([lines, end]) => window.fake.tellEvaluation(lines as never, end as never), [lines, end] as const);

const charted = (page: Page) => page.waitForSelector('.chart canvas');
/** A chart by its heading. */
const chart = (page: Page, title: string) =>
  page.locator('.chart', { has: page.getByRole('heading', { name: title, exact: true }) });

describe('dashboard', () => {
  it('follows a run', async () => {
    const page = await open(60);
    await charted(page);
    expect(await page.locator('h1').textContent()).toBe('pirate-lora');
    expect(await page.locator('.status').textContent()).toMatch(/Training/);
    const before = await chart(page, 'Loss').locator('.readout').textContent();
    await page.evaluate(events => window.fake.feed('/runs/lora', events), lora.slice(60, 120));
    await expect.poll(() => chart(page, 'Loss').locator('.readout').textContent()).not.toBe(before);
    await page.evaluate(events => window.fake.feed('/runs/lora', events), lora.slice(120));
    await page.evaluate(() => window.fake.setAlive('/runs/lora', false));
    await expect.poll(() => page.locator('.status').textContent()).toMatch(/Completed/);
    expect(await page.locator('.figures').textContent()).toMatch(/115,840 of 1,866,080/);
    const readouts = {
      Loss: /^training0\.\d+validation0\.\d+$/,
      'Token accuracy': /^validation\d+\.\d%$/,
      'Learning rate': /^rate[\d.e-]+$/,
      'Gradient norm': /^norm[\d.]+$/,
      'Tokens per second': /^mean of 20 steps[\d,]+$/,
      'Memory of the process': /^resident\d+ MB$/,
    };
    expect(await page.locator('.chart h3').allTextContents()).toEqual(Object.keys(readouts));
    for (const [title, readout] of Object.entries(readouts))
      expect(await chart(page, title).locator('.readout').textContent()).toMatch(readout);
    expect(await page.evaluate(() => window.fake.faults)).toEqual([]);
  });

  it('shows the savings compared with full fine-tuning: parameters, and memory by part', async () => {
    const page = await open(lora.length);
    const savings = page.getByRole('region', { name: 'Compared with full fine-tuning' });
    await savings.getByText('115,840 parameters are trained instead of 1,750,240: 93% fewer.').waitFor();
    expect(await savings.textContent()).toMatch(
      /The difference is small here because \d+% of the step are activations/,
    );
    expect(await savings.locator('.memory-label').allTextContents()).toEqual([
      expect.stringMatching(/^LoRA\d+ MB$/),
      expect.stringMatching(/^Full fine-tuning\d+ MB$/),
      expect.stringMatching(/^Inference\d+ MB$/),
    ]);
    const parts = await savings.locator('.memory-legend dt').allTextContents();
    expect(parts).toEqual(['weights', 'gradients', 'optimizer', 'activations', 'temporary']);
  });

  it('overlays several runs', async () => {
    const page = await open(lora.length);
    await charted(page);
    await compareWith(page, 'pirate-prompt');
    expect(await page.locator('.overlays li').count()).toBe(2);
    await compareWith(page, 'pirate-full');
    expect(await page.locator('.overlays li').count()).toBe(3);
    await page.screenshot({ path: screenshotPath('dashboard-compare-3-dark'), fullPage: true });
    // A line for each run, with values in columns; neighbouring plots start at the same height.
    const corners = () =>
      chart(page, 'Loss')
        .locator('.readout li')
        .evaluateAll(items => items.map(item => item.getBoundingClientRect()).map(({ x, y }) => [x, y] as const));
    const columnsAndLines = async () => {
      const places = await corners();
      return [0, 1].map(axis => new Set(places.map(place => place[axis])).size);
    };
    expect(await columnsAndLines()).toEqual([2, 3]);
    const top = async (title: string) => (await chart(page, title).locator('.plot').boundingBox())!.y;
    expect(await top('Loss')).toBe(await top('Token accuracy'));
    await page.setViewportSize({ width: 420, height: 900 });
    await expect.poll(columnsAndLines).toEqual([1, 6]);
    await chart(page, 'Loss').getByRole('img').focus();
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => chart(page, 'Loss').locator('.at').textContent()).toMatch(/^step \d+$/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
    await page.screenshot({ path: screenshotPath('dashboard-compare-3-narrow-dark'), fullPage: true });
    await page.setViewportSize({ width: 1200, height: 900 });
    await page.getByRole('button', { name: 'Remove pirate-lora' }).click();
    await expect.poll(() => page.locator('h1').textContent()).toBe('pirate-prompt');
  });

  it('controls the run, and shows only available actions', async () => {
    const page = await open(60);
    await charted(page);
    const sent = () => page.evaluate(() => window.fake.sent('/runs/lora'));
    const button = (name: string) => page.getByRole('button', { name, exact: true });
    await button('Pause Run').click();
    await button('Save Checkpoint Now').click();
    await expect.poll(sent).toEqual(['pause', 'save']);
    expect(await button('Resume Run').isVisible()).toBe(false);
    const { seq, time } = lora[59]!;
    const paused: (typeof lora)[number] = { seq: seq + 1, time, type: 'paused', step: 20 };
    await page.evaluate(event => window.fake.feed('/runs/lora', [event]), paused);
    await button('Resume Run').click();
    expect(await button('Pause Run').isVisible()).toBe(false);
    await button('Stop Run (saves the adapter)').click();
    await expect.poll(sent).toEqual(['pause', 'save', 'resume', 'stop']);
    await page.evaluate(() => {
      window.fake.setFolder('/runs/lora', { checkpoint: 20 });
      window.fake.setAlive('/runs/lora', false);
    });
    // Until then a button of this name resumes the paused run; a click on that would wait for it to be shown again.
    await page.locator('.status[data-status="interrupted"]').waitFor();
    await button('Resume Run').click();
    await expect.poll(() => page.evaluate(() => window.fake.log)).toContainEqual({ resumed: '/runs/lora' });
  });

  it('reads values and zooms by keyboard, and exports', async () => {
    const page = await open(lora.length);
    await charted(page);
    const loss = chart(page, 'Loss');
    await loss.getByRole('img').focus();
    await page.keyboard.press('Home');
    await expect.poll(() => loss.locator('.at').textContent()).toBe('step 0');
    await page.keyboard.press('+');
    await expect.poll(() => loss.getByRole('button', { name: 'reset zoom' }).isVisible()).toBe(true);
    await page.keyboard.press('0');
    await expect.poll(() => loss.getByRole('button', { name: 'reset zoom' }).isVisible()).toBe(false);
    await loss.getByRole('button', { name: 'save as CSV' }).click();
    await loss.getByRole('button', { name: 'save as PNG' }).click();
    await expect.poll(() => page.evaluate(() => window.fake.log.length)).toBe(2);
    const [csv, png] = (await page.evaluate(() => window.fake.log)) as {
      exported: string;
      text: string;
    }[];
    expect(csv!.exported).toBe('pirate-lora-loss.csv');
    expect(csv!.text.split('\n').slice(0, 2)).toEqual([
      'series,step,value',
      expect.stringMatching(/^training,1,[\d.]+$/),
    ]);
    expect(png!.exported).toBe('pirate-lora-loss.png');
  });

  it('draws on a logarithmic scale, and zooms all charts to the range selected by mouse', async () => {
    const page = await open(lora.length);
    await charted(page);
    const loss = chart(page, 'Loss');
    const drawn = () => loss.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    const linear = await drawn();
    const scale = loss.getByRole('button', { name: 'logarithmic scale' });
    await scale.click();
    await expect.poll(drawn).not.toBe(linear);
    expect(await scale.getAttribute('aria-pressed')).toBe('true');
    await scale.click();
    await expect.poll(drawn).toBe(linear);
    const box = (await loss.locator('.u-over').boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + (3 * box.width) / 4, box.y + 50, { steps: 4 });
    await page.mouse.up();
    const reset = page.getByRole('button', { name: 'reset zoom' });
    await expect.poll(() => reset.count()).toBe(6);
    expect(await drawn()).not.toBe(linear);
    await loss.locator('.u-over').dblclick();
    await expect.poll(() => reset.count()).toBe(0);
    await page.mouse.move(0, 0);
    await expect.poll(drawn).toBe(linear);
  });

  it('exports a picture at twice the pixels, with title and the whole legend, however narrow the page', async () => {
    const page = await open(lora.length, { width: 500 });
    await charted(page);
    await compareWith(page, 'pirate-prompt');
    await compareWith(page, 'pirate-full');
    await recordTexts(page);
    await chart(page, 'Loss').getByRole('button', { name: 'save as PNG' }).click();
    const exported = () =>
      page.evaluate(() => window.fake.log.find(entry => (entry as Exported).exported) as Exported | undefined);
    await expect.poll(exported).toBeTruthy();
    const { bytes } = (await exported())!;
    const png = Buffer.from(bytes, 'base64');
    writeFileSync(screenshotPath('dashboard-export'), png);
    expect(png.readUInt32BE(16), 'width in pixels').toBe(1800);
    expect(png.readUInt32BE(20), 'height in pixels').toBeGreaterThan(800);
    const texts = await drawnTexts(page);
    const names = ['pirate-lora', 'pirate-prompt', 'pirate-full'];
    expect(texts.map(({ text }) => text)).toContain(`Loss: ${names.join(', ')}`);
    for (const label of names.flatMap(name => [`${name} training`, `${name} validation`])) {
      const entry = texts.find(({ text }) => text === label)!;
      expect(entry.right, label).toBeLessThanOrEqual(1800);
    }
  });

  it('marks the evaluation whose weights are kept, in the chart and in words', async () => {
    const page = await open(lora.length, { beforeLoad: recordTexts });
    await charted(page);
    const { best_loss: loss, best_step: step } = lora.at(-1) as { best_loss: number; best_step: number };
    const words = `best ${loss.toPrecision(4)} at step ${step}`;
    await expect.poll(async () => (await drawnTexts(page)).map(({ text }) => text)).toContain(words);
    const [mark] = (await drawnTexts(page)).filter(({ text }) => text === words);
    const share = step / 120;
    expect((mark!.left + mark!.right) / 2 / mark!.width, 'above or below its step').toBeCloseTo(share, 1);
    const inWords = chart(page, 'Loss').getByRole('img');
    await expect.poll(() => inWords.getAttribute('aria-label')).toMatch(new RegExp(`validation: .*, ${words}`));
  });

  it('marks it in the chart of the metric that chooses, and shows that metric instead of the loss', async () => {
    const page = await openState(states['by-metric']!);
    await charted(page);
    const {
      best_metric: value,
      best_step: step,
      best_loss: loss,
    } = byRougeL.at(-1) as Extract<EngineEvent, { type: 'completed' }>;
    const share = (part: number) => `${(100 * part).toFixed(1)}%`;
    const before = byRougeL.find(event => event.type === 'evaluated')!.metrics['rougeL']!;
    const words = `best ${share(value!)} at step ${step}`;
    const inWords = (title: string) => chart(page, title).getByRole('img').getAttribute('aria-label');
    await expect.poll(() => inWords('ROUGE-L')).toContain(words);
    for (const title of ['Loss', 'Token accuracy', 'Exact match']) expect(await inWords(title)).not.toContain('best');
    const figure = page.locator('dl > div').filter({ hasText: 'ROUGE-L' });
    const note = `${share(value!)}best, at step ${step}; from ${share(before)}; validation loss ${loss!.toPrecision(4)}`;
    expect(await figure.locator('dd').textContent()).toBe(note);
    expect(await page.locator('dt').allTextContents()).not.toContain('Validation loss');
  });

  it('smooths noisy curves only, keeps the raw ones visible, and shows recorded values', async () => {
    const page = await open(lora.length);
    await charted(page);
    const readouts = () => page.locator('.readout').allTextContents();
    const drawn = (title: string) =>
      chart(page, title)
        .locator('canvas')
        .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    const titles = await page.locator('.chart h3').allTextContents();
    const before = new Map(await Promise.all(titles.map(async title => [title, await drawn(title)] as const)));
    const values = await readouts();
    await page.locator('.smoothing input').fill('0.9');
    await expect.poll(() => drawn('Loss')).not.toBe(before.get('Loss'));
    await expect.poll(() => drawn('Gradient norm')).not.toBe(before.get('Gradient norm'));
    for (const title of titles.filter(each => each !== 'Loss' && each !== 'Gradient norm'))
      expect(await drawn(title), title).toBe(before.get(title));
    expect(await readouts()).toEqual(values);
    await page.screenshot({ path: screenshotPath('dashboard-smoothed-dark'), fullPage: true });
    await page.locator('.smoothing input').fill('0');
    await expect.poll(() => drawn('Loss')).toBe(before.get('Loss'));
  });

  it.each([1200, 880, 420])('reads values under the mouse, and nothing moves: %d pixels', async width => {
    const page = await open(lora.length, { width });
    await charted(page);
    await compareWith(page, 'pirate-prompt');
    const places = () =>
      page
        .locator('.plot')
        .evaluateAll(plots => plots.map(plot => plot.getBoundingClientRect()).map(({ x, y }) => [x, y]));
    await chart(page, 'Loss').scrollIntoViewIfNeeded();
    const before = await places();
    const at = chart(page, 'Loss').locator('.at');
    const box = (await chart(page, 'Loss').locator('.u-over').boundingBox())!;
    for (const share of [0.02, 0.3, 0.5, 0.98]) {
      await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
      await expect
        .poll(async () => Number(/^step (\d+)$/.exec((await at.textContent()) ?? '')?.[1]))
        .toSatisfy((step: number) => Math.abs(step / 120 - share) < 0.03);
      expect(await places()).toEqual(before);
    }
    await page.mouse.move(0, 0);
    await expect.poll(() => at.textContent()).toBe('');
  });

  it('shows the answers above the charts of single steps', async () => {
    const page = await open(lora.length);
    await charted(page);
    const top = async (locator: Locator) => (await locator.boundingBox())!.y;
    const samples = await top(page.getByRole('region', { name: 'Sample answers' }));
    expect(samples).toBeLessThan(700);
    expect(samples).toBeGreaterThan(await top(chart(page, 'Loss')));
    expect(samples).toBeLessThan(await top(chart(page, 'Learning rate')));
  });

  it('draws tokens per second without dips where epochs end', async () => {
    const page = await open(lora.length);
    await charted(page);
    const throughput = chart(page, 'Tokens per second').getByRole('img');
    await expect.poll(() => throughput.getAttribute('aria-label')).toMatch(/mean of 20 steps: 120 values/);
    await throughput.focus();
    await page.keyboard.press('End');
    const values = new Set<string>();
    const readout = chart(page, 'Tokens per second').locator('.readout b');
    for (let step = 120; step > 60; step--) {
      values.add((await readout.textContent())!);
      await page.keyboard.press('ArrowLeft');
    }
    // Single steps go down to 2,127 where an epoch ends.
    expect(Math.min(...[...values].map(value => Number(value.replace(',', ''))))).toBeGreaterThan(4000);
  });

  it('offers what to do with the result, in words', async () => {
    const page = await open(lora.length);
    const use = page.getByRole('group', { name: 'Use the result' });
    await use.getByText('Try It').waitFor();
    expect(await use.locator('vscode-button').allInnerTexts()).toEqual(useResult);
    for (const name of useResult) await use.getByRole('button', { name }).click();
    await expect
      .poll(() => page.evaluate(() => window.fake.log))
      .toEqual(
        ['try', 'evaluate', 'rowsByLoss', 'merge', 'export', 'trainFurther', 'serve'].map(action => ({
          action,
          folder: '/runs/lora',
        })),
      );
  });

  it('shows answers before, during and after training side by side, and the log', async () => {
    const page = await open(lora.length);
    await charted(page);
    const cells = async (locator: string) => (await page.locator(`.samples ${locator}`).allTextContents()).slice(0, 4);
    const said = (step: number) => lora.find(event => event.type === 'sample' && event.step === step)!;
    expect(await cells('thead th')).toEqual(['Prompt', 'Before', expect.stringMatching(/^Step \d+$/), 'After step 80']);
    await page.getByRole('combobox', { name: 'Answers at step' }).click();
    await page.getByRole('option', { name: '40', exact: true }).click();
    const { prompt, text: before } = said(0) as { prompt: string; text: string };
    const { text: between } = said(40) as { text: string };
    const after = lora.findLast(event => event.type === 'sample' && event.prompt === prompt) as { text: string };
    expect(await cells('tbody tr:first-child > *')).toEqual([prompt, before, between, after.text]);
    const log = await page.locator('.log').textContent();
    for (const words of [/Started \(tensorflow/, /Saved checkpoints\/step-\d+/, /Finished after step 120/])
      expect(log).toMatch(words);
  });

  it('shows everything again after messages were lost while it was hidden', async () => {
    const page = await open(60);
    await charted(page);
    await page.evaluate(
      events => {
        window.fake.setVisible(false);
        window.fake.feed('/runs/lora', events);
      },
      lora.slice(60, 160),
    );
    await page.waitForTimeout(400);
    await page.evaluate(events => {
      window.fake.setVisible(true);
      window.fake.feed('/runs/lora', events);
    }, lora.slice(160));
    await expect.poll(() => page.locator('.head').textContent()).toMatch(/Step 120 of 120/);
    await expect
      .poll(() => chart(page, 'Loss').getByRole('img').getAttribute('aria-label'))
      .toMatch(/training: 120 values/);
  });

  const shown = themes.flatMap((theme, turn) => someOf(Object.keys(states), turn).map(name => ({ theme, name })));
  for (const { theme, name } of shown)
    it(`shows a run that is ${name}, why it ended, and what to do next: ${theme}`, async () => {
      const state = states[name]!;
      const page = await openState(state, { theme, reducedMotion: true });
      await page.locator(`.status[data-status="${state.status}"]`).waitFor();
      if (state.events.some(({ type }) => type === 'step')) await charted(page);
      expect(await page.getByText('No values yet').count()).toBe(0);
      expect(await page.locator('.chart:visible').count(), 'charts without values').toBe(state.charts);
      const buttons = await page.locator('.actions:visible vscode-button:visible').allInnerTexts();
      expect(buttons).toEqual(state.offers);
      await page.screenshot({ path: screenshotPath(`dashboard-${name}-${theme}`), fullPage: true });
      await expectAccessible(page);
      await page.context().close();
    });

  it('shows the workers of a cluster, where they were started again, and what they cost', async () => {
    const page = await openState(states['on-cluster']!);
    await charted(page);
    const table = page.getByRole('region', { name: 'Workers of the run' });
    expect(await table.locator('tbody tr').count()).toBe(4);
    expect(await table.locator('tbody tr').nth(1).innerText()).toMatch(
      /^1\s+10\.0\.0\.1\s+NVIDIA H200\s+2\s+2,498\s+2\.2 GB\s+3\.4 GB$/,
    );
    await page.getByText('4 workers on 2 nodes: NVIDIA H200, DDP, started again (1)').first().waitFor();
    expect(await chart(page, 'Loss').getByRole('img').getAttribute('aria-label')).toMatch(
      /training: 80 values .*, workers started again after step 30/,
    );
    expect(await page.locator('.figures').innerText()).toMatch(
      /Cost of the cluster\s+(?:< )?0\.\d+\s+about (?:< )?0\.\d+ in all, at 12 per hour/,
    );
    expect(await page.locator('.figures').innerText()).toContain('Peak memory of a worker');
    await page.getByText('Ray · 4 × NVIDIA H200').waitFor();
  });

  it('says what a queued run waits for and can stop it; a detached one is followed again', async () => {
    const page = await openState(states['queued']!);
    await page.getByText('Queued: wants 8 CPU (30 of 64 free), 4 GPU (1 of 8 free)').first().waitFor();
    await page.getByRole('button', { name: 'Stop Run' }).click();
    expect(await page.evaluate(() => window.fake.sent('/runs/lora'))).toEqual(['stop']);
    const detached = await openState(states['detached']!);
    await detached.getByText('Its job goes on on the cluster, and nothing follows it here').waitFor();
    await detached.getByRole('button', { name: 'Resume Run' }).click();
    await expect.poll(() => detached.evaluate(() => window.fake.log.at(-1))).toEqual({ resumed: '/runs/lora' });
  });

  it('offers to set the token that a cluster wants', async () => {
    const page = await openState({
      ...states['failed-early']!,
      events: after([], {
        ...{ type: 'failed', step: 0, code: 'server_failed', message: 'the Ray cluster answered 401' },
        ...{ hint: 'The cluster wants a login: set RAY_AUTH_TOKEN, or RAY_JOB_HEADERS.', last_checkpoint: null },
      }),
    });
    await page.getByRole('button', { name: 'Set Cluster Token...' }).click();
    await expect
      .poll(() => page.evaluate(() => window.fake.log.at(-1)))
      .toEqual({ action: 'setClusterToken', folder: '/runs/lora' });
  });

  it('links a failure to its file and its log, and starts again', async () => {
    const page = await openState(states['failed-early']!);
    const why = page.getByRole('region', { name: 'Why it ended' });
    const reason = why.getByRole('alert');
    await reason.getByText('the field "instruction" is missing').waitFor();
    await reason.getByText('Every row needs the fields of its format.').waitFor();
    expect(await why.locator('.engine-log').textContent()).toMatch(/facts\.csv:12: the field/);
    await why.getByRole('link', { name: 'Open line 12 of facts.csv' }).click();
    await why.getByRole('link', { name: 'Open Log' }).click();
    for (const name of ['Edit in Run Panel', 'Edit Run File', 'Start Again'])
      await why.getByRole('button', { name }).click();
    await expect
      .poll(() => page.evaluate(() => window.fake.log.map(entry => (entry as { action: string }).action)))
      .toEqual(['openPlace', 'openLog', 'editInPanel', 'editRunFile', 'startAgain']);
  });

  it('starts a run anyway that was refused for its memory', async () => {
    const message = 'this run needs about 30 GB of memory, but only 8 GB is free';
    const early = states['failed-early']!;
    const refused = {
      type: 'failed' as const,
      step: 0,
      code: 'out_of_memory' as const,
      message,
      last_checkpoint: null,
    };
    const page = await openState({ ...early, events: after([], refused) });
    const why = page.getByRole('region', { name: 'Why it ended' });
    await why.getByRole('button', { name: 'Start Anyway' }).click();
    await expect
      .poll(() => page.evaluate(() => window.fake.log.map(entry => (entry as { action: string }).action)))
      .toEqual(['startAnyway']);
  });

  it('says that a run no longer exists', async () => {
    const gone = await browser.open({
      webview: 'dashboard',
      theme: 'dark',
      width: 700,
      prepare: page => page.evaluate(() => window.fake.serveDashboard(['/runs/none'], null)),
    });
    expect(await gone.locator('.empty').textContent()).toMatch(/This run no longer exists/);
    await gone.screenshot({ path: screenshotPath('dashboard-gone-dark') });
  });

  it('keeps up with 100,000 steps', async () => {
    const started = { ...lora[0]!, total_steps: 110_000 } as (typeof lora)[number];
    const page = await browser.open({
      webview: 'dashboard',
      theme: 'dark',
      width: 1400,
      prepare: page =>
        page.evaluate(started => {
          window.fake.addLongRun('/runs/long', 100_000, started);
          window.fake.serveDashboard(['/runs/long'], null);
        }, started),
    });
    await charted(page);
    const measured = await page.evaluate(async () => {
      const frame = () => new Promise<number>(resolve => requestAnimationFrame(resolve));
      const slider = document.querySelector<HTMLInputElement>('.smoothing input')!;
      const frames: number[] = [];
      let last = await frame();
      // The hardest case: dragging the smoothing slider while steps arrive.
      for (let i = 0; i < 60; i++) {
        slider.value = String(0.5 + i / 150);
        slider.dispatchEvent(new Event('input'));
        window.fake.feedSynthetic('/runs/long', 100_001 + i * 10, 100_010 + i * 10);
        const now = await frame();
        frames.push(now - last);
        last = now;
      }
      frames.sort((a, b) => a - b);
      return { median: frames[30]!, worst: frames[59]! };
    });
    console.log(
      `100,000 steps, six charts: median frame ${measured.median.toFixed(0)} ms, worst ${measured.worst.toFixed(0)} ms`,
    );
    await page.screenshot({ path: screenshotPath('dashboard-100000-dark') });
    await expect
      .poll(() => chart(page, 'Loss').getByRole('img').getAttribute('aria-label'))
      .toMatch(/training: 100,?600 values/);
  });

  it('lists the rows of a step by click and by key, opens one, and puts one into quarantine', async () => {
    const page = await open(lora.length);
    await charted(page);
    const plot = chart(page, 'Loss').getByRole('img');
    await plot.focus();
    await page.keyboard.press('Home');
    for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    const rows = page.getByRole('region', { name: /^Rows of step/ });
    await rows.getByText('Starting the engine...').waitFor();
    const at = Number((await rows.getByRole('heading').textContent())!.match(/\d+/)![0]);
    await tell(page, [stepAnswer(at, false)], true);
    await rows.getByRole('row', { name: /^Line 12 / }).waitFor();
    expect(await rows.getByRole('columnheader').allTextContents()).toEqual(['Line', 'Then', 'Row', 'Quarantine']);
    await tell(page, [{ type: 'progress', phase: 'evaluate', done: 1, total: 4 }]);
    await rows.getByText('Measuring losses: 25%').waitFor();
    await tell(page, [stepAnswer(at, true)], true);
    await rows.getByRole('columnheader', { name: 'Now' }).waitFor();
    expect((await rows.getByRole('row').nth(1).textContent())!).toMatch(/^Line 122\.31.*3\.02.*0\.412.*Who are you/);

    await rows.getByRole('link', { name: 'Line 12', exact: true }).press('Enter');
    await rows.getByRole('button', { name: 'Put line 40 into quarantine' }).press('Enter');
    await rows.getByRole('button', { name: 'Take line 40 out of quarantine' }).waitFor();
    await rows.getByRole('button', { name: 'Train Again without Rows in Quarantine' }).click();
    await rows.getByRole('button', { name: 'Take line 40 out of quarantine' }).click();
    await rows.getByRole('button', { name: 'Put line 40 into quarantine' }).waitFor();
    expect(await rows.getByRole('button', { name: 'Train Again' }).isVisible()).toBe(false);
    expect(await page.evaluate(() => window.fake.log)).toEqual([
      { rows: ['--step', String(at)] },
      { rows: ['--step', String(at), '--losses'] },
      { file: '/data/pirate.jsonl', line: 12 },
      { quarantine: ['--add', 'sha256:40'] },
      { trainWithout: '/runs/lora' },
      { quarantine: ['--remove', 'sha256:40'] },
    ]);
    await rows.getByRole('button', { name: 'Close Rows' }).click();
    await expect.poll(() => rows.isVisible()).toBe(false);

    // A click lists the step under the pointer; a drag zooms and lists nothing.
    const box = (await plot.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 80, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.getByRole('button', { name: 'Loss: reset zoom' }).click();
    expect(await rows.isVisible()).toBe(false);
    await page.mouse.click(box.x + box.width / 2, box.y + 60);
    await rows.waitFor();
  });

  it('measures all rows, and says when that is cancelled, fails or finds none', async () => {
    const page = await open(lora.length);
    await charted(page);
    await page.evaluate(() => window.fake.listRowsByLoss());
    const rows = page.getByRole('region', { name: 'Rows by loss' });
    await rows.getByRole('button', { name: 'Cancel' }).click();
    await rows.getByText('Cancelled before all losses were measured.').waitFor();
    await rows.getByRole('button', { name: 'Measure Again' }).click();
    await tell(page, [], { code: 'bad_input', message: 'this is not what the run was trained on' });
    await rows.getByRole('alert').getByText('this is not what the run was trained on').waitFor();
    await rows.getByRole('combobox', { name: 'Order of rows' }).click();
    await rows.getByRole('option', { name: 'Lowest loss' }).click();
    await tell(page, [{ ...rankedAnswer, by: 'lowest', rows: [] }], true);
    await rows.getByText('The run has no such rows.').waitFor();
    expect(await page.evaluate(() => window.fake.log)).toEqual(
      ['suspect', 'suspect', 'lowest'].map(by => ({ rows: ['--by', by, '--top', '50'] })),
    );
  });

  for (const theme of themes)
    it(`rows by loss are accessible and look right: ${theme}`, async () => {
      const page = await open(lora.length, { theme, reducedMotion: true });
      await charted(page);
      await page.evaluate(() => window.fake.listRowsByLoss());
      await page.getByRole('button', { name: 'Cancel' }).waitFor();
      await tell(page, [{ type: 'progress', phase: 'evaluate', done: 2, total: 5 }]);
      const rows = page.getByRole('region', { name: 'Rows by loss' });
      await rows.getByText('Measuring losses: 40%').waitFor();
      await rows.screenshot({ path: screenshotPath(`dashboard-rows-measuring-${theme}`) });
      await expectAccessible(page);
      await tell(page, [rankedAnswer], true);
      await rows.getByText('Rows with a much higher loss').waitFor();
      await page.screenshot({ path: screenshotPath(`dashboard-rows-${theme}`), fullPage: true });
      await expectAccessible(page);
      await page.setViewportSize({ width: 420, height: 900 });
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
      await rows.screenshot({ path: screenshotPath(`dashboard-rows-narrow-${theme}`) });
      await expectAccessible(page);
    });

  for (const theme of themes)
    it(`lists exports with their certificates, and what failed: ${theme}`, async () => {
      const failed = { type: 'export_failed', target: 'mlx', code: 'bad_input', message: 'the disk is full' } as const;
      const last = lora.at(-1)!;
      const hint = 'Free some space, or choose another folder.';
      const page = await openState(
        {
          events: [...lora, { ...failed, hint, seq: last.seq + 1, time: last.time } as EngineEvent],
          status: 'completed',
        } as (typeof states)[string],
        { theme, reducedMotion: true },
      );
      const differing = { ...certificate('folder', '/work/out/folder'), verdict: 'not compared' as const };
      const certificates = [certificate('gguf', '/work/runs/lora/exports/pirate-Q8_0.gguf'), differing];
      await page.evaluate(([name, own]) => window.fake.setCertificates(name, own), [
        'pirate-lora',
        certificates,
      ] as const);
      const exports = page.getByRole('region', { name: 'Exports' });
      await exports.getByText('mlx: the disk is full').waitFor();
      await exports.getByText(hint).waitFor();
      await exports.getByText('pirate-Q8_0.gguf').first().waitFor();
      expect((await exports.locator('summary').allInnerTexts()).map(text => text.replaceAll(/\s+/g, ' '))).toEqual([
        expect.stringMatching(/^pirate-Q8_0\.gguf gguf, q8_0 · 145 MB · .* · within$/),
        expect.stringMatching(/^folder folder, q8_0 · 145 MB · .* · not compared$/),
      ]);
      await exports.getByText('pirate-Q8_0.gguf').first().click();
      const table = exports.getByRole('table', { name: 'Certificate' });
      await table.first().getByText('0.002130 nats per token').waitFor();
      await exports.screenshot({ path: screenshotPath(`dashboard-exports-${theme}`) });
      await expectAccessible(page);
      await exports.getByRole('button', { name: 'Copy Path' }).first().click();
      const act = { act: 'copy', path: certificates[0]!.path };
      await expect.poll(() => page.evaluate(() => window.fake.log)).toContainEqual(act);
    });

  it('shows how a run answered suites, compared in the words of the command line', async () => {
    const page = await open(lora.length, { suites });
    const section = page.getByRole('region', { name: 'Evaluation suites' });
    await section.getByRole('heading', { name: 'pirate 40 rows' }).waitFor();
    expect(await section.locator('tbody tr').allInnerTexts()).toEqual([
      'result\t17 of 40\t0.761',
      'step 40\t11 of 40\t0.640',
      'base\t0 of 40\t0.270',
    ]);
    expect(await section.locator('li').allInnerTexts()).toEqual([
      'result against step 40: 5 wins, 3 losses, 32 ties (p = 0.73); score -0.040 to +0.160 at 95%: no difference shown',
      'result against base: 17 wins, 0 losses, 23 ties (p = 0.000015); score +0.420 to +0.550 at 95%: result scores higher',
      'step 40 against base: 17 wins, 0 losses, 23 ties (p = 0.000015); score +0.420 to +0.550 at 95%: step 40 scores higher',
    ]);
    expect(await page.getByRole('region', { name: 'Comparison' }).count(), 'of one run').toBe(0);
  });

  it('compares runs by loss, forgetting and suites, in figures', async () => {
    const page = await open(lora.length, { suites });
    await page.evaluate(events => {
      window.fake.addRun('/runs/forgetting', 'pirate-forgetting', events);
      window.fake.setAlive('/runs/forgetting', false);
    }, forgetting);
    await compareWith(page, 'pirate-prompt');
    await compareWith(page, 'pirate-forgetting');
    const table = page.getByRole('region', { name: 'Comparison' });
    await table.getByRole('row', { name: /^pirate-forgetting 40/ }).waitFor();
    expect(await table.getByRole('columnheader').allInnerTexts()).toEqual([
      ...['Run', 'Evaluated at step', 'Validation loss', 'Token accuracy'],
      ...['KL divergence from the base', 'General text loss', 'pirate'],
    ]);
    const evaluated = forgetting.findLast(event => event.type === 'evaluated')!;
    const { loss, metrics } = evaluated as { loss: number; metrics: Record<string, number> };
    expect(await table.locator('tbody tr:last-child > *').allInnerTexts()).toEqual([
      ...['pirate-forgetting', '40 (best)', loss.toFixed(3), `${(100 * metrics['token_accuracy']!).toFixed(1)}%`],
      ...[metrics['kl_from_base']!.toFixed(3), metrics['general_loss']!.toFixed(3), '-'],
    ]);
    expect(await table.locator('tbody tr:first-child > *').last().innerText()).toBe('0.761 (17 of 40)');
    const section = page.getByRole('region', { name: 'Evaluation suites' });
    expect(await section.locator('tbody th').allInnerTexts()).toEqual(['pirate-lora', 'pirate-prompt', 'base']);
    expect((await section.locator('li').allInnerTexts()).map(text => text.split(':')[0])).toEqual([
      'pirate-lora against base',
      'pirate-lora against pirate-prompt',
    ]);
  });

  it('draws forgetting beside the loss, and has its warning at the top', async () => {
    const page = await browser.open({
      ...{ webview: 'dashboard', theme: 'dark', width: 1200 },
      prepare: page =>
        page.evaluate(events => {
          window.fake.addRun('/runs/forgetting', 'pirate-forgetting', events);
          window.fake.setAlive('/runs/forgetting', false);
          window.fake.serveDashboard(['/runs/forgetting'], null);
        }, forgetting),
    });
    await charted(page);
    expect((await page.locator('.charts h3').allInnerTexts()).slice(0, 4)).toEqual([
      ...['Loss', 'KL divergence from the base', 'General text loss', 'Token accuracy'],
    ]);
    await page.getByRole('list', { name: 'Warnings' }).getByText('moves away from its base').waitFor();
    await page.screenshot({ path: screenshotPath('dashboard-forgetting-dark'), fullPage: true });
  });

  for (const theme of themes)
    it(`is accessible and looks right: ${theme}`, async () => {
      const page = await open(lora.length, { theme, reducedMotion: true, suites });
      await charted(page);
      await page.locator('.chart').first().hover();
      await page.screenshot({ path: screenshotPath(`dashboard-${theme}`), fullPage: true });
      await expectAccessible(page);
      await compareWith(page, 'pirate-prompt');
      await chart(page, 'Loss').getByRole('img').hover();
      await page.screenshot({ path: screenshotPath(`dashboard-compare-${theme}`), fullPage: true });
      await expectAccessible(page);
      await page.setViewportSize({ width: 420, height: 900 });
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
      if (theme === 'dark')
        await page.screenshot({ path: screenshotPath(`dashboard-narrow-${theme}`), fullPage: true });
      await expectAccessible(page);
    });
});

for (const theme of ['dark', 'light', 'highContrast'] as const)
  it(`a run on a GPU names it with the reason, and charts what it holds, in ${theme}`, async () => {
    const reason = 'a measured step of one layer takes 3.10 ms on NVIDIA H200, 41.0 ms on the CPU';
    const onGpu = lora.map(event => {
      if (event.type === 'step') return { ...event, gpu_bytes: 1e8 + 1e6 * event.step };
      if (event.type !== 'started') return event;
      const device = { backend: 'webgpu', device: 'GPU (NVIDIA H200, vulkan)', reason } as const;
      return { ...event, engine: { ...event.engine, ...device } };
    });
    const page = await browser.open({
      ...{ webview: 'dashboard', theme, width: 1000, reducedMotion: true },
      prepare: page =>
        page.evaluate(events => {
          window.fake.addRun('/runs/gpu', 'gpu', events);
          window.fake.setAlive('/runs/gpu', false);
          window.fake.serveDashboard(['/runs/gpu'], null);
        }, onGpu),
    });
    await page.getByText(`WebGPU · NVIDIA H200 · chosen because ${reason}`).waitFor();
    await page.locator('.chart h3', { hasText: 'Memory of the GPU' }).waitFor();
    await expectAccessible(page);
    await page.screenshot({ path: screenshotPath(`dashboard-gpu-${theme}`), fullPage: true });
  });
