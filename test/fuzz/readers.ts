// All that reads what others have written, as the fuzzer calls it: files of rows, models, adapters, runs, races and suites, pages and
// archives that are downloaded, requests of other programs, and every message between processes. Used by target.ts.
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { InputError } from '../../extension/src/core/inputError.js';
import { initialRunState, reduceRun } from '../../extension/src/core/runs/runState.js';
import { renderChat } from '../../extension/src/core/text/chatTemplate.js';
import { createTokenizer } from '../../extension/src/core/text/huggingFaceTokenizer.js';
import type { TextTokenizer, TokenizerFiles } from '../../extension/src/core/text/textTokenizer.js';
import { appendedRow } from '../../extension/src/core/data/appendedRow.js';
import { loadDataset } from '../../extension/src/engine/data/loadDataset.js';
import { readQuarantine } from '../../extension/src/engine/data/quarantine.js';
import { checkSuite, readSuite } from '../../extension/src/engine/data/readSuite.js';
import { readCertificate } from '../../extension/src/engine/export/certificateFile.js';
import { openGguf } from '../../extension/src/engine/files/ggufModel.js';
import { openHuggingFaceFolder, readTokenizer } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { openSafetensors, type SafetensorsFile } from '../../extension/src/engine/files/safetensors.js';
import type { ModelFiles } from '../../extension/src/engine/files/tensorSource.js';
import { listOllamaModels } from '../../extension/src/engine/hub/ollamaStore.js';
import { findInstallation } from '../../extension/src/engine/install/installation.js';
import { parseNetrc } from '../../extension/src/engine/install/netrc.js';
import { readHtmlPage, readJsonPage } from '../../extension/src/engine/install/packageIndex.js';
import { cudaRequirements } from '../../extension/src/engine/install/wheelPlan.js';
import { readZip } from '../../extension/src/engine/install/zipReader.js';
import { architectureOfFiles, findTensors } from '../../extension/src/engine/models/loadModel.js';
import { checkAdapterTensors, openAdapter, planOfSaved } from '../../extension/src/engine/peft/adapterFiles.js';
import { readRaceFile } from '../../extension/src/engine/race/planRace.js';
import { readRaceFolder } from '../../extension/src/engine/race/raceFolder.js';
import { expandRace } from '../../extension/src/core/race/expandRace.js';
import { answering, serveResident } from '../../extension/src/engine/resident/residentEngine.js';
import { readRunFile } from '../../extension/src/engine/run/readRunFile.js';
import { commandReader, isClaimed } from '../../extension/src/engine/run/runProcess.js';
import { readEvents } from '../../extension/src/engine/runFolder/eventLog.js';
import { RunFolder } from '../../extension/src/engine/runFolder/runFolder.js';
import { readStepLosses } from '../../extension/src/engine/runFolder/stepLosses.js';
import { parseBody, parseChat, parseCompletion } from '../../extension/src/engine/serve/requests.js';
import {
  inspectCheckpoint,
  openTrainable,
  readCheckpointState,
} from '../../extension/src/engine/training/checkpoint.js';
import { previewFirstRows } from '../../extension/src/host/datasets/firstRows.js';
import { AnalysedDataset } from '../../extension/src/host/datasets/worker/analysedDataset.js';
import type { DatasetSummary, ReadingSettings } from '../../extension/src/host/datasets/worker/workerMessages.js';
import * as runFolderFiles from '../../extension/src/host/runs/runFolderFiles.js';
import { datasetConfigSchema } from '../../extension/src/protocol/datasetConfig.js';
import * as dashboard from '../../extension/src/protocol/dashboardMessages.js';
import * as datasetPreview from '../../extension/src/protocol/datasetPreviewMessages.js';
import * as evaluation from '../../extension/src/protocol/evaluationMessages.js';
import * as exports from '../../extension/src/protocol/exportMessages.js';
import { conversationSchema } from '../../extension/src/protocol/playgroundMessages.js';
import * as playground from '../../extension/src/protocol/playgroundMessages.js';
import * as race from '../../extension/src/protocol/raceMessages.js';
import * as resident from '../../extension/src/protocol/residentMessages.js';
import * as runPanel from '../../extension/src/protocol/runPanelMessages.js';
import * as session from '../../extension/src/protocol/sessionMessages.js';
import type { NotificationType, RequestType } from '../../extension/src/protocol/messageTypes.js';
import { WebviewChannel } from '../../extension/src/protocol/webviewChannel.js';
import { withinTime } from '../../extension/src/system/boundedWork.js';
import { FolderConversations } from '../../extension/src/host/webviews/conversationStore.js';
import * as kept from '../../extension/src/host/keptValues.js';
import { holderOf } from '../../extension/src/system/fileClaim.js';
import { keptReports, scoreIn } from '../../extension/src/system/keptReports.js';
import {
  hubAnswers,
  lmStudioAnswers,
  ollamaAnswers,
  readHubAnswer,
  readLmStudioAnswer,
  readOllamaAnswer,
} from './answers.js';

export interface Original {
  /** In the folder that `folder` is copied to. */
  name: string;
  /** Where it and what belongs to it are; null: an empty folder. */
  folder: string | null;
  bytes(): Buffer;
}

export interface Reader {
  originals: Original[];
  /** Reads the damaged file. What it throws must be a refusal. */
  read(path: string): unknown;
}

const MODEL = 'media/models/tiny';
const PARITY = 'test/fixtures/parity/llama-untied';
const RUN_FOLDERS = 'test/fixtures/runFolders/v0';

/** Files below `folder` whose path matches, each in the folder that has it or in one above. */
function filesIn(folder: string, pattern: RegExp, levels = 0): Original[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(path => pattern.test(path))
    .sort()
    .map(path => {
      let home = dirname(path);
      for (let n = 0; n < levels; n++) home = dirname(home);
      return { name: path.slice(home.length + 1), folder: home, bytes: () => readFileSync(path) };
    });
}

/** A text that is no file of the repository. */
function text(name: string, content: string | Buffer): Original {
  return { name, folder: null, bytes: () => Buffer.from(content) };
}

/** The first lines of long files. */
function beginningsOf(originals: Original[], lines = 12): Original[] {
  return originals.map(original => ({
    ...original,
    folder: null,
    name: basename(original.name),
    bytes: () => Buffer.from(original.bytes().toString('utf8').split('\n').slice(0, lines).join('\n')),
  }));
}

const isolated = (originals: Original[]) =>
  originals.map(original => ({ ...original, name: basename(original.name), folder: null }));

const READING: ReadingSettings = {
  ...{ format: 'auto', columns: {}, maxLength: 64, trainOn: 'all', truncation: 'end' },
  ...{ chatTemplate: null, tokenizerFolder: MODEL, compareWith: null },
};

let tokenizer: TextTokenizer | null = null;
const tinyTokenizer = () => (tokenizer ??= createTokenizer(readTokenizer(MODEL)!, withinTime));

async function readRows(path: string): Promise<void> {
  await previewFirstRows(path);
  await readPreview(path);
  const config = datasetConfigSchema.parse({ train: path, max_length: 64 });
  const options = { file: path, config, tokenizer: tinyTokenizer(), role: 'train' as const, onWarning: () => {} };
  (await loadDataset(options as unknown as Parameters<typeof loadDataset>[0])).close();
}

/** As the worker of the editor's preview does. */
async function readPreview(path: string): Promise<void> {
  let preview: AnalysedDataset;
  const error = await new Promise<string | null>(resolve => {
    const report = (summary: DatasetSummary) => {
      if (summary.phase === 'ready' || summary.phase === 'failed') resolve(summary.error);
    };
    preview = new AnalysedDataset(report, () => Promise.resolve(null));
    preview.start({ kind: 'file', path }, READING);
  });
  await preview!.close();
  if (error !== null && /\n\s+at /.test(error)) throw new Error(error);
}

function useModel(files: ModelFiles): void {
  try {
    findTensors(files, architectureOfFiles(files));
    if (files.tokenizer) useTokenizer(files.tokenizer);
  } finally {
    files.close();
  }
}

const MESSAGES = [
  { role: 'user' as const, content: 'Hello, wörld! 12 345\n\n\tdef f(x): return x' },
  { role: 'assistant' as const, content: 'Yes.' },
];

function useTokenizer(files: TokenizerFiles): void {
  const opened = createTokenizer(files, withinTime);
  const prompt = opened.chatTemplate === null ? MESSAGES[0]!.content : renderChat(opened, MESSAGES);
  opened.decode(opened.encode(prompt));
  opened.decode([0, 1, 2], { skipSpecialTokens: true });
}

function readAdapter(path: string): void {
  const files = openHuggingFaceFolder(PARITY, PARITY);
  try {
    const saved = openAdapter(dirname(path), architectureOfFiles(files));
    try {
      checkAdapterTensors(saved, planOfSaved(saved, 'inference'));
      for (const tensor of saved.tensors.values()) tensor.readFloat32();
    } finally {
      saved.close();
    }
  } finally {
    files.close();
  }
}

function readTensorsOf(file: SafetensorsFile): void {
  try {
    for (const tensor of file.tensors.values()) tensor.readFloat32();
  } finally {
    file.close();
  }
}

/** A run folder, as `train --resume`, `race` and the editor read it. */
function readRunFolder(path: string): void {
  const folder = dirname(path);
  for (const events of [readEvents(path), runFolderFiles.readEventChunk(path, 0)?.events ?? []])
    events.reduce(reduceRun, initialRunState);
  runFolderFiles.readEventEnds(path);
  runFolderFiles.readCertificates(folder);
  runFolderFiles.lastCheckpointStep(folder);
  keptReports(folder);
  isClaimed(RunFolder.open(folder));
}

function readCommands(path: string): void {
  const content = readFileSync(path);
  writeFileSync(path, '');
  const next = commandReader(path);
  writeFileSync(path, content);
  next();
}

const isMessage = (value: unknown): value is NotificationType<unknown> | RequestType<unknown, unknown> =>
  typeof value === 'object' && value !== null && 'params' in value && 'kind' in value;

/** The least value that a schema allows, from which the fuzzer begins. */
function sampleOf(schema: z.ZodType): unknown {
  return sample(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as Json, 0);
}

type Json = Record<string, any>;
function sample(schema: Json, depth: number): unknown {
  if (depth > 8) return null;
  if ('const' in schema) return schema['const'];
  if ('default' in schema) return schema['default'];
  const choice = (schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf'])?.[0] ?? schema['enum']?.[0];
  if (choice !== undefined) return typeof choice === 'object' ? sample(choice as Json, depth + 1) : choice;
  switch (schema['type']) {
    case 'object':
      return Object.fromEntries(
        Object.entries((schema['properties'] ?? {}) as Record<string, Json>).map(([key, value]) => [
          key,
          sample(value, depth + 1),
        ]),
      );
    case 'array':
      return (schema['prefixItems'] ?? [schema['items'] ?? {}]).map((item: Json) => sample(item, depth + 1));
    case 'string':
      return 'a';
    case 'number':
    case 'integer':
      return Math.max(1, schema['minimum'] ?? 1);
    case 'boolean':
      return true;
    default:
      return null;
  }
}

/** What a page or the host sends is a value already. */
function valueIn(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return readFileSync(path, 'utf8');
  }
}

const PAGES = { dashboard, datasetPreview, evaluation, exports, playground, race, runPanel };
const ENGINE_MESSAGES = [resident, session].flatMap(module => Object.values(module).filter(isMessage)) as RequestType<
  unknown,
  unknown
>[];

const webviewReaders = Object.entries(PAGES).map(([page, module]): [string, Reader] => {
  const types = Object.values(module).filter(isMessage);
  return [
    `messages of ${page}`,
    {
      originals: types.map(type =>
        text(
          'message.json',
          JSON.stringify({ kind: type.kind, id: 1, name: type.name, params: sampleOf(type.params) }),
        ),
      ),
      async read(path) {
        const message = valueIn(path);
        let receive: (message: unknown) => void = () => {};
        const port = { post: () => {}, listen: (listener: typeof receive) => ((receive = listener), () => {}) };
        const channel = new WebviewChannel(port, () => {});
        for (const type of types)
          if (type.kind === 'request') channel.onRequest(type, () => null);
          else channel.onNotification(type, () => {});
        receive(message);
        await new Promise(resolve => setImmediate(resolve));
        channel.dispose();
      },
    },
  ];
});

async function readEngineMessages(path: string): Promise<void> {
  const input = new PassThrough();
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const serving = serveResident(
    input,
    output,
    ENGINE_MESSAGES.map(type => answering(type, () => Promise.resolve(null))),
    () => {},
  ).catch((error: Error) => {
    if (!error.message.startsWith('the messages can')) throw error;
  });
  input.end(readFileSync(path));
  await serving;
}

function framed(content: string): string {
  return `Content-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`;
}

const CHAT_FACTS = {
  has_chat_template: true,
  template_variables: ['enable_thinking'],
  context_length: 512,
} as unknown as ReturnType<Parameters<typeof parseChat>[1]>;

function readApiRequest(path: string): void {
  const bytes = readFileSync(path);
  const body = parseBody(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer);
  if ('messages' in body) parseChat(body, () => CHAT_FACTS);
  else parseCompletion(body);
}

const API_REQUESTS = [
  {
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }] },
      { role: 'tool', tool_call_id: '1', content: '2' },
    ],
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { a: {} } } } }],
    chat_template_kwargs: { enable_thinking: false },
    ...{ temperature: 0.5, top_p: 0.9, max_tokens: 5, stop: ['a'], seed: 1, n: 2, stream: true, logprobs: true },
  },
  { model: 'm', prompt: ['a', 'b'], max_tokens: 3, logprobs: 2, stop: 'x' },
];

const INSTALLATION = {
  ...{
    source: 'wheel',
    origin: 'tensorflow-cpu==2.21.0',
    libraryVersion: '2.21.0',
    tfjsNodeVersion: '4.22.0',
    gpu: false,
  },
  ...{ platform: 'linux-x64', installedAt: '2026-01-01T00:00:00.000Z', addon: 'a.node', muteStderr: null },
  files: [{ path: 'installation.json', bytes: 1 }],
};

const SHARD = 'model-00001-of-00001.safetensors';

/** All tensors of a file, as in the index of a model in one shard. */
function shardsOf(path: string): Record<string, string> {
  const file = openSafetensors(path);
  file.close();
  return Object.fromEntries([...file.tensors.keys()].map(name => [name, SHARD]));
}

const PAGE = 'https://example.org/simple/tensorflow/';

/** @param gguf a model in GGUF @param zip a wheel */
export function readersOf(gguf: string, zip: Buffer): Record<string, Reader> {
  return {
    'rows in text': {
      originals: [
        ...beginningsOf(filesIn('media/datasets', /(?<!preference)\.(jsonl|csv)$/), 40),
        text('rows.tsv', 'instruction\toutput\nSay a\t"b ""c"" d"\n'),
        text('list.json', JSON.stringify({ data: [{ prompt: 'a', completion: 'b' }] }, null, 1)),
      ],
      read: readRows,
    },
    'rows in Parquet': {
      originals: isolated([
        ...filesIn('test/fixtures/parquet', /^[^/]*(\/[^/]+){3}\.parquet$/),
        ...filesIn('test/fixtures/datasets', /messages\.parquet$/),
        ...filesIn('media/datasets', /\.parquet$/),
      ]),
      read: readRows,
    },
    'evaluation suite': {
      originals: beginningsOf(filesIn('media/examples', /\.eval\.jsonl$/), 30),
      async read(path) {
        await checkSuite(path, readFileSync(path, 'utf8'));
        await readSuite(path);
      },
    },
    'model config': {
      originals: filesIn(PARITY.replace('llama-untied', ''), /parity\/[^/]+\/config\.json$/),
      read: path => useModel(openHuggingFaceFolder(dirname(path), dirname(path))),
    },
    'tokenizer in JSON': {
      originals: [
        ...filesIn(MODEL, /tokenizer(_config)?\.json$/),
        ...filesIn('test/fixtures/tokenizers/gpt2', /\.json$/),
      ],
      read(path) {
        const files = readTokenizer(dirname(path));
        if (files) useTokenizer(files);
      },
    },
    'tokens and templates of a model folder': {
      originals: [
        text('special_tokens_map.json', '{"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false}}'),
        text('added_tokens.json', '{"<new>":1024}'),
        text('chat_template.jinja', '{% for m in messages %}{{ m.content }}{% endfor %}'),
        text('generation_config.json', '{"eos_token_id":[1,2],"temperature":0.5}'),
      ].map(original => ({ ...original, folder: MODEL })),
      read: path => useModel(openHuggingFaceFolder(dirname(path), dirname(path))),
    },
    'models of Ollama': {
      originals: [
        text(
          'manifests/registry.ollama.ai/library/a/latest',
          `{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:${'0'.repeat(64)}"}]}`,
        ),
      ],
      read(path) {
        process.env['OLLAMA_MODELS'] = path.slice(0, path.indexOf('/manifests/'));
        listOllamaModels();
      },
    },
    'results of a suite': {
      originals: [text('evaluations/a.json', '{"suite":{"file":"a.eval.jsonl","hash":"0"},"report":{"models":{}}}')],
      read: path => [keptReports(dirname(dirname(path))), scoreIn(dirname(dirname(path)), ['a.eval.jsonl'])],
    },
    'dataset that gets a row': {
      originals: beginningsOf(filesIn('media/datasets', /(messages|alpaca)\.jsonl$|facts\.csv$/), 5),
      read(path) {
        const fileType = path.endsWith('.csv') ? 'csv' : 'jsonl';
        const dataset = { text: readFileSync(path, 'utf8'), fileType, format: 'auto', columns: {} } as const;
        try {
          appendedRow(dataset, { kind: 'conversation', content: { messages: MESSAGES } as never });
        } catch (error) {
          // The caller knows which file it is.
          throw error instanceof InputError ? new InputError(error.message, { file: path }) : error;
        }
      },
    },
    'index of shards': {
      originals: [
        text(
          'model.safetensors.index.json',
          JSON.stringify({ metadata: { total_size: 1 }, weight_map: shardsOf(join(PARITY, 'model.safetensors')) }),
        ),
      ].map(original => ({ ...original, folder: PARITY })),
      read(path) {
        const whole = join(dirname(path), 'model.safetensors');
        if (existsSync(whole)) renameSync(whole, join(dirname(path), SHARD));
        useModel(openHuggingFaceFolder(dirname(path), dirname(path)));
      },
    },
    safetensors: {
      originals: isolated(filesIn(PARITY, /lora-qv\/adapter_model\.safetensors$/)),
      read: path => readTensorsOf(openSafetensors(path)),
    },
    adapter: { originals: filesIn(PARITY, /(adapter_config\.json|adapter_model\.safetensors)$/), read: readAdapter },
    GGUF: {
      originals: [{ name: basename(gguf), folder: null, bytes: () => readFileSync(gguf) }],
      read: path => useModel(openGguf(path, path)),
    },
    'chat template': {
      originals: filesIn('test/fixtures/templates/chats', /\.(jinja|txt)$/)
        .concat(text('own.jinja', "{% for m in messages %}<|{{ m.role }}|>{{ m['content']|trim }}{% endfor %}"))
        .map(original => ({ ...original, folder: null, name: basename(original.name) })),
      read(path) {
        const specialTokens = { bos_token: '<s>', eos_token: '</s>' };
        const chatTemplate = readFileSync(path, 'utf8');
        renderChat({ ...tinyTokenizer(), specialTokens, chatTemplate, toolTemplate: null }, MESSAGES);
      },
    },
    'run file': {
      originals: filesIn('.', /^(media\/examples|test\/fixtures\/runFolders\/v0\/runFiles)\/.*\.tune\.json$/),
      read: path => readRunFile(path),
    },
    'race file': {
      originals: filesIn('media/examples', /\.race\.json$/),
      read(path) {
        const { race, path: file } = readRaceFile(path);
        expandRace(race, race.run, file);
      },
    },
    'run folder': { originals: filesIn(RUN_FOLDERS, /events\.ndjson$/), read: readRunFolder },
    'events of a long run': {
      originals: beginningsOf(filesIn('test/fixtures/runs', /\.ndjson$/), 60),
      read: path => readEvents(path).reduce(reduceRun, initialRunState),
    },
    'run.json': { originals: filesIn(RUN_FOLDERS, /run\.json$/), read: path => readRunFile(path, 'refuse') },
    'state of a checkpoint': {
      originals: filesIn(RUN_FOLDERS, /step-\d+\/state\.json$/),
      read: path => readCheckpointState(dirname(path)),
    },
    'tensors of a checkpoint': {
      originals: filesIn(RUN_FOLDERS, /step-2\/trainable\.safetensors$/),
      read: path => readTensorsOf(openTrainable(dirname(path))),
    },
    'optimizer state of a checkpoint': {
      originals: filesIn(RUN_FOLDERS, /step-2\/optimizer\.safetensors$/),
      read: path => [inspectCheckpoint(dirname(path)), readTensorsOf(openSafetensors(path))],
    },
    'checksums of a checkpoint': {
      originals: [text('manifest.json', '{"files":{"state.json":{"bytes":2,"sha256":"0"}}}')],
      read: path => inspectCheckpoint(dirname(path)),
    },
    'claim of a run': {
      originals: [text('process.json', JSON.stringify({ pid: 1, start: '1', args: ['tunewright', 'train'] }))],
      read: path => holderOf(path),
    },
    'commands to a run': {
      originals: [
        text('commands.ndjson', '{"type":"pause"}\n{"type":"set_learning_rate","value":0.1}\n{"type":"stop"}\n'),
      ],
      read: readCommands,
    },
    'losses of steps': {
      originals: [text('step-losses.ndjson', '\n{"step":1,"losses":[1.5,null]}\n{"step":2,"losses":[2]}')],
      read: path => [1, 2, 3].map(step => readStepLosses(path, step)),
    },
    'rows to leave out': {
      originals: [text('excluded.json', `{"rows":[{"hash":"sha256:${'0'.repeat(64)}","line":1}]}`)],
      read: path => readQuarantine(path),
    },
    certificate: {
      originals: [text('certificate.json', '{"version":1,"files":[]}')],
      read: path => readCertificate(path),
    },
    'race folder': {
      originals: [
        text(
          'race.json',
          '{"name":"r","run":{"model":"m","dataset":{"train":"d","validation":0.1},"method":{"peft_type":"LORA"}},"vary":[{}],"seeds":[1,2]}',
        ),
      ],
      read: path => readRaceFolder(dirname(path)),
    },
    'answers of the hub': {
      originals: hubAnswers.map(([name, answer]) => text(name, answer)),
      read: readHubAnswer,
    },
    'answers of Ollama': {
      originals: ollamaAnswers.map(([name, answer]) => text(name, answer)),
      read: readOllamaAnswer,
    },
    'answers of LM Studio': {
      originals: lmStudioAnswers.map(([name, answer]) => text(name, answer)),
      read: readLmStudioAnswer,
    },
    'record of an installation': {
      originals: [text('engine/tensorflow-2.21.0-linux-x64/installation.json', JSON.stringify(INSTALLATION))],
      read(path) {
        process.env['TUNEWRIGHT_CACHE'] = dirname(dirname(dirname(path)));
        return findInstallation();
      },
    },
    'what VS Code keeps': {
      originals: [['none'], ['install', 'run'], { folders: ['/a'], conversation: 'b', file: '/c', folder: '/d' }].map(
        value => text('kept.json', JSON.stringify(value)),
      ),
      read(path) {
        const value = valueIn(path);
        kept.keptGrouping(value);
        kept.keptSteps(value).join();
        Object.keys(kept.keptDraft(value));
        kept.keptFolders(value).join('\n');
        kept.keptConversation(value).trim();
        Object.keys(kept.keptRace(value));
      },
    },
    'kept conversation': {
      originals: [text('a.json', JSON.stringify(sampleOf(conversationSchema)))],
      async read(path) {
        const files = { makeFolder: () => {}, writeText: () => {}, removeFile: () => {} };
        const store = new FolderConversations(dirname(path), files);
        await store.list();
        await store.read('a').catch((error: Error) => {
          if (!error.message.startsWith('This conversation')) throw error;
        });
      },
    },
    'page of a package index': {
      originals: [
        text(
          'page.json',
          `{"files":[{"filename":"a-1.whl","url":"../a-1.whl","hashes":{"sha256":"${'0'.repeat(64)}"}}]}`,
        ),
        text('page.html', `<html><a href="../a-1.whl#sha256=${'0'.repeat(64)}" data-yanked="">a-1.whl</a></html>`),
      ],
      read(path) {
        const page = readFileSync(path, 'utf8');
        return path.endsWith('.json') ? readJsonPage(page, new URL(PAGE)) : readHtmlPage(page, new URL(PAGE));
      },
    },
    'metadata of a package': {
      originals: [text('METADATA', 'Name: a\nRequires-Dist: nvidia-cublas-cu12 (==12.5.3.2) ; extra == "and-cuda"\n')],
      read: path => cudaRequirements(readFileSync(path, 'utf8')),
    },
    netrc: {
      originals: [
        text('netrc', 'machine example.org login a password "b c"\ndefault login x password y\nmacdef m\n\n'),
      ],
      read: path => parseNetrc(readFileSync(path, 'utf8')),
    },
    wheel: {
      originals: [{ name: 'a.whl', folder: null, bytes: () => zip }],
      async read(path) {
        const bytes = readFileSync(path);
        const source = (async function* () {
          for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
        })();
        await readZip(source, async ({ content }) => {
          for await (const piece of content()) void piece;
        });
      },
    },
    'requests to the server': {
      originals: API_REQUESTS.map(request => text('body.json', JSON.stringify(request))),
      read: readApiRequest,
    },
    'messages of the engine': {
      originals: ENGINE_MESSAGES.map((type, id) =>
        text(
          'messages',
          framed(JSON.stringify({ jsonrpc: '2.0', id, method: type.name, params: sampleOf(type.params) })),
        ),
      ),
      read: readEngineMessages,
    },
    ...Object.fromEntries(webviewReaders),
  };
}
