// Plans an export, or does it: nothing is overwritten without a word, and a result gets its name when it is complete. Called by
// `merge`, `export` and the end of a run, for every target alike.
import { existsSync, readdirSync, realpathSync, renameSync, rmSync, rmdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { bytes as sizeText } from '../../core/units.js';
import type { Exported, ExportPlan, ExportPlans } from '../../protocol/exportAnswers.js';
import { exportEntrySchema, type ExportEntry } from '../../protocol/exportConfig.js';
import type { DeviceSettings } from '../../protocol/engineConfig.js';
import { isFolder, statOf } from '../../system/fileStat.js';
import { makeFolder } from '../../system/makeFolder.js';
import { openBackend } from '../backend/openBackend.js';
import type { Certificate } from '../../protocol/certificate.js';
import { certificateOf, keepCertificate } from './certificateFile.js';
import { CACHE_ELSEWHERE, freeBytes } from '../files/diskSpace.js';
import { asInputError, removeAtExit, sweepTemporary } from '../files/atomicFile.js';
import { checkNewFolder } from '../files/newFolder.js';
import { checkNewFile } from '../files/outputFile.js';
import { cacheFolder } from '../install/paths.js';
import type { Reporter } from '../run/reporter.js';
import { finerAdvice, withAdvice } from './exportAdvice.js';
import type { ExportSource } from './exportSource.js';
import type { ExportContext, ExportTarget } from './exportTarget.js';
import { exportTarget, exportTargets } from './targets/registry.js';

/** Where a result is made that is then sent elsewhere; folders for temporary files are in memory on some machines. */
const unplacedFolder = () => join(cacheFolder(), 'exports');

export interface ExportRequest {
  source: ExportSource;
  entry: ExportEntry;
  /** Absolute; null: the target's own name in `folder`. */
  out: string | null;
  /** Where exports without a place of their own are written. */
  folder: string;
  engine: DeviceSettings;
  reporter: Reporter;
}

/** `force`: also whether an existing file is replaced. */
export interface ExportOptions extends Pick<ExportContext, 'signal' | 'compare' | 'generalTexts' | 'force'> {
  /** A run file lists it. */
  isListed?: boolean;
  /** The same run has exported to this place before: what is there is replaced, also a folder, unless it is of another kind. */
  isOwn?: boolean;
  /** As in {@link ExportContext}. */
  own?: ReadonlySet<string>;
}

/** What the export would take. @throws InputError if it can't be done, except that its place may be taken */
export async function planExport(request: ExportRequest): Promise<ExportPlan> {
  const { source, entry } = request;
  const target = exportTarget(entry.target);
  const path = target.writes === 'elsewhere' ? null : placeOf(request);
  await prepare(request);
  const planned = await target.plan(source, entry).catch(error => {
    throw withAdvice(error, request);
  });
  const {
    bytes,
    seconds,
    taken = path !== null && existsSync(path) && !isEmptyFolder(path),
    needs = [],
    ...contents
  } = planned;
  const folder = path === null ? unplacedFolder() : dirname(path);
  const elsewhere = path === null ? CACHE_ELSEWHERE : 'choose a folder on another disk with --out';
  const free = freeBytes(folder);
  const met = free >= bytes;
  const room = {
    what: `${sizeText(bytes)} on the disk of ${folder}, which has ${sizeText(free)} free`,
    met,
    hint: met ? null : `Free some space, or ${elsewhere}.`,
  };
  return { target: entry.target, path, taken, bytes, seconds, needs: [...needs, room], ...contents };
}

/** The same for all targets with their default options; those that can't be used say why. */
export async function planExports(request: Omit<ExportRequest, 'entry' | 'out'>): Promise<ExportPlans> {
  const plans: ExportPlans['plans'] = [];
  for (const { target } of exportTargets)
    try {
      const plan = await planExport({ ...request, out: null, entry: exportEntrySchema.parse({ target }) });
      plans.push({ target, plan, refused: null });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      plans.push({ target, plan: null, refused: error.record() });
    }
  return { plans };
}

/**
 * @throws InputError if there is something at the place already, or the export can't be done; nothing is left of one that fails or is
 *   cancelled
 */
export async function performExport(request: ExportRequest, options: ExportOptions): Promise<Exported> {
  const { source, entry, reporter } = request;
  const target = exportTarget(entry.target);
  await target.check?.(source, entry);
  const isHere = target.writes !== 'elsewhere';
  const out = isHere ? placeOf(request) : join(unplacedFolder(), target.fileName(source, entry));
  const isOwn = options.isOwn && isFolder(out) === (target.writes === 'folder');
  const instead = options.isListed ? ANOTHER_PLACE : undefined;
  const checkFree = () => {
    if (!isOwn) checkPlace(out, target, request, options.force, instead);
  };
  checkFree();
  await prepare(request);
  const staging = new Staging(out);
  const advised = { ...request, isListed: options.isListed };
  try {
    const finer = (types: Iterable<string>) => finerAdvice(advised, types);
    const context = {
      ...options,
      own: options.own ?? new Set<string>(),
      reporter,
      run: source.run,
      out: staging.path,
      finer,
    };
    const { place = out, comparisons, seconds, sha256, ...written } = await target.write(source, entry, context);
    // What is elsewhere stays there.
    if (isHere && options.signal.aborted) throw new CancelledError('Stopped; nothing was written.');
    const facts = { written: staging.path, path: isHere ? out : place, comparisons, seconds, sha256 };
    const certificate = comparisons.length === 0 ? null : await certificateOf(source, entry, facts);
    if (isHere) {
      // What has come there in the meantime isn't replaced either.
      checkFree();
      staging.putInPlace();
    }
    const installed = await target.ask?.(source, entry, isHere ? { ...context, out } : context);
    const kept = certificate && { ...certificate, installed };
    const file = kept && keptCertificate(kept, isHere ? out : null, reporter);
    const methods = source.adapters.map(({ attached }) => attached.method.peftType);
    const peftType = methods.length > 1 ? methods : (methods[0] ?? null);
    return {
      target: entry.target,
      path: isHere ? out : null,
      place,
      bytes: certificate?.files.reduce((sum, file) => sum + file.bytes, 0) ?? 0,
      peft_type: peftType,
      ...written,
      certificate: kept && { ...kept, file },
    };
  } catch (error) {
    throw staging.named(withAdvice(error, advised));
  } finally {
    staging.remove();
  }
}

/** The path of the certificate; null if there is no place for it. A full disk doesn't undo what is written. */
function keptCertificate(certificate: Certificate, out: string | null, { warn }: Reporter): string | null {
  try {
    return keepCertificate(certificate, out);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    warn('certificate', `the certificate could not be written: ${error.describe()}`);
    return null;
  }
}

/** What to do about the place of an export that a run file lists. */
export const ANOTHER_PLACE = 'Move it away, or name another place in the run’s "export".';

/** Where the export is written. */
export function placeOf({
  source,
  entry,
  out,
  folder,
}: Pick<ExportRequest, 'source' | 'entry' | 'out' | 'folder'>): string {
  const target = exportTarget(entry.target);
  return out ?? join(target.folder?.(source, entry) ?? folder, target.fileName(source, entry));
}

/**
 * @param request null before the source is opened, when less is checked
 * @param instead what to do if the place can't be used, where no option names it
 * @throws InputError if there is something that would be overwritten; for a file in a folder, it proposes a name
 */
export function checkPlace(
  out: string,
  { writes, fileName, folder }: Pick<ExportTarget, 'writes' | 'fileName' | 'folder'>,
  request: Pick<ExportRequest, 'source' | 'entry'> | null,
  force: boolean,
  instead?: string,
): void {
  if (writes === 'elsewhere') return;
  if (writes === 'folder') return checkNewFolder(out, instead);
  if (isFolder(out)) {
    if (!request) return;
    const proposed = join(out, fileName(request.source, request.entry));
    throw new InputError('this is a folder', { file: out, hint: `Name a file, such as ${proposed}.` });
  }
  if (request && statOf(out) && realpathSync(request.source.base.path) === realpathSync(out))
    throw new InputError('this is the base model itself', {
      file: out,
      hint: instead ?? 'Choose another file with --out.',
    });
  checkNewFile(out, force, folder ? '--name' : '--out', instead);
}

/** @param key that names the place. @throws InputError if programs won't find a file by its name, or a shell was to complete it */
export function checkPlaceName(out: string, { ending }: Pick<ExportTarget, 'ending'>, key: string): void {
  if (out.split(sep).includes('~'))
    throw new InputError('~ stands for the home folder only where the shell replaces it', {
      file: out,
      key,
      hint: `Write it out: ${homedir()}.`,
    });
  if (ending !== undefined && !out.toLowerCase().endsWith(ending))
    throw new InputError(`programs know such a file by the ending ${ending}`, {
      file: out,
      key,
      hint: `Name it ${basename(out)}${ending}.`,
    });
}

async function prepare({ source, entry, engine, reporter }: ExportRequest): Promise<void> {
  const { takes } = exportTarget(entry.target);
  if (takes === 'adapter' && source.adapters.length !== 1)
    throw new InputError(`this exports one adapter, not ${source.adapters.length}`, {
      key: '--adapter',
      hint: 'Export the merged model, or combine LoRA adapters with tunewright combine.',
    });
  await openBackend({ ...engine, onWarning: reporter.warn });
}

/** A hidden folder beside the result, in which it has its own name already. */
class Staging {
  readonly path: string;
  /** Removed at the end, with what the result has replaced. */
  private readonly folder: string;
  /** Folders above it that don't exist yet, the lowest first. */
  private readonly missing: string[] = [];
  private readonly settled: () => void;

  constructor(private readonly out: string) {
    this.folder = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
    this.path = join(this.folder, basename(out));
    for (let above = dirname(out); !existsSync(above); above = dirname(above)) this.missing.push(above);
    this.settled = removeAtExit(this.folder);
    try {
      // Of an export that was killed, which may have been large.
      sweepTemporary(dirname(out), `.${basename(out)}.`);
      makeFolder(this.folder);
    } catch (error) {
      throw asInputError(error, out);
    }
  }

  /** @throws InputError if it can't be moved; what is there stays */
  putInPlace(): void {
    const replaced = join(this.folder, 'replaced');
    try {
      // A file is replaced at once; a folder isn't renamed to an existing one everywhere, even to an empty one.
      if (isFolder(this.out)) renameSync(this.out, replaced);
      renameSync(this.path, this.out);
    } catch (error) {
      if (existsSync(replaced) && !existsSync(this.out)) renameSync(replaced, this.out);
      throw asInputError(error, this.out);
    }
    this.missing.length = 0;
  }

  /** The error with the name that the result would have had. */
  named(error: unknown): unknown {
    if (!(error instanceof InputError)) return error;
    const { file, ...record } = error.record();
    if (!file?.startsWith(this.folder)) return error;
    return new InputError(record.message, { ...record, file: this.out });
  }

  /** Removes what isn't in place. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
    this.settled();
    for (const folder of this.missing) if (isEmptyFolder(folder)) rmdirSync(folder);
  }
}

function isEmptyFolder(path: string): boolean {
  return isFolder(path) && readdirSync(path).length === 0;
}
