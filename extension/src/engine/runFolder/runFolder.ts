// A run's folder: run.json, events.ndjson, adapter/ or model/, checkpoints/step-N. Only names, makes and lists; what the
// files hold is their writers' affair.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { asInputError } from '../files/atomicFile.js';

export class RunFolder {
  private constructor(readonly path: string) {}

  /**
   * @param runFile may stand in the folder as its run.json, beside engine.log, process.json and attended.json of who started this process
   * @throws InputError where the folder holds something else already
   */
  static create(path: string, runFile?: string): RunFolder {
    RunFolder.checkFree(path, runFile);
    try {
      mkdirSync(path, { recursive: true });
    } catch (error) {
      throw asInputError(error, path);
    }
    return new RunFolder(path);
  }

  /** The same check before the work that comes before the folder. @throws InputError as `create` */
  static checkFree(path: string, runFile?: string): void {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) throw new InputError('this is a file, no run folder', { file: path });
    const isOwn = runFile !== undefined && resolve(runFile) === join(resolve(path), 'run.json');
    const expected = isOwn ? ['run.json', 'engine.log', 'process.json', 'attended.json'] : [];
    if (readdirSync(path).some(name => !expected.includes(name)))
      throw new InputError('the run folder is not empty', {
        file: path,
        hint: 'Name another one with --out, or go on with the run in it by --resume.',
      });
  }

  /** @throws InputError where no run stands in the folder */
  static open(path: string): RunFolder {
    const folder = new RunFolder(path);
    if (!existsSync(folder.runFile))
      throw new InputError('there is no run in this folder', {
        file: path,
        hint: 'Name its folder with --out, or start it without --resume.',
      });
    return folder;
  }

  get runFile(): string {
    return join(this.path, 'run.json');
  }
  get eventsFile(): string {
    return join(this.path, 'events.ndjson');
  }
  get attendedFile(): string {
    return join(this.path, 'attended.json');
  }
  get commandsFile(): string {
    return join(this.path, 'commands.ndjson');
  }
  get processFile(): string {
    return join(this.path, 'process.json');
  }
  get tensorBoard(): string {
    return join(this.path, 'tensorboard');
  }
  /** Where the result goes: `adapter`, or `model` for FULL; relative to the folder. */
  resultName(storage: 'adapter' | 'selective' | 'model'): string {
    return storage === 'model' ? 'model' : 'adapter';
  }

  checkpoint(step: number): string {
    return join(this.path, 'checkpoints', `step-${step}`);
  }

  /** Steps that a complete checkpoint stands for, rising. */
  checkpointSteps(): number[] {
    const folder = join(this.path, 'checkpoints');
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter(name => /^step-\d+$/.test(name) && existsSync(join(folder, name, 'state.json')))
      .map(name => Number(name.slice('step-'.length)))
      .sort((a, b) => a - b);
  }

  /** Deletes the oldest checkpoints beyond `limit`, never `keep`. */
  prune(limit: number | null, keep: number | null): void {
    if (limit === null) return;
    const removable = this.checkpointSteps().filter(step => step !== keep);
    const kept = this.checkpointSteps().length - removable.length;
    for (const step of removable.slice(0, Math.max(0, removable.length - Math.max(1, limit - kept))))
      rmSync(this.checkpoint(step), { recursive: true, force: true });
  }
}

/** `runs/NAME-20260131-142500` beside the run file. */
export function defaultRunFolder(directory: string, name: string, now = new Date()): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  return join(directory, 'runs', `${folderName(name)}-${stamp.slice(0, 8)}-${stamp.slice(8)}`);
}

/** The youngest run of that name. @throws InputError where there is none */
export function latestRunFolder(directory: string, name: string): string {
  const runs = join(directory, 'runs');
  const prefix = `${folderName(name)}-`;
  // The runs of "tone" are not those of "tone-long".
  const isOfName = (entry: string) => entry.startsWith(prefix) && /^\d{8}-\d{6}$/.test(entry.slice(prefix.length));
  const found = existsSync(runs) ? readdirSync(runs).filter(isOfName) : [];
  const latest = found.sort().at(-1);
  if (!latest)
    throw new InputError(`there is no run of "${name}" to resume`, {
      file: runs,
      hint: 'Name its folder with --out, or start it without --resume.',
    });
  return join(runs, latest);
}

function folderName(name: string): string {
  return basename(name).replace(/[^\w.-]+/g, '-');
}
