// Tells the reasoning of an answer from the answer itself, piece by piece. A model writes its reasoning first, between marks that are
// its template's; a template may already have written the opening one. Pure.
import { heldLength } from './stopTexts.js';

interface Marks {
  open: string;
  close: string;
  /** Written before the answer by some. */
  answer?: string;
}

const FORMATS: readonly Marks[] = [
  // DeepSeek R1, Qwen 3, SmolLM3, GLM 4.5, Nemotron, ...
  { open: '<think>', close: '</think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<seed:think>', close: '</seed:think>' },
  { open: '<|channel>thought', close: '<channel|>' },
  { open: '<|START_THINKING|>', close: '<|END_THINKING|>', answer: '<|START_RESPONSE|>' },
  {
    open: '<|channel|>analysis<|message|>',
    close: '<|end|>',
    answer: '<|start|>assistant<|channel|>final<|message|>',
  },
];

/** Special tokens that have to be in the text for the marks to be found. */
export const REASONING_TOKENS: ReadonlySet<string> = new Set(
  FORMATS.flatMap(({ open, close, answer = '' }) => `${open}${close}${answer}`.match(/<[^<>]+>|\[[^[\]]+\]/g)!),
);

/** New parts of both. */
export interface ReasoningPieces {
  reasoning: string;
  text: string;
}

type State = 'start' | 'reasoning' | 'answer mark' | 'answer';

export class ReasoningSplit {
  private state: State = 'start';
  private marks: Marks | null = null;
  private held = '';
  /** White space at the beginning of the reasoning is left out. */
  private isBegun = false;

  /** @param prompt rendered, whose end shows whether the template has opened the reasoning */
  constructor(prompt = '') {
    const end = prompt.trimEnd();
    this.marks = FORMATS.find(({ open }) => end.endsWith(open)) ?? null;
    if (this.marks) this.state = 'reasoning';
  }

  /** Whether the answer has a reasoning, which may still be written. */
  get hasReasoning(): boolean {
    return this.marks !== null;
  }

  /** Whether what may be reasoning is over. */
  get isOver(): boolean {
    return this.state === 'answer mark' || this.state === 'answer';
  }

  push(piece: string): ReasoningPieces {
    if (this.state === 'answer') return { reasoning: '', text: piece };
    this.held += piece;
    let reasoning = '';
    if (this.is('start')) this.readStart();
    if (this.is('reasoning')) reasoning = this.readReasoning();
    if (this.is('answer mark')) this.readAnswerMark();
    return { reasoning, text: this.is('answer') ? this.taken() : '' };
  }

  /** What was held back, at the end of the answer. */
  end(): ReasoningPieces {
    const held = this.taken();
    if (this.state === 'reasoning') return { reasoning: this.isBegun ? held.trimEnd() : held.trim(), text: '' };
    return { reasoning: '', text: this.state === 'answer mark' ? held.trimStart() : held };
  }

  private is(state: State): boolean {
    return this.state === state;
  }

  private readStart(): void {
    const begin = this.held.trimStart();
    if (begin === '') return;
    this.marks = FORMATS.find(({ open }) => begin.startsWith(open)) ?? null;
    if (this.marks) {
      this.held = begin.slice(this.marks.open.length);
      this.state = 'reasoning';
    } else if (!FORMATS.some(({ open }) => open.startsWith(begin))) {
      this.state = 'answer';
    }
  }

  private readReasoning(): string {
    if (!this.isBegun) this.held = this.held.trimStart();
    const { close } = this.marks!;
    const at = this.held.indexOf(close);
    if (at >= 0) {
      const reasoning = this.held.slice(0, at).trimEnd();
      this.held = this.held.slice(at + close.length);
      this.state = 'answer mark';
      return reasoning;
    }
    // White space is held back too: it is left out before the closing mark.
    const open = this.held.slice(0, this.held.length - heldLength(this.held, [close]));
    const reasoning = open.trimEnd();
    this.held = this.held.slice(reasoning.length);
    this.isBegun ||= reasoning !== '';
    return reasoning;
  }

  private readAnswerMark(): void {
    const begin = this.held.trimStart();
    const { answer = '' } = this.marks!;
    if (begin === '' || (begin.length < answer.length && answer.startsWith(begin))) return;
    this.held = answer !== '' && begin.startsWith(answer) ? begin.slice(answer.length) : begin;
    this.state = 'answer';
  }

  private taken(): string {
    const { held } = this;
    this.held = '';
    return held;
  }
}
