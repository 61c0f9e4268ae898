// Bounds on the work and the texts of one rendering, so that a hostile template ends by itself, at the same place on every machine.
// Used throughout this folder. A rendering is synchronous, so one count serves all of them.
import { TemplateError } from './templateError.js';

/** A chat of a thousand turns takes some hundred thousand, unless a template loops over its characters. */
const MAX_STEPS = 5_000_000;
const STEPS_PER_CHARACTER = 20;
const MAX_TEXT_LENGTH = 50_000_000;
/** Of output, which is tokenized; and `STEPS_PER_CHARACTER` for each character of the chat. */
const MAX_OUTPUT_LENGTH = 5_000_000;
const MAX_ITEMS = 1_000_000;

/** V8 finds a part of m characters in a text of n in up to n x m of these, and can't be interrupted meanwhile. */
const COMPARISONS_PER_STEP = 4096;

/** So many characters of a text count as a step, each time that a function goes through it; it may make a part of each. */
const CHARACTERS_PER_STEP = 8;

let steps = 0;
/** Steps and characters that the texts of the chat allow in addition. */
let allowed = 0;

/** The template takes too many steps, which takes seconds to find out. */
export class StepLimitError extends TemplateError {}

/** @throws TemplateError if the rendering has done too much */
export function countSteps(count: number): void {
  steps += count;
  if (steps > MAX_STEPS + allowed)
    throw new StepLimitError('the template takes more than 5 million steps; does a loop end?');
}

/** The template is given a text of that length, and may take more steps for it. */
export function allowText(length: number): void {
  allowed += length * STEPS_PER_CHARACTER;
}

/** Called before a filter, test or method goes through `value`, if it is a text. @throws TemplateError if that is too much */
export function countText(value: unknown): void {
  if (typeof value === 'string') countSteps(Math.floor(value.length / CHARACTERS_PER_STEP));
}

/** The characters of a text, as Python counts them. @throws TemplateError if they are too many */
export function charactersOf(text: string): string[] {
  countSteps(text.length);
  return Array.from(text);
}

/** Called before `part` is looked for in `text`. @throws TemplateError if that may take too long */
export function countSearch(text: string, part: string): void {
  countSteps(Math.floor((text.length * part.length) / COMPARISONS_PER_STEP));
}

/** @throws TemplateError if the template has written too much for its chat */
export function checkOutputLength(length: number): void {
  if (length > MAX_OUTPUT_LENGTH + allowed)
    throw new TemplateError('the template writes more than 5 million characters');
}

/** @throws TemplateError if a text of that many UTF-16 units is too long for a template */
export function checkTextLength(length: number): void {
  if (length > MAX_TEXT_LENGTH) throw new TemplateError('the template makes a text of more than 50 million characters');
}

/** Called before a list of that many items is made. @throws TemplateError if they are too many for a template */
export function countItems(count: number): void {
  countSteps(count);
  if (count > MAX_ITEMS) throw new TemplateError('the template makes a list of more than a million items');
}

/** `width` times `char`; nothing for a negative width. */
export function padding(width: number, char: string): string {
  checkTextLength(width * char.length);
  return char.repeat(Math.max(0, width));
}

/**
 * Runs `work`; the limits of JavaScript (its stack, the length of its texts) are errors of the template as well.
 * @throws TemplateError
 */
export function withinLimits<T>(work: () => T): T {
  steps = allowed = 0;
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError)
      throw new TemplateError('the template, or a value that it makes, is too large or nested too deep');
    throw error;
  }
}
