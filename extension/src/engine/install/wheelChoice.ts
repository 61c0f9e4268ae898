// Chooses the wheel for a requirement from a project's list of files: versions, specifiers and tags of PEP 440 and PEP 427, limited
// to what the requirements of TensorFlow and NVIDIA use. Pure; called by packageIndex.ts.
import { SourceError } from './sourceError.js';

/** A file in the list of the index. */
export interface IndexFile {
  filename: string;
  url: URL;
  /** Hexadecimal; null if the index has none. */
  sha256: string | null;
  /** Bytes; null if the index doesn't say. */
  size: number | null;
  yanked: boolean;
}

export interface Requirement {
  /** Normalized, as in addresses of the index: `nvidia-cublas-cu12`. */
  project: string;
  /** Whether a release satisfies it. */
  accepts: (version: string) => boolean;
  text: string;
}

/** Accepted tags of Python and ABI; the wheels' C libraries are the same for all of them. */
const PYTHON_TAGS = ['cp311-cp311', 'py3-none'];

/** PEP 503. */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** @param text such as `tensorflow==2.21.0` or `nvidia-cublas-cu12<13.0,>=12.5.3.2` */
export function parseRequirement(text: string): Requirement {
  const [, name, specifiers] = /^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?([^()]*)\)?\s*$/.exec(text) ?? [];
  const tests = specifiers
    ?.split(',')
    .filter(part => part.trim() !== '')
    .map(part => /^\s*(==|!=|>=|<=|~=|<|>)\s*(\d+(?:\.\d+)*)\s*$/.exec(part));
  if (tests === undefined || tests.includes(null)) throw new SourceError(`invalid requirement ${text}`);
  return {
    project: normalizeName(name),
    accepts: version => isRelease(version) && tests.every(test => satisfies(version, test![1], test![2])),
    text,
  };
}

/** Plain releases only: no pre-releases, post-releases or local versions. */
function isRelease(version: string): boolean {
  return /^\d+(\.\d+)*$/.test(version);
}

function satisfies(version: string, operator: string, bound: string): boolean {
  const order = compareVersions(version, bound);
  switch (operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '>=':
      return order >= 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
    default: {
      // ~=: at least this version, and equal up to the second to last part.
      const prefix = bound.split('.').slice(0, -1);
      return order >= 0 && prefix.every((part, at) => Number(part) === Number(version.split('.')[at] ?? 0));
    }
  }
}

/** Compares plain releases: negative, 0 or positive; missing parts are zeros. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [one, other].map(version => version.split('.').map(Number));
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The wheel of the latest release that the requirement accepts, with the first available one of `platforms`.
 * @param origin the index, for messages
 * @throws SourceError saying what the list has instead
 */
export function chooseWheel(
  files: readonly IndexFile[],
  requirement: Requirement,
  platforms: readonly string[],
  origin: string,
): IndexFile & { sha256: string } {
  const wheels = files.map(readWheelName).filter(wheel => wheel !== null);
  const ofProject = wheels.filter(({ project }) => project === requirement.project);
  const ofVersion = ofProject.filter(({ version }) => requirement.accepts(version));
  const fitting = ofVersion
    .map(wheel => ({ ...wheel, rank: rankOf(wheel, platforms) }))
    .filter(({ rank }) => rank >= 0);
  const usable = fitting.filter(({ file }) => !file.yanked);
  const refuse = (message: string): never => {
    throw new SourceError(`${origin} ${message}`, {
      hint: 'Check the address of the package index: PIP_INDEX_URL (or index-url in pip.conf).',
    });
  };
  if (ofVersion.length === 0) {
    const latest = ofProject
      .map(({ version }) => version)
      .filter(isRelease)
      .sort(compareVersions)
      .at(-1);
    return refuse(`has no wheel of ${requirement.text}${latest === undefined ? '' : ` (the latest is ${latest})`}`);
  }
  if (fitting.length === 0) return refuse(`has ${requirement.text}, but no wheel for ${platforms.join(' or ')}`);
  if (usable.length === 0) return refuse(`has yanked ${requirement.text}`);
  const [{ file }] = usable.sort((a, b) => compareVersions(b.version, a.version) || a.rank - b.rank);
  return file.sha256 === null
    ? refuse(`has no SHA-256 for ${file.filename}`)
    : { ...file, sha256: file.sha256.toLowerCase() };
}

interface Wheel {
  file: IndexFile;
  project: string;
  version: string;
  pythons: string[];
  platforms: string[];
}

/** PEP 427: name-version(-build)-python-abi-platform.whl; a tag may be several, separated by dots. */
function readWheelName(file: IndexFile): Wheel | null {
  const match = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl$/.exec(file.filename);
  if (match === null) return null;
  const [, name, version, pythons, abis, platforms] = match;
  return {
    file,
    project: normalizeName(name),
    version,
    pythons: pythons.split('.').flatMap(python => abis.split('.').map(abi => `${python}-${abi}`)),
    platforms: platforms.split('.'),
  };
}

/** Index of the wheel's platform in `platforms`; -1 if it doesn't match. */
function rankOf(wheel: Wheel, platforms: readonly string[]): number {
  if (!wheel.pythons.some(tag => PYTHON_TAGS.includes(tag))) return -1;
  return platforms.findIndex(platform => wheel.platforms.includes(platform));
}
