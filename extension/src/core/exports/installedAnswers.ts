// Compares what a model answers in another program with what it answers here, and says why answers differ: another text for the model,
// another end, rounded weights. Pure; called after an installation, whose client has asked both.
import { counted } from '../units.js';
import type { InstalledAnswers } from '../../protocol/installedAnswers.js';

export interface Answer {
  text: string;
  reasoning: string;
  finish: 'stop' | 'length' | null;
  /** null: not known. */
  promptTokens: number | null;
  /** The prompt as the model reads it; null: not known, or a text without a template. */
  rendered: string | null;
}

/** @param reason of any API */
export function finishOf(reason: string | null | undefined): Answer['finish'] {
  return reason === 'stop' || reason === 'length' ? reason : null;
}

export interface AskedPrompt {
  prompt: string;
  ours: Answer;
  theirs: Answer;
  /** Of the written file, here; null: not asked. */
  file: Answer | null;
}

export interface InstalledFacts {
  program: string;
  version: string | null;
  model: string;
  /** Type of the file's weights, such as q4_k_m. */
  type: string;
  /** Text of the token at the beginning, which programs write or add by themselves. */
  bos: string | null;
  /** Texts that end an answer here. */
  stops: readonly string[];
  /** Those that the program knows of; null: it doesn't say. */
  stopsThere: readonly string[] | null;
  /** Why it may write conversations otherwise, as a clause, with what to do; null: not known. */
  templateReason: string | null;
}

/** Whether two answers are the same for a reader: reasoning apart or in its tags, without the white space around. */
export function isSameAnswer(one: Answer, other: Answer): boolean {
  return plainAnswer(one) === plainAnswer(other);
}

function plainAnswer({ text, reasoning }: Answer): string {
  const parts = [reasoning, ...text.split(/<\/?think>/)].map(part => part.trim());
  // A limit of tokens can end an answer in the middle of a character.
  return parts
    .filter(part => part !== '')
    .join('\n')
    .replace(/\ufffd+$/, '');
}

export function installedAnswers(asked: readonly AskedPrompt[], facts: InstalledFacts): InstalledAnswers {
  const { program, version, model } = facts;
  return {
    program,
    version,
    model,
    answers: asked.map(({ prompt, ours, theirs, file }) => ({
      prompt,
      ours: plainAnswer(ours),
      file: file && plainAnswer(file),
      theirs: plainAnswer(theirs),
      same: isSameAnswer(ours, theirs),
    })),
    differences: differencesOf(asked, facts),
    not_asked: null,
  };
}

function differencesOf(asked: readonly AskedPrompt[], facts: InstalledFacts): InstalledAnswers['differences'] {
  const { program, type, stops, stopsThere, templateReason } = facts;
  const differences: InstalledAnswers['differences'] = [];
  const of = (some: readonly AskedPrompt[], noun: string) => `${some.length} of ${counted(asked.length, noun)}`;

  const rewritten = asked.filter(each => isWrittenOtherwise(each, facts.bos));
  if (rewritten.length > 0) {
    const reason = templateReason === null ? '' : ` ${templateReason}`;
    differences.push({
      cause: 'template',
      text: `${program} writes ${of(rewritten, 'prompt')} otherwise than here: ${placeOf(rewritten[0]!, facts.bos)}.${reason}`,
    });
  }

  const others = asked.filter(each => !rewritten.includes(each) && !isSameAnswer(each.ours, each.theirs));
  const rounded = others.filter(({ file, theirs }) => file !== null && isSameAnswer(file, theirs));
  if (rounded.length > 0)
    differences.push({
      cause: 'rounding',
      text: `The rounding to ${type} changes ${of(rounded, 'answer')}: the written file answers the same way here.`,
    });

  const unrounded = others.filter(each => !rounded.includes(each));
  const longer = unrounded.filter(({ ours, theirs }) => ours.finish === 'stop' && isBegun(ours, theirs));
  if (longer.length > 0) {
    const missing = stopsThere === null ? [] : stops.filter(stop => !stopsThere.includes(stop));
    const why =
      missing.length === 0 ? '' : ` ${program} has no stop ${missing.map(stop => JSON.stringify(stop)).join(', ')}.`;
    differences.push({
      cause: 'stop',
      text: `${of(longer, 'answer')} ${longer.length === 1 ? 'goes' : 'go'} on there after ${longer.length === 1 ? 'its' : 'their'} end here.${why}`,
    });
  }
  const shorter = unrounded.filter(({ ours, theirs }) => theirs.finish === 'stop' && isBegun(theirs, ours));
  if (shorter.length > 0)
    differences.push({
      cause: 'stop',
      text: `${of(shorter, 'answer')} ${shorter.length === 1 ? 'ends' : 'end'} earlier there than here.`,
    });

  const unlike = unrounded.filter(each => !longer.includes(each) && !shorter.includes(each));
  if (unlike.length > 0)
    differences.push({
      cause: 'arithmetic',
      text:
        `${of(unlike, 'answer')} ${unlike.length === 1 ? 'parts' : 'part'} from ours although the prompt is the same: where two tokens are ` +
        `nearly as likely, the rounding of weights and of ${program}’s own arithmetic decides.`,
    });
  return differences;
}

/** Whether the model reads another text than here, as far as that is known. */
function isWrittenOtherwise({ ours, theirs }: AskedPrompt, bos: string | null): boolean {
  if (ours.rendered !== null && theirs.rendered !== null)
    return withoutBos(ours.rendered, bos) !== withoutBos(theirs.rendered, bos);
  return ours.promptTokens !== null && theirs.promptTokens !== null && ours.promptTokens !== theirs.promptTokens;
}

function withoutBos(text: string, bos: string | null): string {
  return bos && text.startsWith(bos) ? text.slice(bos.length) : text;
}

/** Where the two texts part, or how many tokens they have. */
function placeOf({ ours, theirs }: AskedPrompt, bos: string | null): string {
  if (ours.rendered === null || theirs.rendered === null)
    return `${theirs.promptTokens} tokens instead of ${ours.promptTokens}`;
  const [here, there] = [withoutBos(ours.rendered, bos), withoutBos(theirs.rendered, bos)];
  let at = 0;
  while (at < here.length && here[at] === there[at]) at++;
  const from = Math.max(0, at - 10);
  const excerpt = (text: string) => JSON.stringify(text.slice(from, from + 40));
  return `${excerpt(there)} instead of ${excerpt(here)} at character ${at + 1}`;
}

/** Whether `whole` begins with the other answer and has more. */
function isBegun(beginning: Answer, whole: Answer): boolean {
  const [start, text] = [plainAnswer(beginning), plainAnswer(whole)];
  return text.length > start.length && text.startsWith(start);
}

/** How many answers are the same, as a sentence. */
export function installedSummary({ program, version, model, answers, not_asked: why }: InstalledAnswers): string {
  const named = [program, version].filter(part => part !== null).join(' ');
  if (why !== null) return `${named} wasn’t asked: ${why}.`;
  const same = answers.filter(each => each.same).length;
  return `${named} answers ${same} of ${counted(answers.length, 'prompt')} as this program does (${model}).`;
}

/** The comparison for a terminal: both answers to each prompt, then the reasons. */
export function installedText(installed: InstalledAnswers): string {
  const { program, answers, differences } = installed;
  const width = Math.max(program.length, 'here'.length);
  const line = (who: string, text: string) => `  ${who.padEnd(width)}  ${oneLine(text)}`;
  return [
    installedSummary(installed),
    ...answers.flatMap(({ prompt, ours, theirs, same }) =>
      same ? [oneLine(prompt), line('both', ours)] : [oneLine(prompt), line('here', ours), line(program, theirs)],
    ),
    ...differences.map(({ text }) => text),
  ].join('\n');
}

function oneLine(text: string): string {
  return text === '' ? '(nothing)' : text.replaceAll(/\s*\n\s*/g, ' ⏎ ');
}
