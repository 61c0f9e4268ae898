// What VS Code keeps for the host: mementos, and the states of pages that are restored. An older or newer version may have written
// them: what hasn't the right form counts as absent. Pure.
import { isObject } from '../core/data/formats/rowFields.js';
import type { RunGrouping } from './views/runGroups.js';
import type { WalkthroughStep } from './walkthrough.js';

const isText = (value: unknown): value is string => typeof value === 'string';

const GROUPINGS: Record<RunGrouping, true> = { none: true, dataset: true, model: true, status: true };
const STEPS: Record<WalkthroughStep, true> = {
  ...{ install: true, dataset: true, run: true, watch: true, try: true, runFile: true },
};

export function keptGrouping(value: unknown): RunGrouping {
  return isText(value) && Object.hasOwn(GROUPINGS, value) ? (value as RunGrouping) : 'none';
}

export function keptSteps(value: unknown): WalkthroughStep[] {
  const steps = Array.isArray(value) ? value.filter(each => isText(each) && Object.hasOwn(STEPS, each)) : [];
  return steps as WalkthroughStep[];
}

/** The keys of a draft are checked where it is used, as those of a run file. */
export function keptDraft(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

/** Folders of the runs that a dashboard showed. */
export function keptFolders(value: unknown): string[] {
  const { folders } = isObject(value) ? value : {};
  return Array.isArray(folders) ? folders.filter(isText) : [];
}

/** Addresses of clusters. */
export function keptAddresses(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(isText) : [];
}

/** ID of a playground's conversation; '' without one. */
export function keptConversation(value: unknown): string {
  const { conversation } = isObject(value) ? value : {};
  return isText(conversation) ? conversation : '';
}

/** Where the race of a tab is. */
export function keptRace(value: unknown): { file: string | null; folder: string | null } {
  const { file, folder } = isObject(value) ? value : {};
  return { file: isText(file) ? file : null, folder: isText(folder) ? folder : null };
}
