// What a model's name says, and the name of its GGUF file, as llama.cpp's tools have them (gguf-py's `metadata.py` and `utility.py`).
// Called when GGUF metadata is written and when a file name is proposed.

/** Null where the name says nothing of it. */
export interface ModelIdParts {
  /** The id without the organization. */
  fullName: string | null;
  organization: string | null;
  /** Such as SmolLM2. */
  basename: string | null;
  /** Such as Instruct. */
  finetune: string | null;
  version: string | null;
  /** Such as 135M. */
  sizeLabel: string | null;
}

type PartType = 'basename' | 'size_label' | 'finetune' | 'version' | 'type';

const VERSION = /^(v|iter)?\d+([.]\d+)*$/i;
const QUANTIZATION = /^(i?q\d(_\w)*|b?fp?(16|32))$/i;
const SIZE = /^(([A]|\d+[x])?\d+([._]\d+)?[KMBT]\d?|small|mini|medium|large|x?xl)$/i;
const FINETUNE = /^(chat|instruct|vision|lora)$/i;

/**
 * Splits an id such as `HuggingFaceTB/SmolLM2-135M-Instruct`.
 * @param parameters of the model, with which a size is told from a length of context; 0: unknown
 */
export function modelIdParts(id: string, parameters: number): ModelIdParts {
  const nothing = { basename: null, finetune: null, version: null, sizeLabel: null };
  if (id.includes(' ')) return { fullName: id, organization: null, ...nothing };
  const slash = id.indexOf('/');
  const fullName = slash < 0 ? id : id.slice(slash + 1);
  const owner = slash < 0 ? null : id.slice(0, slash);
  const organization = owner?.startsWith('.') ? null : owner;
  const parts = fullName
    .split('-')
    .filter(text => text !== '')
    .map((text, i) => typedPart(text, i, parameters));
  // Sizes in words count only where there is none in numbers.
  const sizes = parts.filter(({ types }) => types.has('size_label'));
  if (sizes.some(({ text }) => /\d/.test(text)))
    for (const { text, types } of sizes) if (/^\p{L}+$/u.test(text)) types.delete('size_label');
  markBasename(parts);
  const joined = (type: PartType, texts = parts.filter(({ types }) => types.has(type)).map(({ text }) => text)) =>
    texts.length > 0 ? texts.join('-') : null;
  const labels = parts.filter(({ types }) => types.has('size_label')).map(({ text }) => text);
  const versions = parts.filter(({ types }) => types.has('version') && !types.has('basename'));
  const found = {
    sizeLabel: joined('size_label', [...new Set(labels)]),
    finetune: joined('finetune'),
    version: joined(
      'version',
      versions.map(({ text }) => text),
    ),
  };
  const isAmbiguous = Object.values(found).every(value => value === null);
  return { fullName, organization, ...found, basename: isAmbiguous ? null : joined('basename') };
}

interface Part {
  text: string;
  types: Set<PartType>;
}

function typedPart(text: string, index: number, parameters: number): Part {
  if (VERSION.test(text)) return { text, types: new Set(['version']) };
  if (QUANTIZATION.test(text)) return { text: text.toUpperCase(), types: new Set(['type']) };
  if (index > 0 && SIZE.test(text)) return sizePart(text.replaceAll('_', '.'), parameters);
  if (index > 0 && FINETUNE.test(text)) {
    const isRedundant = parameters < 0 && text.toLowerCase() === 'lora';
    return { text, types: new Set([isRedundant ? 'type' : 'finetune']) };
  }
  return { text, types: new Set() };
}

function sizePart(written: string, parameters: number): Part {
  // As in bloom-7b1.
  let size = /\d$/.test(written) ? `${written.slice(0, -2)}.${written.at(-1)}${written.at(-2)}` : written;
  if (/\d[kmbt]$/.test(size)) size = size.slice(0, -1) + size.slice(-1).toUpperCase();
  const factor = ' KMBT'.indexOf(size.slice(-1));
  const label = /^\d*\.?\d+$/.test(size.slice(0, -1)) ? Number(size.slice(0, -1)) * 1000 ** factor : null;
  if (parameters !== 0 && label !== null && isOtherSize(label, parameters))
    return { text: size.slice(0, -1) + size.slice(-1).toLowerCase(), types: new Set(['finetune']) };
  return { text: size, types: new Set(['size_label']) };
}

/** Whether it is too far from the number of parameters, such as a length of context; negative: those of an adapter. */
function isOtherSize(label: number, parameters: number): boolean {
  if (parameters < 0) return label < Math.floor(-parameters / 8);
  return Math.abs(label - parameters) > Math.floor((7 * parameters) / 8);
}

/** The parts at the beginning that say nothing else; what follows them is the finetune. */
function markBasename(parts: Part[]): void {
  let isStart = true;
  for (const { text, types } of parts) {
    if (isStart && ((types.size === 0 && /^\p{L}/u.test(text)) || types.has('version'))) types.add('basename');
    else {
      isStart = false;
      if (types.size === 0) types.add('finetune');
    }
  }
  for (const { types } of parts.toReversed()) {
    if (!types.has('basename') || types.size < 2) break;
    types.delete('basename');
  }
}

/** `SmolLM2-135M-instruct` as `SmolLM2 135M Instruct`. */
export function titleOf(name: string): string {
  const words = name.trim().replaceAll('-', ' ').split(/\s+/);
  return words
    .filter(word => word !== '')
    .map(word => (isLower(word) && !/^(v\d+(\.\d+)*|\d.*)$/.test(word) ? titleCase(word) : word))
    .join(' ');
}

/** As Python's `islower`. */
function isLower(word: string): boolean {
  return word === word.toLowerCase() && word !== word.toUpperCase();
}

/** As Python's `title`: each run of letters begins with a capital. */
function titleCase(word: string): string {
  return word.replaceAll(/\p{L}+/gu, run => run.charAt(0).toUpperCase() + run.slice(1).toLowerCase());
}

/** Two digits at least, such as 135M or 1.7B. @param parameters negative: those of an adapter */
export function sizeLabel(parameters: number): string {
  const count = Math.abs(parameters);
  const [scaled, suffix] =
    count > 1e12
      ? [count * 1e-12, 'T']
      : count > 1e9
        ? [count * 1e-9, 'B']
        : count > 1e6
          ? [count * 1e-6, 'M']
          : [count * 1e-3, 'K'];
  const digits = String(roundedToEven(scaled)).replace(/^0+/, '').length;
  return `${fixed(scaled, Math.max(2 - digits, 0))}${suffix}`;
}

/** As Python's `round`. */
function roundedToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** As Python's format `.Nf`, which rounds halves to even. */
function fixed(value: number, digits: number): string {
  const scaled = value * 10 ** digits;
  return (Number.isInteger(scaled * 2) ? roundedToEven(scaled) / 10 ** digits : value).toFixed(digits);
}

export interface GgufNaming extends Omit<ModelIdParts, 'fullName' | 'organization'> {
  name: string | null;
  /** Such as Q4_K_M; null if it isn't known. */
  type: string | null;
  isAdapter?: boolean;
}

/** Such as `SmolLM2-135M-Instruct-Q4_K_M.gguf`. */
export function ggufFileName({
  name,
  basename,
  sizeLabel: size,
  finetune,
  version,
  type,
  isAdapter,
}: GgufNaming): string {
  const dashed = (text: string) => text.trim().replaceAll(' ', '-');
  const named = basename ?? name;
  const parts = [
    named === null ? 'ggml-model' : dashed(named).replaceAll('/', '-'),
    size,
    finetune === null ? null : dashed(finetune),
    version === null ? null : dashed(version),
    type === null ? null : dashed(type).toUpperCase(),
    isAdapter ? 'LoRA' : null,
  ];
  return `${parts.filter(part => part !== null).join('-')}.gguf`;
}
