// Installs a GGUF file in Ollama: by its server, or where none answers by the program `ollama`. Called by targets/ollama.ts. Writes no
// template, because Ollama's are Go's: the one in the file counts. Never replaces a model unless it is told to.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CancelledError, CodedError } from '../../core/codedError.js';
import { FILES_SINCE, isSince, modelfile, ollamaAddress } from '../../core/exports/ollama.js';
import { InputError } from '../../core/inputError.js';
import { writeWhole } from '../../system/regularFile.js';
import { fileHash } from '../data/fileHash.js';
import type { ExportContext } from './exportTarget.js';
import { CommandFailedError, findExecutable, runCommand } from '../machine/runCommand.js';
import type { Reporter } from '../run/reporter.js';
import { ServerFailedError } from './localServer.js';
import { OllamaClient } from './ollamaClient.js';

export interface Ollama {
  client: OllamaClient;
  version: string;
  /** The program to use instead of the server, which doesn't answer. */
  program: string | null;
  /** Whether models stay on this machine. */
  isLoopback: boolean;
}

/**
 * The server that OLLAMA_HOST names, else the program on PATH.
 * @throws CodedError `unreachable` if there is neither, InputError if it is too old
 */
export async function findOllama(signal?: AbortSignal): Promise<Ollama> {
  const address = ollamaAddress(process.env.OLLAMA_HOST);
  const client = new OllamaClient(address, signal);
  const { isLoopback } = address;
  try {
    return checked({ client, version: await client.version(), program: null, isLoopback });
  } catch (error) {
    // Elsewhere the program would reach no more than this one does.
    if (!(error instanceof CodedError) || error.code !== 'unreachable' || !isLoopback) throw error;
  }
  const program = findExecutable('ollama');
  if (program === null)
    throw new CodedError(
      'unreachable',
      `Ollama doesn't answer at ${client.url}, and there is no program ollama on PATH`,
      {
        hint: 'Install Ollama and start it: ollama serve, or its app. If it runs elsewhere, set OLLAMA_HOST.',
      },
    );
  const output = await runCommand(program, ['--version'], { signal });
  return checked({ client, version: /version is (\S+)/.exec(output)?.[1] ?? '', program, isLoopback });
}

function checked(ollama: Ollama): Ollama {
  if (isSince(ollama.version, FILES_SINCE)) return ollama;
  throw new InputError(`Ollama ${ollama.version} is too old: models are created from files since ${FILES_SINCE}`, {
    file: ollama.program ?? ollama.client.url,
    hint: 'Update Ollama.',
  });
}

/** @throws InputError if Ollama has a model of this name. Called before anything is computed */
export async function checkNewModel(
  { client, program }: Ollama,
  name: string,
  { force, own }: Pick<ExportContext, 'force' | 'own'>,
  signal?: AbortSignal,
): Promise<void> {
  if (force || !(await hasOtherModel({ client, program }, name, own, signal))) return;
  throw new InputError(`Ollama has a model of this name`, {
    key: name,
    hint: 'Choose another name with --name, or replace it with --force.',
  });
}

/** Whether there is a model of this name. @param own SHA-256 of files: a model made from one of them doesn't count */
export async function hasOtherModel(
  { client, program }: Pick<Ollama, 'client' | 'program'>,
  name: string,
  own: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<boolean> {
  const file = program === null ? (await client.show(name))?.modelfile : await shownBy(program, name, signal);
  if (file === undefined) return false;
  const [, sha256 = ''] = /^FROM .*sha256[-:]([0-9a-f]{64})\s*$/m.exec(file) ?? [];
  return !own.has(sha256);
}

/** The Modelfile of a model of the program; undefined also if it reaches no server, which installing then says. */
async function shownBy(program: string, name: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return await runCommand(program, ['show', name, '--modelfile'], { signal });
  } catch (error) {
    if (error instanceof CommandFailedError) return undefined;
    throw error;
  }
}

export interface OllamaInstallation {
  /** GGUF file. */
  file: string;
  /** With its tag. */
  name: string;
  /** Of the model in Ollama: `stop` and options of sampling. */
  parameters: Record<string, string[] | number>;
  reporter: Reporter;
  signal: AbortSignal;
}

/**
 * Sends the file, unless the server has it, and creates the model. An existing one of that name is replaced.
 * @returns SHA-256 of the file, if it was computed
 * @throws ServerFailedError, CodedError, CancelledError; there is no model of that name then, or the one that was there
 */
export async function installInOllama(ollama: Ollama, installation: OllamaInstallation): Promise<string | undefined> {
  try {
    if (ollama.program === null) return await installByServer(ollama.client, installation);
    await installByProgram(ollama.program, installation);
    return undefined;
  } catch (error) {
    throw installation.signal.aborted ? new CancelledError('Stopped; nothing was installed in Ollama.') : error;
  }
}

async function installByServer(
  client: OllamaClient,
  { file, name, parameters, reporter, signal }: OllamaInstallation,
): Promise<string> {
  const { size } = statSync(file);
  // Once for the digest by which the server knows the file, once to send it.
  const step = (done: number, message: string) => reporter.progress('install', done, 2 * size, message);
  const sha256 = await fileHash(file, { signal, onBytes: read => step(read, 'digest') });
  const digest = `sha256:${sha256}`;
  if (!(await client.hasBlob(digest)))
    await client.sendBlob(digest, { path: file, size, onBytes: sent => step(size + sent, 'sending') }).catch(explained);
  await client.create({ model: name, files: { [basename(file)]: digest }, parameters }, status =>
    step(2 * size, status),
  );
  return sha256;
}

function explained(error: unknown): never {
  if (!(error instanceof ServerFailedError) || error.status !== 400) throw error;
  throw new ServerFailedError(
    error.message,
    400,
    'The file was damaged on its way, or changed while it was sent. Try again.',
  );
}

async function installByProgram(
  program: string,
  { file, name, parameters, reporter, signal }: OllamaInstallation,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-ollama-'));
  try {
    const path = join(folder, 'Modelfile');
    writeWhole(path, modelfile(file, parameters), 'refuse', 'create');
    reporter.progress('install', 0, null, 'ollama create');
    await runCommand(program, ['create', name, '-f', path], { signal });
  } catch (error) {
    if (!(error instanceof CommandFailedError)) throw error;
    throw new CodedError('server_failed', error.message, {
      hint: /could not connect/.test(error.message) ? 'Start its server: ollama serve.' : undefined,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
