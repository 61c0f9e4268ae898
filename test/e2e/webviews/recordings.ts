// Recorded events and answers of the engine, which the webview tests replay.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineEventSchema, type EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { root } from './harness.js';

export function recordedRun(name: string): EngineEvent[] {
  return readFileSync(join(root, `test/fixtures/runs/${name}.ndjson`), 'utf8')
    .trim()
    .split('\n')
    .map(line => engineEventSchema.parse(JSON.parse(line)));
}

export function recordedAnswer(name: string): any {
  return JSON.parse(readFileSync(join(root, `test/fixtures/webviews/${name}.json`), 'utf8'));
}
