// The adapter, or the model with the adapters merged into it, in a repository on the Hugging Face Hub, with a model card that says what
// it is. What is there already isn't uploaded again, and a card that somebody has written stays, unless it is to be replaced.
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { InputError } from '../../../core/inputError.js';
import { lossCurve } from '../../../core/exports/lossCurve.js';
import { modelCard, type ModelCard, type PushedContent } from '../../../core/exports/modelCard.js';
import { HUB_REPOSITORY, type ExportEntryOf } from '../../../protocol/exportConfig.js';
import { finiteValues } from '../../files/finiteValues.js';
import { hubEndpoint, hubToken } from '../../hub/hubAccess.js';
import { accountName, fileBytes, pushFiles, type PushedFile } from '../../hub/pushFiles.js';
import { MODEL_CARD } from '../../models/modelCard.js';
import { cardFacts, hubIdOf } from '../cardFacts.js';
import type { ExportSource } from '../exportSource.js';
import type { ExportContext, ExportTarget, PlannedExport, WrittenExport } from '../exportTarget.js';
import { uploadedFiles } from '../hubFiles.js';
import { folder } from './folder.js';
import { checkGgufBase, gguf, ggufEntryOf } from './gguf.js';

type Entry = ExportEntryOf<'hub'>;

const LOSS_CURVE = 'loss.svg';
/** A guess: nothing is sent to find out. */
const UPLOADED_PER_SECOND = 5e6;
/** Of the repository in a plan that doesn't know whose it will be. */
const UNKNOWN_ACCOUNT = 'user';
const NO_TOKEN = {
  what: 'an access token of your account on the hub',
  hint: 'Make one that may write, on the hub’s page settings/tokens; then set HF_TOKEN, or run hf auth login.',
};

export const hub: ExportTarget<Entry> = {
  target: 'hub',
  to: 'hub',
  takes: 'model',
  writes: 'elsewhere',

  merges: ({ content }) => content === 'folder' || content === 'gguf',

  checkBase(source, entry) {
    const { content, dtype } = entry;
    // A run's result is an adapter or, with FULL, a folder; which of them isn't known here.
    checkOptions({ ...entry, dtype: content === null ? null : dtype }, content ?? 'adapter');
    if (entry.repo === null) repositoryOf(source, UNKNOWN_ACCOUNT);
    if (content === 'gguf') checkGgufBase(source);
  },

  fileName: ({ name }) => `${name}-hub`,

  async plan(source, entry) {
    const content = contentOf(source, entry);
    const made = await planContent(source, entry, content);
    const weights = made.files!.map(({ path }) => path);
    const repo = entry.repo ?? repositoryOf(source, UNKNOWN_ACCOUNT);
    const described = descriptionOf(source, entry, content, { repo, weights, comparisons: [] });
    const added = described.map(file => ({ path: file.path, bytes: fileBytes(file) }));
    const files = [...made.files!.filter(({ path }) => path !== MODEL_CARD), ...added];
    const has = hubToken() !== undefined;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    return {
      bytes,
      seconds: made.seconds + bytes / UPLOADED_PER_SECOND,
      needs: [{ what: NO_TOKEN.what, met: has, hint: has ? null : NO_TOKEN.hint }],
      files,
      card: cardIn(described),
    };
  },

  check() {
    existingToken();
  },

  async write(source, entry, context) {
    const token = existingToken();
    const { signal, reporter, force } = context;
    const content = contentOf(source, entry);
    const waiting = () => reporter.progress('wait', 0, null, hubEndpoint());
    waiting();
    const repo = entry.repo ?? repositoryOf(source, await accountName(token, signal));
    const { files: made, ...written } = await makeContent(source, entry, content, context);
    const weights = made.map(({ path }) => path);
    const files = [
      ...made.filter(({ path }) => path !== MODEL_CARD),
      ...descriptionOf(source, entry, content, { repo, weights, comparisons: written.comparisons }),
    ];
    waiting();
    const {
      url,
      commit,
      isPublic,
      files: states,
    } = await pushFiles({
      repo,
      files,
      revision: entry.revision,
      message: entry.message ?? `Upload ${content} with Tunewright`,
      isPublic: !entry.private,
      mayReplace: (path, existing) => path !== MODEL_CARD || force || isOwnCard(existing),
      token,
      signal,
      onProgress: ({ file, bytes, totalBytes }) => reporter.progress('upload', bytes, totalBytes, file),
    });
    if (states.some(({ path, state }) => path === MODEL_CARD && state === 'kept'))
      reporter.warn('card_kept', `${repo} has a ${MODEL_CARD} that isn’t ours, which stays; --force replaces it`);
    const bytes = files.reduce((sum, file) => sum + fileBytes(file), 0);
    return { ...written, place: url, bytes, pushed: { repo, commit, private: !isPublic, files: states } };
  },
};

/** @throws InputError if the name of the run or model can't be that of a repository */
function existingToken(): string {
  const token = hubToken();
  if (token === undefined) throw new InputError(`there is no ${NO_TOKEN.what.slice(3)}`, { hint: NO_TOKEN.hint });
  return token;
}

function repositoryOf({ name }: ExportSource, account: string): string {
  const own = `${account}/${name}`;
  if (HUB_REPOSITORY.test(own)) return own;
  throw new InputError(`${JSON.stringify(name)} can't be the name of a repository on the hub`, {
    key: 'repo',
    hint: 'Name another one, as user/name.',
  });
}

/** @throws InputError if this source can't be pushed so */
function contentOf({ base, adapters }: ExportSource, entry: Entry): PushedContent {
  const { content } = entry;
  const own = adapters.length > 0 ? 'adapter' : base.format === 'gguf' ? 'gguf' : 'folder';
  if (content === 'adapter' && adapters.length !== 1)
    throw new InputError(adapters.length === 0 ? 'there is no adapter' : 'only one adapter can be pushed', {
      file: base.path,
      key: 'content',
      hint: 'Push the model instead: content folder or gguf.',
    });
  checkOptions(entry, content ?? own);
  return content ?? own;
}

/** @throws InputError on an option of another content */
function checkOptions({ type, dtype }: Entry, content: PushedContent): void {
  const [key, of] =
    type !== 'own' && content !== 'gguf'
      ? ['type', 'gguf']
      : dtype !== null && content !== 'folder'
        ? ['dtype', 'folder']
        : [];
  if (key === undefined) return;
  throw new InputError(`this is for the content ${of}, and what is pushed is the content ${content}`, {
    key: `--${key}`,
    hint: `Leave it out, or choose --content ${of}.`,
  });
}

/** Whether the files of the base itself are what is pushed. */
function isAsItIs({ base, adapters }: ExportSource, { type, dtype }: Entry, content: PushedContent): boolean {
  if (adapters.length > 0) return false;
  return content === 'gguf' ? base.format === 'gguf' && type === 'own' : base.format !== 'gguf' && dtype === null;
}

/** What is there already; null: it must be made. */
function existingFiles(source: ExportSource, entry: Entry, content: PushedContent): PushedFile[] | null {
  const { base, adapters } = source;
  if (content === 'adapter') return uploadedFiles(adapters[0]!.folder, hubIdOf(base));
  if (!isAsItIs(source, entry, content)) return null;
  if (content === 'folder') return uploadedFiles(base.path, null);
  return [{ path: basename(base.path).replace(/[^\w.-]+/g, '-'), content: { file: base.path } }];
}

const folderEntry = ({ dtype }: Entry) =>
  ({ target: 'folder', dtype: dtype ?? 'float32', max_shard_size: '5GB', out: null }) as const;

async function planContent(source: ExportSource, entry: Entry, content: PushedContent): Promise<PlannedExport> {
  const existing = existingFiles(source, entry, content);
  if (existing) {
    const files = existing.map(file => ({ path: file.path, bytes: fileBytes(file) }));
    return { bytes: 0, seconds: 0, files };
  }
  if (content === 'folder') return folder.plan(source, folderEntry(entry));
  const planned = await gguf.plan(source, ggufEntryOf(entry));
  return { ...planned, files: [{ path: gguf.fileName(source, ggufEntryOf(entry)), bytes: planned.bytes }] };
}

async function makeContent(
  source: ExportSource,
  entry: Entry,
  content: PushedContent,
  context: ExportContext,
): Promise<WrittenExport & { files: PushedFile[] }> {
  // The files are sent as they are, and may have changed since they were opened.
  if (content === 'adapter') for (const tensor of source.adapters[0]!.tensors.values()) finiteValues(tensor);
  const existing = existingFiles(source, entry, content);
  if (existing) return { files: existing, comparisons: [], rounding: null, seconds: 0 };
  if (content === 'folder') {
    const written = await folder.write(source, folderEntry(entry), context);
    return { ...written, files: uploadedFiles(context.out, null) };
  }
  const name = gguf.fileName(source, ggufEntryOf(entry));
  const out = join(context.out, name);
  const written = await gguf.write(source, ggufEntryOf(entry), { ...context, out });
  return { ...written, files: [{ path: name, content: { file: out } }] };
}

/** Card and picture. */
function descriptionOf(
  source: ExportSource,
  entry: Entry,
  content: PushedContent,
  { repo, weights, comparisons }: Pick<ModelCard, 'repo' | 'weights' | 'comparisons'>,
): PushedFile[] {
  const facts = cardFacts(source);
  const curve = facts.run && lossCurve(facts.run.state);
  const text = modelCard({
    ...facts,
    ...{ repo, content, weights, comparisons, datasets: entry.datasets, lossCurve: curve && LOSS_CURVE },
  });
  const file = (path: string, value: string): PushedFile => ({ path, content: { bytes: Buffer.from(value) } });
  return [file(MODEL_CARD, signed(text)), ...(curve ? [file(LOSS_CURVE, curve)] : [])];
}

function cardIn(files: readonly PushedFile[]): string {
  const { content } = files.find(({ path }) => path === MODEL_CARD)!;
  return 'bytes' in content ? String(content.bytes) : '';
}

const SIGNATURE = /\n<!-- tunewright ([0-9a-f]{64}) -->\n$/;

/** A card that is replaced by a later push as long as nobody has changed it. */
function signed(text: string): string {
  return `${text}\n<!-- tunewright ${hashOf(text)} -->\n`;
}

function isOwnCard(text: string): boolean {
  const [ending, hash] = SIGNATURE.exec(text) ?? [];
  return ending !== undefined && hashOf(text.slice(0, -ending.length)) === hash;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
