// NAME.certificate.json: what an export was compared with, kept in its run folder or beside it. Called by performExport.ts.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import { overallVerdict } from '../../core/exports/certificateText.js';
import { unlessWrong } from '../../core/inputError.js';
import { certificateName, certificateSchema, type Certificate, type Comparison } from '../../protocol/certificate.js';
import type { ExportEntry } from '../../protocol/exportConfig.js';
import { isFolder } from '../../system/fileStat.js';
import { isWithin } from '../../system/isWithin.js';
import { fileHash } from '../data/fileHash.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';
import { engineVersion } from '../run/engineVersion.js';
import { exportsFolderIn, folderName } from '../runFolder/runFolder.js';
import type { ExportSource } from './exportSource.js';

export interface CertifiedFiles {
  /** Where they are now. */
  written: string;
  /** Where they will be, or in which program. */
  path: string;
  comparisons: readonly Comparison[];
  /** Duration of the comparisons. */
  seconds: number;
  /** SHA-256 of what is one written file, if it is known already. */
  sha256?: string;
}

/** The certificate of an export whose files are complete. @throws InputError if they can't be read */
export async function certificateOf(
  { base, adapters, run }: ExportSource,
  entry: ExportEntry,
  { written, path, comparisons, seconds, sha256 }: CertifiedFiles,
): Promise<Certificate> {
  const files = [];
  for (const { name, file } of filesOf(written))
    files.push({ name, bytes: statSync(file).size, sha256: sha256 ?? (await fileHash(file)) });
  return {
    version: 1,
    target: entry.target,
    type: typeOf(entry),
    path,
    files,
    base: base.reference,
    adapters: adapters.map(({ folder, attached }) => ({ folder, peft_type: attached.method.peftType })),
    run,
    reader: { name: 'tunewright', version: engineVersion },
    comparisons: [...comparisons],
    verdict: overallVerdict(comparisons),
    seconds,
    created: new Date().toISOString(),
  };
}

function typeOf(entry: ExportEntry): string | null {
  if (entry.target === 'hub' && entry.content === 'folder') return entry.dtype;
  return 'type' in entry ? entry.type : 'dtype' in entry ? entry.dtype : null;
}

/** The file, or those of the folder with their paths in it. */
function filesOf(place: string): { name: string; file: string }[] {
  if (!isFolder(place)) return [{ name: basename(place), file: place }];
  const names = readdirSync(place, { recursive: true, encoding: 'utf8' }).sort();
  return names.map(name => ({ name, file: join(place, name) })).filter(({ file }) => statSync(file).isFile());
}

/**
 * Writes the certificate into the folder of the run that was exported, else beside the export.
 * @param out the export; null if it isn't on this machine's disk, or in a program's own folder
 * @returns its path; null if there is neither
 * @throws InputError if it can't be written
 */
export function keepCertificate(certificate: Certificate, out: string | null): string | null {
  const { run, path } = certificate;
  const folder = run !== null ? exportsFolderIn(run) : out === null ? null : dirname(out);
  if (folder === null) return null;
  // Of what isn't a file: Ollama: pirate:latest.
  const name = out === null ? folderName(path) : basename(path);
  const place = (number: number) => join(folder, certificateName(number === 1 ? name : `${name}.${number}`));
  let number = 1;
  // Exports of a run into different folders may have the same name.
  while (existsSync(place(number)) && pathNow(readCertificate(place(number)), folder) !== path) number++;
  writeJson(place(number), certificate);
  return place(number);
}

/** The path in a certificate, as it is now. @param exports the folder of the certificate */
function pathNow(certificate: Certificate | null, exports: string): string | null {
  if (!certificate?.run) return certificate?.path ?? null;
  return placeNow(certificate.path, { then: exportsFolderIn(certificate.run), now: exports });
}

/** Where something is now that may have been in a folder `exports`, whose run may have been moved since. */
export function placeNow(place: string, exports: { then: string; now: string }): string {
  if (!isAbsolute(place) || !isWithin(place, exports.then)) return place;
  return join(exports.now, relative(exports.then, place));
}

/** null if there is none, or the file isn't one. */
export function readCertificate(path: string): Certificate | null {
  return certificateSchema.safeParse(unlessWrong(() => readJsonObject(path, 'refuse'))).data ?? null;
}

/** Whether all is there that a certificate names. */
export function isComplete(place: string, { files }: Certificate): boolean {
  const there = new Set(filesOf(place).map(({ name }) => name));
  return files.every(({ name }) => there.has(name));
}

/**
 * Whether what is at a place is what the certificate names, unchanged, and nothing else. Not all of it needs to be there.
 * @param file of the certificate; null: there is none
 */
export async function isAsCertified(place: string, file: string | null): Promise<boolean> {
  const certificate = file === null ? null : readCertificate(file);
  const known = new Map(certificate?.files.map(each => [each.name, each]));
  for (const { name, file: path } of filesOf(place)) {
    const { bytes, sha256 } = known.get(name) ?? {};
    if (statSync(path).size !== bytes || (await fileHash(path)) !== sha256) return false;
  }
  return true;
}
