// Requests of the host to the resident engine (`tunewright resident`), as JSON-RPC on its standard input and output: these
// requests, `$/progress` if a request has a progress token, `$/cancelRequest`, and errors with the error record (engineError.ts)
// as their data. No request downloads anything.
import * as z from 'zod';
import {
  capabilitiesSchema,
  estimateSchema,
  modelInspectionSchema,
  runShapeSchema,
  suiteResultsSchema,
} from './answers.js';
import { engineErrorSchema } from './engineError.js';
import { requestType } from './messageTypes.js';

/** Added to the params of a request to receive its progress. */
export const progressTokenSchema = z.object({ progressToken: z.int().optional() });

/** Progress of work of which the size may be known. */
export const progressSchema = z.object({
  phase: z.string(),
  done: z.number(),
  total: z.number().nullable(),
  message: z.string(),
});
export type Progress = z.infer<typeof progressSchema>;

export const describeRequest = requestType('describe', z.object({}), capabilitiesSchema);

const runFileParams = z.object({
  runFile: z.record(z.string(), z.unknown()).describe('Content of the run file, as written'),
  path: z.string().describe('Its actual or future path: the base of its relative paths, and named in errors'),
});

export const estimateRequest = requestType('estimate', runFileParams, estimateSchema, progressSchema);

export const runShapeRequest = requestType('run_shape', runFileParams, runShapeSchema);

export const inspectRequest = requestType(
  'inspect',
  z.object({ model: z.string(), folder: z.string().describe('Base of a relative path') }),
  modelInspectionSchema,
);

/** Rows of an evaluation suite, and what is wrong with others; the text may not be saved yet. */
export const checkSuiteRequest = requestType(
  'check_suite',
  z.object({ path: z.string().describe('Named in errors'), text: z.string() }),
  z.object({
    rows: z.array(z.object({ id: z.string(), line: z.int().positive() })),
    faults: z.array(engineErrorSchema).describe('Of rows; others are right or not read'),
  }),
);
export type CheckedSuite = z.infer<typeof checkSuiteRequest.result>;

/** What runs, and their bases, have answered to suites, compared. */
export const suiteResultsRequest = requestType(
  'suite_results',
  z.object({ folders: z.array(z.string()).describe('Of runs') }),
  suiteResultsSchema,
);

/** JSON-RPC code of all errors raised by the engine; the error record is in the data. */
export const ENGINE_ERROR = 1;
