// The report: files, choice, CSV. The same functions say it on the command line.
import { describe, expect, it } from 'vitest';
import { entryFigures, type RunFigures } from '../../../../extension/src/core/race/raceFigures.js';
import { choiceText, CSV_COLUMNS, raceCsv, raceReport } from '../../../../extension/src/core/race/raceReport.js';
import { raceConfigSchema } from '../../../../extension/src/protocol/raceConfig.js';
import { finishedRun, unfinishedRun } from '../../../support/raceRuns.js';

const NONE = { memoryBytes: null, seconds: null };
const RUN = {
  model: 'embedded:tiny',
  dataset: { train: '/data/rows.jsonl', validation: 0.1 },
  method: { peft_type: 'LORA' },
};

const RUNS = [
  finishedRun('LORA r=1', 1, { validation_loss: 1.25, trainable_parameters: 14480 }),
  finishedRun('LORA r=1', 2, { validation_loss: 1.35, trainable_parameters: 14480 }),
  finishedRun('full | all', 1, { validation_loss: 1, trainable_parameters: 1750240, train_seconds: 90 }),
  unfinishedRun('full | all', 2, { status: 'failed', failure: 'the loss of step 3 is non-finite' }),
];

const report = (runs: readonly RunFigures[], race = {}, baseScore: number | null = null) =>
  raceReport({
    race: { ...raceConfigSchema.parse({ name: 'my race', run: RUN, vary: [{}], seeds: [1, 2], ...race }), run: RUN },
    runs,
    limits: NONE,
    baseScore,
  });

describe('the report', () => {
  it('is Markdown with a picture for each pair of figures, and CSV', () => {
    const files = report(RUNS);
    expect([...files.keys()]).toEqual([
      'report.md',
      'runs.csv',
      'loss-parameters.svg',
      'loss-memory.svg',
      'loss-time.svg',
    ]);
    const text = files.get('report.md')!;
    for (const name of files.keys()) if (name.endsWith('.svg')) expect(text).toContain(`](${name})`);
    expect(text).toContain('# my race');
    expect(text).toContain(
      'Model embedded:tiny, trained on rows.jsonl, validation loss on 10% of its rows; seeds 1, 2;',
    );
    expect(text).toContain('| full \\| all | 1,750,240 | 1.0000 | 500 MB | 1:30 | 1 of 2, 1 failed | yes |');
    expect(text).toContain('sqrt(sum((x − mean)²) / (n − 1))');
    expect(text).toContain('- full \\| all, seed 2: the loss of step 3 is non-finite');
    expect(text).toContain('- Validation loss against training time: LORA r=1, full \\| all');
  });

  it('has pictures of the score if there is one', () => {
    const files = report(RUNS.map(run => (run.status === 'finished' ? { ...run, score: 0.5 } : run)));
    expect([...files.keys()].filter(name => name.startsWith('score'))).toEqual([
      'score-parameters.svg',
      'score-memory.svg',
      'score-time.svg',
    ]);
  });

  it('says what the base scores without training, if it was asked', () => {
    expect(report(RUNS, {}, 0.25).get('report.md')).toContain('Without training, the base scores 25%.');
    expect(report(RUNS).get('report.md')).not.toContain('the base scores');
  });

  it('of a race that has not begun has no picture', () => {
    const files = report([unfinishedRun('a', 1)]);
    expect([...files.keys()]).toEqual(['report.md', 'runs.csv']);
    expect(files.get('report.md')).toContain('No entry has finished.');
  });

  it('says the budget', () => {
    const says = (budget: unknown) => report(RUNS, { budget }).get('report.md')!;
    expect(says({ max_steps: 60 })).toContain('; 60 steps each.');
    expect(says({ tokens: 1000 })).toContain('; 1,000 tokens each.');
    expect(says({ minutes: 10 })).toContain('; at most 10 min of training each.');
    expect(says(undefined)).toContain('; each as long as its run file says.');
  });
});

describe('the choice', () => {
  it('is said with its figures and limits', () => {
    const entries = entryFigures(RUNS);
    expect(choiceText(entries, NONE)).toBe(
      'The best: full | all, validation loss 1.0000, 1,750,240 trained parameters. Its finished seeds: 1 of 2, 1 failed.',
    );
    expect(choiceText(entries, { memoryBytes: 1e9, seconds: 60 })).toBe(
      'The best under 1.0 GB and 1:00: LORA r=1, validation loss 1.3000 ± 0.0707, 14,480 trained parameters.',
    );
    expect(choiceText(entries, { memoryBytes: 1e6, seconds: null })).toBe(
      'No entry stays under 1 MB with all of its seeds.',
    );
  });

  it('names smaller entries that no difference is shown to, and says if there is one seed only', () => {
    const close = [
      finishedRun('a', 1, { trainable_parameters: 10 }),
      finishedRun('b', 1, { trainable_parameters: 20 }),
    ];
    expect(choiceText(entryFigures([...close].reverse()), NONE)).toBe(
      'The best: b, validation loss 1.0000, 20 trained parameters. ' +
        'No difference shown over these seeds, with fewer trained parameters: a (10). ' +
        'With one seed each, small differences may be chance.',
    );
  });
});

it('the CSV has a line for each run, with unrounded figures', () => {
  const [heading, ...lines] = raceCsv([
    finishedRun('a, "b"', 1, { validation_loss: 1.2345678901234567, kl_from_base: 0.25, general_loss: 3.5 }),
    unfinishedRun('c', 2, { status: 'failed', failure: 'two\nlines' }),
  ]).split(/\n(?!lines)/);
  expect(heading).toBe(CSV_COLUMNS.join(','));
  expect(lines).toEqual([
    '"a, ""b""",1,finished,LORA,1000,1.2345678901234567,,500000000,60,0.25,3.5,10,"runs/a, ""b""-seed1",',
    'c,2,failed,LORA,,,,,,,,,runs/c-seed2,"two\nlines"',
    '',
  ]);
});
