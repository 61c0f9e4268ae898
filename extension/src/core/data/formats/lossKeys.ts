// The one table of keys with which tools mark what of a row is trained on, or with which weight: of a row, of a turn, of a
// token. Used by the formats in this folder. A value that asks for what isn't supported is an error that names the key; only
// keys that are absent, null or neutral are passed over.
import type { ChatMessage, Row, RowSource } from '../example.js';
import { IGNORE_LABEL } from '../example.js';
import type { InputError } from '../../inputError.js';
import { writeJsonText } from '../jsonText.js';
import { asList, has, isObject, kindOf, numberOf, rowError } from './rowFields.js';

/**
 * Keys of one turn: 0 or false leaves the turn out of the loss, 1 or true is the default of an assistant's turn; where
 * `masks` is set it is the other way round. `others` says what the default means on another role's turn: nothing, or
 * that the tool trains on it.
 */
const TURN_KEYS: Readonly<Record<string, { others: 'ignored' | 'trained'; masks?: true }>> = {
  // OpenAI, Mistral, Fireworks and Together; axolotl's ShareGPT
  weight: { others: 'ignored' },
  // axolotl's message_field_training, as its documentation and its former default name it
  train: { others: 'trained' },
  training: { others: 'trained' },
  // ms-swift, XTuner
  loss: { others: 'trained' },
  // LLaMA-Factory v1
  loss_weight: { others: 'trained' },
  // ms-swift
  loss_scale: { others: 'ignored' },
  // slime, and the name of the same mask for tokens
  step_loss_mask: { others: 'ignored' },
  loss_mask: { others: 'ignored' },
  // Tinker
  trainable: { others: 'trained' },
  // torchtune
  masked: { others: 'ignored', masks: true },
};

/** Keys of one turn that mark parts of its text (axolotl's message_field_training_detail); only their absence is supported. */
const TURN_DETAIL_KEYS = ['train_detail', 'training_detail'];

/**
 * Reads the keys of a turn, and those of its parts, which axolotl reads too.
 * @returns whether loss is taken on it, as far as the turn itself says
 * @throws InputError for a mark that isn't supported: of a part, a fraction, of another role's turn
 */
function turnTakesLoss(turn: Row, role: string, where: string, source: RowSource): boolean {
  const marked = TURN_DETAIL_KEYS.find(key => has(turn, key) && asList(turn[key])?.length !== 0);
  if (marked) throw marksParts(`${where}.${marked}`, source);
  for (const field of ['content', 'value']) {
    const parts = Array.isArray(turn[field]) ? turn[field] : [];
    parts.forEach((part, i) => {
      const place = `${where}.${field}[${i}]`;
      if (isObject(part) && !marksTakeLoss(part, role, place, source)) throw marksParts(place, source);
    });
  }
  return marksTakeLoss(turn, role, where, source);
}

function marksParts(place: string, source: RowSource): InputError {
  const hint = 'Remove it, and leave whole turns out of the loss with "weight": 0.';
  return rowError(source, `${place} marks parts of a turn, which is not supported`, hint);
}

function marksTakeLoss(turn: Row, role: string, where: string, source: RowSource): boolean {
  let takesLoss = true;
  for (const [key, { others, masks = false }] of Object.entries(TURN_KEYS)) {
    if (!has(turn, key) || turn[key] === '') continue;
    const value = zeroOrOne(turn[key]);
    if (value === null) {
      throw rowError(
        source,
        `${where}.${key} is ${writeJsonText(turn[key])}, but a turn has the weight 0 or 1`,
        'Write 0 for a turn that is only context, and 1 for one to train on.',
      );
    }
    const weight = masks ? 1 - value : value;
    if (role === 'assistant') takesLoss &&= weight === 1;
    else if (weight === 1 && others === 'trained') {
      throw rowError(
        source,
        `${where}.${key} asks to train on a turn of the role "${role}", but loss is only taken on the assistant's turns`,
        `Set it to ${typeof turn[key] === 'boolean' ? 'false' : '0'}, or set dataset.train_on to "all" and remove it.`,
      );
    }
  }
  return takesLoss;
}

/** The message, marked where the keys of its turn leave it out of the loss. */
export function withLoss(message: ChatMessage, turn: Row, where: string, source: RowSource): ChatMessage {
  if (turnTakesLoss(turn, message.role, where, source)) return message;
  return { ...message, noLoss: true };
}

/** Keys of a whole row that change what is computed, and what they are where they don't. */
const ROW_KEYS: Readonly<Record<string, { neutral: (value: unknown) => boolean; meaning: string; hint: string }>> = {
  // Fireworks
  weight: weightOfRow('weight'),
  sample_weight: weightOfRow('sample_weight'),
  loss_weight: weightOfRow('loss_weight'),
  loss_scale: weightOfRow('loss_scale'),
  // KTO: TRL and ms-swift, LLaMA-Factory
  label: undesirable(),
  kto_tag: undesirable(),
  // LLaVA, ms-swift, LLaMA-Factory
  ...Object.fromEntries(
    ['image', 'images', 'video', 'videos', 'audio', 'audios'].map(key => [
      key,
      {
        neutral: (value: unknown) => value === '' || asList(value)?.length === 0,
        meaning: 'is media, which are not supported',
        hint: 'Only text can be trained on: leave such rows out.',
      },
    ]),
  ),
  // NVIDIA NeMo: the role whose turns take no loss
  mask: {
    neutral: value => typeof value !== 'string' || ['', 'user', 'human'].includes(value.toLowerCase()),
    meaning: 'masks another role than the user',
    hint: 'Loss is taken on the assistant’s turns; mark single turns with "weight": 0.',
  },
};

function weightOfRow(key: string) {
  return {
    neutral: (value: unknown) => asNumber(value) === null || asNumber(value) === 1,
    meaning: 'is a weight of the whole row, which is not supported',
    hint: `Remove "${key}", or rename it if it isn’t meant for training; to weigh a row more, repeat it.`,
  };
}

function undesirable() {
  return {
    // Also as CSV has it.
    neutral: (value: unknown) => value !== false && !(typeof value === 'string' && value.toLowerCase() === 'false'),
    meaning: 'marks an answer that is not wanted (KTO), and loss would train the model to give it',
    hint: 'Leave such rows out.',
  };
}

/** @throws InputError for a key of the row that changes what is computed and isn't supported */
export function checkRowKeys(row: Row, source: RowSource): void {
  for (const [key, { neutral, meaning, hint }] of Object.entries(ROW_KEYS)) {
    if (has(row, key) && !neutral(row[key])) {
      throw rowError(source, `"${key}" ${meaning} (${writeJsonText(row[key])})`, hint);
    }
  }
}

/** Lists with 0 or 1 per token that leave tokens out of the loss. */
const LOSS_MASKS: Readonly<Record<string, string>> = {
  completion_mask: 'TRL: 1 on the tokens of the completion',
  assistant_masks: 'Transformers, TRL: 1 on the tokens of the assistant',
  loss_mask: 'Megatron, verl: 1 on the tokens that take loss',
  weights: 'weights of the tokens, each 0 or 1',
  loss_weights: 'weights of the tokens, each 0 or 1',
  token_weights: 'weights of the tokens, each 0 or 1',
  label_weights: 'weights of the tokens, each 0 or 1',
  loss_scale: 'ms-swift: weights of the tokens, each 0 or 1',
};

/** Names and descriptions of the fields of tokenized rows that are read here. */
export const TOKEN_MASK_FIELDS = [
  {
    name: 'attention_mask',
    required: false,
    description: '1 on the tokens of the row, 0 on padding before or after them, which is left out',
  },
  ...Object.entries(LOSS_MASKS).map(([name, description]) => ({ name, required: false, description })),
] as const;

interface TokenKey {
  /** @param values of the tokens without padding @param all with it */
  neutral(values: number[], all: number[]): boolean;
  meaning: string;
}

/** Lists per token that must be what they are for one row. `special_tokens_mask` changes nothing. */
const TOKEN_KEYS: Readonly<Record<string, TokenKey>> = {
  position_ids: { neutral: (values, all) => countsFrom0(values) || countsFrom0(all), meaning: 'does not count from 0' },
  token_type_ids: { neutral: allEqual, meaning: 'has several types of tokens' },
  segment_ids: { neutral: allEqual, meaning: 'has several segments' },
  sequence_ids: { neutral: allEqual, meaning: 'has several sequences' },
};

/** Lengths of the rows that were packed into this one, and their sums. */
const PACKING_KEYS: Readonly<Record<string, number>> = { seq_lengths: 1, seq_lens: 1, cu_seqlens: 2, cu_seq_lens_q: 2 };

/** Keys of tokenized rows whose meaning is known. */
const KNOWN_KEYS = new Set([
  ...['input_ids', 'labels', 'attention_mask', 'special_tokens_mask'],
  ...[LOSS_MASKS, TOKEN_KEYS, PACKING_KEYS].flatMap(Object.keys),
]);

export interface TokenRow {
  inputIds: number[];
  labels?: number[];
}

/**
 * Applies the masks of a tokenized row: tokens of the padding are dropped, labels outside a mask become IGNORE_LABEL.
 * @throws InputError for a mask that isn't one, and for packed rows
 */
export function applyTokenMasks({ inputIds, labels }: TokenRow, row: Row, source: RowSource): TokenRow {
  const { start, end } = attended(row, inputIds.length, source);
  const within = <T>(values: T[]) => values.slice(start, end);
  for (const [key, { neutral, meaning }] of Object.entries(TOKEN_KEYS)) {
    const values = readTokenList(row, key, inputIds.length, source);
    if (values && !neutral(within(values), values)) {
      throw rowError(source, `"${key}" ${meaning}, which is not supported`, PACKED_HINT);
    }
  }
  for (const [key, entries] of Object.entries(PACKING_KEYS)) {
    if ((asList(row[key])?.length ?? 0) > entries) {
      throw rowError(source, `"${key}" names several rows in one, which is not supported`, PACKED_HINT);
    }
  }
  checkUnknownMasks(row, inputIds.length, within, source);
  const lossMasks = Object.keys(LOSS_MASKS)
    .map(key => readMask(row, key, inputIds.length, source))
    .filter(mask => mask !== undefined);
  if (lossMasks.length === 0) return { inputIds: within(inputIds), ...(labels && { labels: within(labels) }) };
  const masked = (labels ?? inputIds).map((label, i) =>
    lossMasks.every(mask => mask[i] === 1) ? label : IGNORE_LABEL,
  );
  return { inputIds: within(inputIds), labels: within(masked) };
}

/** @throws InputError for a mask under a name that isn't known: 1 may be what is trained on, or what isn't */
function checkUnknownMasks(row: Row, length: number, within: <T>(values: T[]) => T[], source: RowSource): void {
  for (const [key, value] of Object.entries(row)) {
    const list = KNOWN_KEYS.has(key) ? undefined : asList(value);
    if (list?.length !== length || !list.every(item => zeroOrOne(item) !== null)) continue;
    if (allEqual(within(list.map(Number)))) continue;
    throw rowError(
      source,
      `"${key}" has 0 or 1 for each token, but no such mask is known`,
      `If loss is taken where it is 1, set dataset.columns to {"loss_mask": "${key}"}; else write it as labels and remove it.`,
    );
  }
}

const PACKED_HINT = 'Write each example as a row of its own: rows are packed by the run (dataset.packing).';

/** The tokens that attention_mask leaves: one stretch, with padding before or after it. */
function attended(row: Row, length: number, source: RowSource): { start: number; end: number } {
  const mask = readMask(row, 'attention_mask', length, source);
  if (!mask) return { start: 0, end: length };
  const start = mask.indexOf(1);
  const end = mask.lastIndexOf(1) + 1;
  if (start < 0) return { start: 0, end: 0 };
  const hole = mask.indexOf(0, start);
  if (hole >= 0 && hole < end) {
    throw rowError(
      source,
      `attention_mask[${hole}] is 0 between tokens that are 1; only padding at the beginning or the end is supported`,
      'Remove the tokens that are masked.',
    );
  }
  return { start, end };
}

function readMask(row: Row, key: string, length: number, source: RowSource): number[] | undefined {
  const values = readTokenList(row, key, length, source);
  const wrong = values?.findIndex(value => value !== 0 && value !== 1) ?? -1;
  if (wrong < 0) return values;
  const what = key === 'attention_mask' ? 'numbers of packed rows' : 'fractions';
  throw rowError(
    source,
    `${key}[${wrong}] is ${valueText(values?.[wrong])}, but must be 0 or 1; ${what} are not supported`,
  );
}

/** Numbers, one for each token; true and false are 1 and 0. */
function readTokenList(row: Row, key: string, length: number, source: RowSource): number[] | undefined {
  if (!has(row, key) || row[key] === '') return undefined;
  const list = asList(row[key]);
  if (!list) throw rowError(source, `"${key}" must be a list, but is ${kindOf(row[key])}`);
  if (list.length !== length) {
    throw rowError(source, `"${key}" has ${list.length} entries, "input_ids" ${length}`);
  }
  return list.map((value, i) => {
    const number = typeof value === 'boolean' ? Number(value) : numberOf(value);
    if (number !== undefined) return number;
    throw rowError(source, `${key}[${i}] must be a number, but is ${valueText(value)}`);
  });
}

function valueText(value: unknown): string {
  return isObject(value) || Array.isArray(value) ? kindOf(value) : String(value);
}

function countsFrom0(values: number[]): boolean {
  return values.every((value, i) => value === i);
}

function allEqual(values: number[]): boolean {
  return values.every(value => value === values[0]);
}

function zeroOrOne(value: unknown): 0 | 1 | null {
  const number = typeof value === 'boolean' ? Number(value) : asNumber(value);
  return number === 0 || number === 1 ? number : null;
}

/** A number, also as text (CSV). */
function asNumber(value: unknown): number | null {
  const number = numberOf(value);
  if (number !== undefined) return number;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : null;
}
