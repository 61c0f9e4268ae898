// Texts that end an answer, found also where they come in several pieces. The beginning of one is held back until it is known not
// to be one. Pure.

/** The length of the longest end of `text` that may be the beginning of one of `marks`, without being one. */
export function heldLength(text: string, marks: readonly string[]): number {
  const longest = Math.max(0, ...marks.map(mark => mark.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (marks.some(mark => mark.length > length && mark.startsWith(end))) return length;
  }
  return 0;
}

export class StopTexts {
  private held = '';
  private found = false;

  constructor(private readonly stops: readonly string[]) {}

  /** Whether a stop text was found; no text follows it. */
  get isStopped(): boolean {
    return this.found;
  }

  /** @returns the text up to a stop text, without what may still become one */
  push(piece: string): string {
    if (this.found) return '';
    const text = this.held + piece;
    const places = this.stops.map(stop => text.indexOf(stop)).filter(at => at >= 0);
    this.found = places.length > 0;
    const end = this.found ? Math.min(...places) : text.length - heldLength(text, this.stops);
    this.held = this.found ? '' : text.slice(end);
    return text.slice(0, end);
  }

  /** What was held back, at the end of the answer. */
  end(): string {
    const { held } = this;
    this.held = '';
    return held;
  }
}
