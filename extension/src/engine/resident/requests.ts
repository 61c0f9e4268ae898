// The requests of the resident engine (protocol/residentMessages.ts), one entry each. A handler calls the same functions as the
// corresponding command, lets other requests run between its parts, and stops when its signal fires.
import {
  checkSuiteRequest,
  describeRequest,
  estimateRequest,
  inspectRequest,
  runShapeRequest,
  suiteResultsRequest,
} from '../../protocol/residentMessages.js';
import { checkSuite } from '../data/readSuite.js';
import type { MachineSpeed } from '../estimate/machineSpeed.js';
import { inspectModel } from '../inspect/inspectModel.js';
import { architectureOfFiles } from '../models/loadModel.js';
import { attachMethod } from '../run/attachMethod.js';
import { findModelFiles } from '../run/openModel.js';
import { parseRun } from '../run/readRunFile.js';
import { silentReporter } from '../run/reporter.js';
import { modelReference } from '../run/resolvedRun.js';
import { estimateJson, runEstimate } from '../run/runEstimate.js';
import { suiteResults } from '../run/suiteResults.js';
import { runShape } from '../training/runShape.js';
import { capabilities } from './capabilities.js';
import { answering, reporterOf, type ServedRequest } from './residentEngine.js';

/** @param speed gets the machine's speed without loading TensorFlow into this process */
export function residentRequests(speed: (threads: number | null) => Promise<MachineSpeed | null>): ServedRequest[] {
  return [
    answering(describeRequest, async () => capabilities()),
    answering(inspectRequest, async ({ model, folder }) => {
      const files = await findModelFiles(model, folder, silentReporter, false);
      try {
        return inspectModel(files);
      } finally {
        files.close();
      }
    }),
    answering(checkSuiteRequest, async ({ path, text }) => {
      const { rows, faults } = await checkSuite(path, text);
      return { rows: rows.map(({ id, at }) => ({ id, line: at.line })), faults };
    }),
    answering(suiteResultsRequest, async ({ folders }) => suiteResults(folders)),
    answering(runShapeRequest, async ({ runFile, path }) => {
      const run = parseRun(runFile, path);
      const files = await findModelFiles(modelReference(run), run.resolvePath('.'), silentReporter, false);
      try {
        const { attached, start } = attachMethod(run, architectureOfFiles(files), { files });
        start?.close();
        return { max_length: runShape(run.config, attached).maxLength };
      } finally {
        files.close();
      }
    }),
    answering(estimateRequest, async ({ runFile, path }, { signal, report }) => {
      const reporter = reporterOf(report);
      return estimateJson(await runEstimate(parseRun(runFile, path), { reporter, offline: true, speed, signal }));
    }),
  ];
}
