// What the host asks the resident engine (`tunewright resident`), as JSON-RPC on its standard input and output: requests by
// these names, `$/progress` where a request brings a token for it, `$/cancelRequest`, and errors with the error record
// (engineError.ts) as their data. Nothing is downloaded for an answer.
import * as z from 'zod';
import { capabilitiesSchema, estimateSchema, modelInspectionSchema, runShapeSchema } from './answers.js';
import { requestType } from './messageTypes.js';

export const describeRequest = requestType('describe', z.object({}), capabilitiesSchema);

const runFileParams = z.object({
  runFile: z.record(z.string(), z.unknown()).describe('What is in the run file, as written'),
  path: z.string().describe('Where it is or would be: its relative paths begin there, errors name it'),
});

export const estimateRequest = requestType('estimate', runFileParams, estimateSchema);

export const runShapeRequest = requestType('run_shape', runFileParams, runShapeSchema);

export const inspectRequest = requestType(
  'inspect',
  z.object({ model: z.string(), folder: z.string().describe('Where a relative path begins') }),
  modelInspectionSchema,
);

/** Beside the params of a request whose progress somebody wants to hear. */
export const progressTokenSchema = z.object({ progressToken: z.int().optional() });

/** How far a request is. */
export const progressSchema = z.object({
  phase: z.string(),
  done: z.number(),
  total: z.number().nullable(),
  message: z.string(),
});
export type Progress = z.infer<typeof progressSchema>;

/** Code of every error that the engine itself answers; the record is in its data. */
export const ENGINE_ERROR = 1;
