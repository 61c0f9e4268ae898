// The exports that a run file lists: whether they can be made, before training starts, and making them when the run has completed.
// Called by `train` and by `export RUN`. Each is an event of the run.
import { isDeepStrictEqual } from 'node:util';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CancelledError, CodedError, errorRecord } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { EngineError } from '../../protocol/engineError.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import type { Exported } from '../../protocol/exportAnswers.js';
import type { ExportEntry } from '../../protocol/exportConfig.js';
import type { DeviceSettings } from '../../protocol/engineConfig.js';
import type { PreparedRun, Warning } from '../run/prepareRun.js';
import { readRunFile } from '../run/readRunFile.js';
import type { Reporter } from '../run/reporter.js';
import { checkNameLength } from '../files/newFolder.js';
import { claimRun } from '../run/runProcess.js';
import { EventWriter, readEvents, readableEvents } from '../runFolder/eventLog.js';
import { RunFolder, exportsFolderIn, folderName } from '../runFolder/runFolder.js';
import { isAsCertified, isComplete, placeNow, readCertificate } from './certificateFile.js';
import { waysWithoutMerge } from './mergedModel.js';
import { openExportSource, type ExportSource } from './exportSource.js';
import { ANOTHER_PLACE, checkPlace, checkPlaceName, performExport, placeOf } from './performExport.js';
import { exportTarget } from './targets/registry.js';
import { isWithin } from '../../system/isWithin.js';

/**
 * Before training starts: whether the method, the model and the places allow the exports of the run file.
 * @throws InputError that names the entry
 * @returns what is missing outside, such as a program or a token, for now
 */
export async function checkRunExports({ run, onDisk, adapter }: PreparedRun, out: string): Promise<Warning[]> {
  const warnings: Warning[] = [];
  if (run.config.export.length === 0) return warnings;
  const { files: base, architecture } = onDisk;
  const { name } = run.config;
  const source = { base, architecture, adapters: [], planned: name, run: out, name: folderName(name), close: () => {} };
  // Damaged ones don't keep a run from being resumed.
  const before = exportedBefore(readableEvents(join(out, 'events.ndjson')), exportsFolderIn(out));
  const own = ownPlaces(before);
  const elsewhere = ownElsewhere(before);
  const taken = new Map<string, number>();
  for (const [i, entry] of run.config.export.entries()) {
    const target = exportTarget(entry.target);
    const refuse = (message: string, hint: string, key = 'target') => {
      throw new InputError(message, { file: run.path, key: `export.${i}.${key}`, hint });
    };
    const { method } = adapter;
    if (target.takes === 'adapter') {
      const form = method.storage === 'model' ? undefined : adapter.attached.asLora();
      if (typeof form === 'string' || !form)
        refuse(`${form ?? `a result of ${method.peftType}`} can't be expressed as LoRA`, WITHOUT_LORA);
    } else if (method.storage !== 'model' && !method.merge && (target.merges?.(entry) ?? true))
      refuse(
        `${method.peftType} adds parts that can't be expressed as weights of the model`,
        `Leave it out. ${waysWithoutMerge(method)}`,
      );
    await refusing(run.path, `export.${i}`, () => target.checkBase?.(source, entry));
    const absent = await missing(() => target.check?.(source, entry));
    if (absent !== null)
      warnings.push({
        code: 'export_not_ready',
        message: `export.${i} (${entry.target}) fails unless that changes: ${absent}`,
      });
    if (target.writes === 'elsewhere') {
      if (absent === null && (await target.isTaken?.(source, entry, elsewhere)))
        refuse('there is a model of this name already', 'Choose another "name", or remove that model.', 'name');
      continue;
    }
    const exports = exportsFolderIn(out);
    const place = placeOf({ source, entry, out: outOf(entry, run.resolvePath), folder: exports });
    await refusing(run.path, `export.${i}.out`, () => checkPlaceName(place, target, 'out'));
    const other = [...taken.keys()].find(each => isWithin(place, each) || isWithin(each, place));
    if (other === place)
      refuse(`${place} is the place of export.${taken.get(place)} already`, 'Name another one.', 'out');
    if (other !== undefined)
      refuse(
        `${place} and ${other} of export.${taken.get(other)} are one within the other`,
        'Name another one.',
        'out',
      );
    taken.set(place, i);
    const isOfRun = (isWithin(place, out) && !isWithin(place, exports)) || isWithin(exports, place);
    if (isOfRun)
      refuse(
        `${place} is in the folder of the run itself, or has it within`,
        'Name a place elsewhere, or leave it out: then it is in exports/ of the run.',
        'out',
      );
    await refusing(run.path, entry.out === null ? 'name' : `export.${i}.out`, () =>
      checkNameLength(
        place,
        entry.out === null ? 'Choose a shorter name, or name a place in "out".' : 'Choose a shorter one.',
      ),
    );
    await refusing(
      run.path,
      `export.${i}.out`,
      async () => {
        if (!(await checkOwn(place, own))) checkPlace(place, target, { source, entry }, false);
      },
      'Move away what is there, or name another place.',
    );
  }
  return warnings;
}

/** What isn't there yet that the target needs from outside. It may be by the end of the training. */
async function missing(check: () => void | Promise<void>): Promise<string | null> {
  try {
    await check();
    return null;
  } catch (error) {
    if (error instanceof CodedError) return error.describe().replace(/\n\s+/, ' ');
    throw error;
  }
}

const WITHOUT_LORA = 'Choose a merged model, such as "target": "gguf", if the method can be merged.';

async function refusing(file: string, key: string, check: () => void | Promise<void>, instead?: string): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { message, hint, file: where } = error.record();
    throw new InputError(where === undefined ? message : `${where}: ${message}`, { file, key, hint: instead ?? hint });
  }
}

export interface RunExportOptions {
  /** Makes those that are there already again. */
  all: boolean;
  engine: DeviceSettings | null;
  reporter: Reporter;
  signal: AbortSignal;
  onEvent(event: EngineEvent): void;
}

export interface RunExports {
  exported: Exported[];
  /** Number of exports that were there already. */
  kept: number;
  failures: EngineError[];
}

/**
 * Makes the exports of a run that has completed: those that aren't there, or all. One that fails doesn't keep the others from being
 * made.
 * @throws InputError if the run has no result or lists no exports
 */
export async function exportRun(given: string, options: RunExportOptions): Promise<RunExports> {
  // As in events and certificates, whatever folder the next command is called in.
  const path = resolve(given);
  const folder = RunFolder.open(path);
  const run = readRunFile(folder.runFile, 'refuse');
  const { model, engine, export: entries } = run.config;
  const events = readEvents(folder.eventsFile);
  const last = events.findLastIndex(({ type }) => type === 'completed');
  const completed = events[last];
  if (completed?.type !== 'completed')
    throw new InputError('this run has no result yet', { file: path, hint: 'Train it to its end, or resume it.' });
  if (entries.length === 0)
    throw new InputError('this run lists no exports', {
      file: folder.runFile,
      key: 'export',
      hint: 'Name the target: tunewright export --adapter ADAPTER --to TARGET.',
    });
  const release = claimRun(folder);
  const writer = new EventWriter(folder.eventsFile, options.onEvent);
  let source: ExportSource | null = null;
  try {
    const result = join(path, completed.adapter);
    const isModel = run.method.storage === 'model';
    source = await openExportSource(
      { model: isModel ? result : model, adapters: isModel ? [] : [result] },
      path,
      options.reporter,
    );
    const done = events.slice(last).filter(event => event.type === 'exported');
    const before = exportedBefore(events, folder.exports);
    const own = ownPlaces(before);
    const elsewhere = ownElsewhere(before);
    const answer: RunExports = { exported: [], kept: 0, failures: [] };
    for (const entry of entries) {
      const target = exportTarget(entry.target);
      const request = { source, entry, out: outOf(entry, run.resolvePath), folder: folder.exports };
      const place = target.writes === 'elsewhere' ? null : placeOf(request);
      const isDone = done.some(event => isDeepStrictEqual(event.entry, entry));
      if (isDone && !options.all && (await isThere(place, own))) {
        answer.kept++;
        continue;
      }
      writer.write({ type: 'exporting', target: entry.target, path: place });
      try {
        const { reporter, signal } = options;
        const exported = await performExport(
          { ...request, engine: options.engine ?? engine, reporter },
          {
            ...{ signal, compare: true, generalTexts: null, force: false, isListed: true },
            ...{ isOwn: await checkOwn(place, own), own: elsewhere },
          },
        );
        const { certificate, ...facts } = exported;
        const kept = { verdict: certificate?.verdict ?? null, certificate: certificate?.file ?? null };
        writer.write({ type: 'exported', entry, ...facts, ...kept });
        answer.exported.push(exported);
      } catch (error) {
        const failure = errorRecord(error);
        writer.write({ type: 'export_failed', target: entry.target, ...failure });
        if (error instanceof CancelledError) throw stopped(answer.exported);
        answer.failures.push(failure);
      }
    }
    return answer;
  } finally {
    source?.close();
    writer.close();
    release();
  }
}

/** What stands after a stop: the one under way has left what was there as it was. */
function stopped(exported: readonly Exported[]): CancelledError {
  if (exported.length === 0)
    return new CancelledError('Stopped; no export was written, and those that were there are unchanged.');
  const places = exported.map(({ place }) => place).join(', ');
  return new CancelledError(`Stopped. Written before that: ${places}. The other exports are as they were.`);
}

function outOf({ out }: ExportEntry, resolvePath: (path: string) => string): string | null {
  return out === null ? null : resolvePath(out);
}

interface ExportedBefore {
  /** null: in another program. */
  path: string | null;
  /** File of the certificate. */
  certificate: string | null;
}

/** What the run has exported before, and where that is now. @param exports of the run, whose folder may have been moved since */
function exportedBefore(events: readonly EngineEvent[], exports: string): ExportedBefore[] {
  return events.flatMap(event => {
    if (event.type !== 'exported') return [];
    const { path, certificate } = event;
    if (certificate === null) return { path, certificate };
    const moved = { then: dirname(certificate), now: exports };
    return { path: path && placeNow(path, moved), certificate: placeNow(certificate, moved) };
  });
}

/** Where the run has exported to before, with the files of the certificates. */
function ownPlaces(before: readonly ExportedBefore[]): ReadonlyMap<string, string | null> {
  return new Map(before.flatMap(({ path, certificate }) => (path === null ? [] : [[path, certificate]])));
}

/** SHA-256 of what the run has exported to other programs, as its certificates say. */
function ownElsewhere(before: readonly ExportedBefore[]): ReadonlySet<string> {
  const certificates = before.flatMap(({ path, certificate }) =>
    path === null && certificate !== null ? [readCertificate(certificate)] : [],
  );
  return new Set(certificates.flatMap(each => each?.files.map(({ sha256 }) => sha256) ?? []));
}

/** Whether an export is there as it was written, and all of it, as far as its certificate is there to tell. */
async function isThere(place: string | null, own: ReadonlyMap<string, string | null>): Promise<boolean> {
  if (place === null) return true;
  if (!existsSync(place)) return false;
  const file = own.get(place) ?? null;
  const certificate = file === null ? null : readCertificate(file);
  return certificate === null || (isComplete(place, certificate) && isAsCertified(place, file));
}

/** @returns whether the run has exported to there @throws InputError if something else is there by now: it isn’t replaced */
async function checkOwn(place: string | null, own: ReadonlyMap<string, string | null>): Promise<boolean> {
  if (place === null || !own.has(place) || !existsSync(place)) return false;
  if (await isAsCertified(place, own.get(place)!)) return true;
  throw new InputError('this is not, or not only, what the run has exported to there', {
    file: place,
    hint: ANOTHER_PLACE,
  });
}
