// The result of a suite: what each model passed, and how sure the differences between models are. Printed by `evaluate`.
import type { EvaluationReport, ModelComparison } from '../../protocol/answers.js';
import { mcnemar } from '../statistics/mcnemar.js';
import { differenceInterval, resamples } from '../statistics/pairedDifference.js';
import type { JudgedRow } from './judgedRow.js';

export interface JudgedModel {
  name: string;
  /** The same rows for all models, in the same order. */
  rows: readonly JudgedRow[];
}

/** As SciPy's default. */
const RESAMPLES = 9999;

/** A uniform integer below its argument. */
type Draw = (limit: number) => number;

/** @param newDraw from a seeded generator: the same for each two models, so that their interval doesn't depend on others */
export function evaluationReport(models: readonly JudgedModel[], newDraw: () => Draw): EvaluationReport {
  return {
    models: Object.fromEntries(models.map(({ name, rows }) => [name, modelResult(rows)])),
    comparisons: models.flatMap((a, i) => models.slice(0, i).flatMap(b => comparisonOf(a, b, newDraw()) ?? [])),
  };
}

export function modelResult(rows: readonly JudgedRow[]): EvaluationReport['models'][string] {
  return {
    passed: rows.filter(({ passed }) => passed).length,
    total: rows.length,
    score: rows.length === 0 ? 0 : rows.reduce((sum, { score }) => sum + score, 0) / rows.length,
    rows: rows.map(({ id, passed, answer, checks }) => ({
      id,
      passed,
      answer,
      checks: checks.map(check => ({ type: check.type, passed: check.passed, score: check.score })),
    })),
  };
}

/** What a comparison needs of a model: the same rows for both, in the same order. */
export interface ScoredModel {
  name: string;
  rows: readonly Pick<JudgedRow, 'passed' | 'score'>[];
}

/** @returns null if there is no row to compare by */
export function comparisonOf(a: ScoredModel, b: ScoredModel, draw: Draw): ModelComparison | null {
  const count = a.rows.length;
  if (count === 0) return null;
  const wins = a.rows.filter(({ passed }, i) => passed && !b.rows[i]!.passed).length;
  const losses = a.rows.filter(({ passed }, i) => !passed && b.rows[i]!.passed).length;
  const differences = a.rows.map(({ score }, i) => score - b.rows[i]!.score);
  return {
    a: a.name,
    b: b.name,
    wins,
    losses,
    ties: count - wins - losses,
    p_value: mcnemar(wins, losses),
    interval: differenceInterval(differences, resamples(count, RESAMPLES, draw)),
  };
}
