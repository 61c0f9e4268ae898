// What runs are worth in figures, below their charts: with several runs a table of loss, forgetting and suite scores; and for each
// suite how its models answered, compared by statistics. Part of the dashboard.
import { comparisonText } from '../../../extension/src/core/evaluation/comparisonText.js';
import { metricValue } from '../../../extension/src/core/metrics/metricText.js';
import { counted, figure } from '../../../extension/src/core/units.js';
import type { RunModel, SuiteResults } from '../../../extension/src/protocol/answers.js';
import type { DashboardSnapshot, RunSnapshot } from '../../../extension/src/protocol/dashboardMessages.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { h } from '../shared/dom.js';
import { column, metricsBesideLoss, type RunColumns } from './runData.js';

type Suite = SuiteResults[number];

export class ComparisonView {
  readonly element = h('div', { class: 'content' });
  private shown = '';

  /** @param columnsOf the values of a run */
  show(snapshot: DashboardSnapshot, columnsOf: (run: RunSnapshot) => RunColumns): void {
    const { runs, suites } = snapshot;
    const rows = runs.length > 1 ? runs.map(run => rowOf(run, columnsOf(run), suites)) : [];
    const shownSuites = suites.map(suite => suiteOf(suite, runs));
    // Redrawn only if it differs, which keeps selections.
    const key = JSON.stringify([rows, shownSuites]);
    if (key === this.shown) return;
    this.shown = key;
    this.element.replaceChildren(
      ...(rows.length > 0 ? [comparisonTable(rows)] : []),
      ...(shownSuites.length > 0 ? [suiteSection(shownSuites)] : []),
    );
    this.element.hidden = this.element.childElementCount === 0;
  }
}

interface Row {
  label: string;
  /** Text by title of the column. */
  figures: Record<string, string>;
  /** The same of suites. */
  scores: Record<string, string>;
}

/** At the best evaluation, else the last one. */
function rowOf({ label, folder, metrics }: RunSnapshot, { evaluations }: RunColumns, suites: SuiteResults): Row {
  const steps = column(evaluations, 'step');
  const best = column(evaluations, 'best').lastIndexOf(1);
  const at = best < 0 ? steps.length - 1 : best;
  const text = (key: string, shown: (value: number) => string) => {
    const value = column(evaluations, key)[at];
    return value === undefined || Number.isNaN(value) ? '-' : shown(value);
  };
  const scores = suites.flatMap(({ file, models }) => {
    const result = models.find(({ model }) => model.kind === 'result' && model.folder === folder);
    return result ? [[suiteName(file), `${result.score.toFixed(3)} (${result.passed} of ${result.total})`]] : [];
  });
  return {
    label,
    figures: {
      'Evaluated at step': at < 0 ? '-' : `${steps[at]}${best < 0 ? '' : ' (best)'}`,
      'Validation loss': text('loss', figure),
      ...Object.fromEntries(
        metricsBesideLoss(metrics).map(metric => [
          metric.title,
          text(metric.name, value => metricValue(metric, value)),
        ]),
      ),
    },
    scores: Object.fromEntries(scores),
  };
}

function comparisonTable(rows: readonly Row[]): HTMLElement {
  const titlesOf = (part: 'figures' | 'scores') => rows.flatMap(row => Object.keys(row[part]));
  const titles = [...new Set([...titlesOf('figures'), ...titlesOf('scores')])];
  const heading = (text: string) => h('th', { scope: 'col' }, text);
  return h(
    'section',
    { class: 'block', 'aria-label': 'Comparison' },
    h('h2', {}, 'Comparison'),
    h(
      'div',
      { class: 'scrolled', tabindex: 0, role: 'region', 'aria-label': 'Figures of the runs' },
      h(
        'table',
        { class: 'results number' },
        h('thead', {}, h('tr', {}, heading('Run'), ...titles.map(heading))),
        h(
          'tbody',
          {},
          ...rows.map(({ label, figures, scores }) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, label),
              ...titles.map(title => h('td', {}, figures[title] ?? scores[title] ?? '-')),
            ),
          ),
        ),
      ),
    ),
  );
}

interface ShownSuite {
  title: string;
  rows: number;
  models: { name: string; passed: number; score: string }[];
  comparisons: string[];
}

/** One run with its checkpoints; of several, the results, and the base of the first. */
function suiteOf({ file, models, comparisons }: Suite, runs: readonly RunSnapshot[]): ShownSuite {
  const [main] = runs;
  const isShown = ({ kind, folder }: RunModel) =>
    kind === 'result'
      ? runs.some(run => run.folder === folder)
      : folder === main?.folder && (kind === 'base' || runs.length === 1);
  const label = (folder: string) => runs.find(run => run.folder === folder)?.label ?? '';
  const nameOf = ({ kind, folder, step }: RunModel) => {
    if (kind === 'base') return 'base';
    if (kind === 'checkpoint') return `step ${step}`;
    return runs.length === 1 ? 'result' : label(folder);
  };
  return {
    title: suiteName(file),
    rows: models[0]!.total,
    models: models
      .filter(({ model }) => isShown(model))
      .toSorted((a, b) => Number(a.model.kind === 'base') - Number(b.model.kind === 'base'))
      .map(({ model, passed, score }) => ({ name: nameOf(model), passed, score: score.toFixed(3) })),
    comparisons: comparisons
      // Checkpoints are compared with the result and the base, not with each other.
      .filter(({ a, b }) => isShown(a) && isShown(b) && (a.kind !== 'checkpoint' || b.kind !== 'checkpoint'))
      .map(each => comparisonText({ ...each, a: nameOf(each.a), b: nameOf(each.b) })),
  };
}

function suiteSection(suites: readonly ShownSuite[]): HTMLElement {
  return h(
    'section',
    { class: 'block', 'aria-label': 'Evaluation suites' },
    h('h2', {}, 'Evaluation suites'),
    ...suites.flatMap(({ title, rows, models, comparisons }) => [
      h('h3', {}, title, ' ', h('span', { class: 'muted' }, counted(rows, 'row'))),
      h(
        'table',
        { class: 'results number', 'aria-label': title },
        h('thead', {}, h('tr', {}, ...['Model', 'Passed', 'Score'].map(text => h('th', { scope: 'col' }, text)))),
        h(
          'tbody',
          {},
          ...models.map(({ name, passed, score }) =>
            h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, `${passed} of ${rows}`), h('td', {}, score)),
          ),
        ),
      ),
      h('ul', { class: 'comparisons' }, ...comparisons.map(text => h('li', {}, text))),
    ]),
  );
}

function suiteName(path: string): string {
  return fileName(path).replace(/\.eval\.jsonl$/, '');
}
