// Scores of a race: how well the result of a run, and the base, answer the suites of the run file (dataset.suites). Evaluated by
// `tunewright evaluate --suite` in a process of its own, with its report kept in the folder of the run, or of the race for the base.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { wantedBackend } from '../../core/wantedBackend.js';
import { evaluationReportSchema } from '../../protocol/answers.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { keptReport, RESULT, type Suite } from '../../system/keptReports.js';
import { fileHash } from '../data/fileHash.js';
import { keepReport } from '../runFolder/keptReports.js';
import { runProgram, type Interruption } from './runProgram.js';

export function suitesOf({ dataset }: Pick<RunConfig, 'dataset'>): Promise<Suite[]> {
  return Promise.all(dataset.suites.map(async file => ({ file, hash: await fileHash(file) })));
}

/**
 * Lets a run's result, or the base, answer those suites that it hasn't answered as they are now. What can't be evaluated has no
 * score; the process says why.
 * @param folder of the run, or of the race for the base
 */
export async function answerSuites(
  folder: string,
  of: 'result' | 'base',
  config: RunConfig,
  suites: readonly Suite[],
  interruption: Interruption,
): Promise<void> {
  for (const suite of suites) {
    if (interruption.signal.aborted) return;
    const kept = keptReport(folder, suite.file);
    if (kept?.suite.hash === suite.hash && of in kept.report.models) continue;
    let output = '';
    const flags = [
      ...(of === 'base' ? ['--model', config.model] : resultFlags(folder, config)),
      ...engineFlags(config),
    ];
    const args = ['evaluate', '--suite', suite.file, ...flags, '--json'];
    const { code } = await runProgram(args, interruption, line => (output += line));
    // One that was interrupted prints a report, too.
    if (code === 0) keepReport(folder, suite, evaluationReportSchema.parse(JSON.parse(output)).models);
  }
}

/** An adapter on the base, or a whole model. */
function resultFlags(folder: string, config: RunConfig): string[] {
  const adapter = join(folder, 'adapter');
  if (!existsSync(adapter)) return ['--model', join(folder, 'model')];
  return ['--model', config.model, '--adapter', `${RESULT}=${adapter}`, '--no-base'];
}

function engineFlags({ engine }: RunConfig): string[] {
  // On a cluster, they are a worker's.
  const threads = engine.threads === null || engine.backend === 'ray' ? [] : ['--threads', String(engine.threads)];
  return [
    '--backend',
    wantedBackend(engine),
    '--base-weights',
    engine.base_weights,
    '--precision',
    engine.precision,
    ...threads,
  ];
}
