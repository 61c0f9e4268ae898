// What of logs and facts a report of a problem shows: nothing that names a person, a machine, a file, a row or a key.
import { expect, test } from 'vitest';
import { anonymous, problemReport } from '../../../extension/src/core/problemReport.js';

const NAMES = ['jane', 'janes-laptop', '/home/jane/My Secret Project', 'secret-tone', 'acme/private-model'];

test.each([
  ['error: /home/jane/My Secret Project/run.json:3: key method.r: must be positive', 'run.json'],
  ['error: C:\\Users\\jane\\rows.jsonl:7: this is not JSON', 'rows'],
  ['error: rows of secret-tone.jsonl: "The patient Jane Doe has" is not a message', 'patient'],
  ["error: key 'Jane Doe' is unknown", 'Doe'],
  ['error: acme/private-model: the model is gated', 'acme'],
  ['error: other/model-7b: does not exist', 'model-7b'],
  ['warning: the hub at https://hub.corp.example/x?token=abc can’t be reached', 'corp'],
  ['error: HF_TOKEN hf_abcdefghijklmnop was refused', 'abcdef'],
  ['error: key sk-proj1234567890abcdef', '1234567'],
  ['error: sha 0123456789abcdef0123456789abcdef01234567', '0123456'],
  ['error: ask jane.doe@corp.example', 'corp'],
  ['    at read (/opt/jane/dist/tunewright.mjs:1:2)', '/opt'],
  ['error: dataset medical.parquet has no rows', 'medical'],
  ['error: medical-data.tune.json: method.r: must be positive', 'medical'],
  ['error: größe.jsonl: no rows', 'gr'],
  ['error: /mnt/a disk/medical data/rows.jsonl:3: this is not JSON', 'medical'],
  ['error: C:\\Data\\our medical data\\x: this is not JSON', 'medical'],
  ['error: the hub can’t be reached (connect ECONNREFUSED 10.20.30.40:8080)', '10.20'],
  ['error: getaddrinfo ENOTFOUND hub.corp.example', 'corp'],
  ['error: connect ENETUNREACH fe80::1ff:fe23:4567:890a', 'fe80'],
  ['error: the proxy proxy.corp.example:3128 refuses it', 'corp'],
  ['error: 10.20.30.40 refuses it', '10.20'],
])('%s', (line, hidden) => {
  const shown = anonymous(line, NAMES);
  expect(shown).not.toContain(hidden);
  for (const name of NAMES) expect(shown).not.toContain(name);
  expect(shown).toMatch(/<(text|path|address|token|name|file)>/);
});

test.each(['a-', '"', 'a.', 'Jane Doe '])('much text, such as of %j, takes no time and isn’t shown', part => {
  const began = performance.now();
  expect(anonymous(`error: ${part.repeat(50_000)}`, NAMES)).toBe('<text>');
  expect(performance.now() - began).toBeLessThan(1000);
});

test('what tells the problem stays', () => {
  expect(anonymous('error: /home/x/run.json:3: key method.r: must be positive, not -1', [])).toBe(
    'error: <path>:3: key method.r: must be positive, not -1',
  );
  expect(anonymous('error: this run needs about 8.0 GB of memory, but only 4.0 GB is free', NAMES)).toBe(
    'error: this run needs about 8.0 GB of memory, but only 4.0 GB is free',
  );
  for (const line of ['step 3  loss 7.567  1:00:02 left', 'error: method.target_modules: TensorFlow 2.21.0'])
    expect(anonymous(line, NAMES)).toBe(line);
});

test('of a log only lines that the program has written itself', () => {
  const report = problemReport({
    versions: [['Extension', '0.1.0']],
    run: [['Method', 'LORA']],
    log: ['The patient Jane Doe', 'prompt: who am I', 'step 3  loss 1.2', 'error: out of memory', '> Ahoy'],
    names: NAMES,
  });
  expect(report).toContain('- Extension: 0.1.0\n');
  expect(report).toContain('- Method: LORA\n');
  expect(report).toContain('```\nstep 3  loss 1.2\nerror: out of memory\n(3 other lines left out)\n```');
  expect(report).not.toMatch(/Jane|who am I|Ahoy/);
});

test('without a run there is no part about one', () => {
  const report = problemReport({ versions: [['Extension', '0.1.0']], run: [], log: [], names: [] });
  expect(report).not.toMatch(/Latest run|log/);
});
