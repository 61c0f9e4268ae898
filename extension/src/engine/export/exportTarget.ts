// What an export target is: one kind of result, in a file of its own in targets/ and a line in its registry. Its options are in
// protocol/exportConfig.ts. Existing files, names, cancelling and what is left of a failure are performExport.ts's, the same for all.
import type { Exported, ExportPlan } from '../../protocol/exportAnswers.js';
import type { ExportEntry } from '../../protocol/exportConfig.js';
import type { InstalledAnswers } from '../../protocol/installedAnswers.js';
import type { Certified, CertifyOptions } from './certificate.js';
import type { ExportSource } from './exportSource.js';

export interface ExportTarget<Entry extends ExportEntry = ExportEntry> {
  readonly target: Entry['target'];
  /** The same on the command line, after `export --to`. */
  readonly to: string;
  /** What it is made of: the adapter alone, or the model with the adapters merged into it. */
  readonly takes: 'adapter' | 'model';
  /** What it writes at the place of the export; 'elsewhere': what it writes there is removed at the end. */
  readonly writes: 'file' | 'folder' | 'elsewhere';
  /** Whether an entry needs adapters that can be merged into the base; by default, if it takes a model. */
  merges?(entry: Entry): boolean;
  /** Of the names of its files. */
  readonly ending?: string;
  /** What rules the export out for this base, whatever the adapters are. Quick; called before training. @throws InputError */
  checkBase?(source: ExportSource, entry: Entry): void;
  /** Name of the file or folder unless another one is given. */
  fileName(source: ExportSource, entry: Entry): string;
  /**
   * Called before anything is made; before training, what is missing is a warning.
   * @throws CodedError if something isn't there that it needs from outside, such as a program or a token
   */
  check?(source: ExportSource, entry: Entry): void | Promise<void>;
  /** Where results are that have no place of their own, if the program that reads them says so. */
  folder?(source: ExportSource, entry: Entry): string;
  /**
   * Whether another program has something of that name; not if it can't be asked. Called before training.
   * @param own as in {@link ExportContext}
   */
  isTaken?(source: ExportSource, entry: Entry, own: ReadonlySet<string>): Promise<boolean>;
  /** @throws InputError if it can't be done, with what can be done instead */
  plan(source: ExportSource, entry: Entry): Promise<PlannedExport>;
  /**
   * Writes it, and reads it again as its certificate asks.
   * @throws InputError as {@link plan}; CodedError `export_differs`; CancelledError when `signal` is aborted
   */
  write(source: ExportSource, entry: Entry, context: ExportContext): Promise<WrittenExport>;
  /** Asks the program in which it was installed, once it is in place at `context.out`. Never fails, since the export is done. */
  ask?(source: ExportSource, entry: Entry, context: ExportContext): Promise<InstalledAnswers>;
}

export interface PlannedExport {
  bytes: number;
  /** Expected; see expectedSeconds.ts. */
  seconds: number;
  /** As {@link ExportTarget.isTaken}; for what has a place, the place says it. */
  taken?: boolean;
  needs?: ExportPlan['needs'];
  files?: ExportPlan['files'];
  card?: string;
}

export interface ExportContext extends CertifyOptions {
  /** A new path, on the disk of the result. It is moved into place when all is done, and removed if anything fails. */
  out: string;
  /** Ends the work. */
  signal: AbortSignal;
  /** Whether something of that name in another program is replaced. */
  force: boolean;
  /** SHA-256 of what the same run has exported to other programs: a model of theirs that was made from it is replaced. */
  own: ReadonlySet<string>;
}

/** What the target knows of its result; performExport.ts adds the rest. */
export interface WrittenExport
  extends
    Partial<Pick<Exported, 'place' | 'bytes' | 'changed_parameters' | 'types' | 'llama_cpp' | 'pushed'>>,
    Certified {
  /** Of a written file, if it was computed. */
  sha256?: string;
}
