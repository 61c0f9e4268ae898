// A picture of the parameters that low-rank factors save: a matrix W and its factors B and A (or two such pairs) to
// scale, with their sizes, following the rank; below it the share of the model's parameters that are trained.
import { lowRankParameters, type MatrixShape } from '../../../extension/src/core/metrics/lowRankParameters.js';
import { count, percent } from '../../../extension/src/core/units.js';
import { h, icon, setText, svg } from '../shared/dom.js';
import { dropdown } from '../shared/toolkit.js';

export interface NamedMatrix extends MatrixShape {
  name: string;
}

/** An example that is easy to verify: 32,768 parameters become 4,608. */
const EXAMPLE: NamedMatrix = { name: 'example', outFeatures: 512, inFeatures: 64 };
/** Ranks of the slider; others can be typed into the field. */
const RANKS = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

const WIDTH = 236;
/** Maximum height of a matrix. */
const HEIGHT = 100;
const LABEL = 14;
/** Between two matrices; holds the sign. */
const GAP = 26;
/** Between two pairs of factors; holds the sign and the labels. */
const PAIR_GAP = 32;

/** What a method trains in addition to W: pairs of B and A at a rank. */
export interface Factors {
  rank: number;
  pairs: 1 | 2;
}

/** The drawing of B times A. */
class DrawnPair {
  readonly element: SVGElement;
  private readonly a = svg('rect', { class: 'matrix-a' });
  private readonly b = svg('rect', { class: 'matrix-b' });
  private readonly labels = { a: label(), b: label() };
  private readonly times = label();

  constructor() {
    this.element = svg('g', {}, this.b, this.a, this.labels.b, this.labels.a, this.times);
  }

  /** @param index among several pairs, from 1 */
  place(at: { left: number; top: number }, size: { rank: number; out: number; in: number }, index: number | ''): void {
    const aLeft = at.left + size.rank + GAP;
    place(this.b, at.left, at.top, size.rank, size.out);
    place(this.a, aLeft, at.top, size.in, size.rank);
    write(this.labels.b, at.left, at.top - 4, `B${index}`);
    write(this.labels.a, aLeft, at.top - 4, `A${index}`);
    write(this.times, aLeft - GAP / 2 - 3, at.top + Math.max(size.out, size.rank) / 2 + 4, '×');
  }
}

export class SavingsPicture {
  readonly element: HTMLElement;
  private readonly factorsPicture: HTMLElement;
  private readonly drawing = svg('svg', { class: 'matrices', role: 'img' });
  private readonly w = svg('rect', { class: 'matrix-w' });
  private readonly pairs = [new DrawnPair(), new DrawnPair()] as const;
  private readonly labelOfW = label();
  private readonly signs = { plus: label(), hadamard: label() };
  private readonly figures = {
    w: h('dd', { class: 'number' }),
    a: h('dd', { class: 'number' }),
    b: h('dd', { class: 'number' }),
  };
  private readonly verdict = h('p', { class: 'verdict', 'aria-live': 'polite' });
  private readonly slider = h('input', {
    type: 'range',
    min: 0,
    max: RANKS.length - 1,
    step: 1,
    'aria-label': 'Rank r',
  });
  private readonly rankText = h('output', { class: 'number' });
  private readonly matrixPicker = dropdown({ label: 'Matrix', onChange: () => this.draw() });
  private readonly share = h('span', { class: 'share-bar-trained' });
  private readonly totals = h('p', { class: 'number' });
  private matrices: readonly NamedMatrix[] = [EXAMPLE];
  private factors: Factors = { rank: 8, pairs: 1 };

  constructor(onRank: (rank: number) => void) {
    this.drawing.append(
      this.w,
      this.labelOfW,
      ...this.pairs.map(({ element }) => element),
      ...Object.values(this.signs),
    );
    this.slider.addEventListener('input', () => onRank(RANKS[Number(this.slider.value)]!));
    const figure = (name: string, what: string, value: HTMLElement) =>
      h('div', {}, h('dt', {}, h('span', { class: `swatch matrix-${name}`, 'aria-hidden': 'true' }), what), value);
    this.factorsPicture = h(
      'div',
      { class: 'lora-picture' },
      h('div', { class: 'rank' }, h('span', {}, 'Rank r'), this.slider, this.rankText),
      this.drawing,
      this.verdict,
      h(
        'dl',
        { class: 'memory-legend' },
        figure('w', 'W, frozen', this.figures.w),
        figure('b', 'B, trained', this.figures.b),
        figure('a', 'A, trained', this.figures.a),
      ),
      h('div', { class: 'field' }, h('div', { class: 'field-label muted' }, 'Matrix shown'), this.matrixPicker.element),
    );
    this.element = h(
      'div',
      { class: 'fields' },
      this.factorsPicture,
      h('div', { class: 'share' }, this.totals, h('div', { class: 'share-bar', 'aria-hidden': 'true' }, this.share)),
    );
    this.showMatrices([], null);
  }

  /** Sets the model's matrices; `first` is shown until another is chosen. */
  showMatrices(matrices: readonly NamedMatrix[], first: string | null): void {
    this.matrices = [...matrices, EXAMPLE];
    this.matrixPicker.choices = this.matrices.map(matrix => ({
      value: matrix.name,
      label: `${matrix === EXAMPLE ? 'worked example' : matrix.name} ${matrix.outFeatures} x ${matrix.inFeatures}`,
    }));
    this.matrixPicker.value = this.matrices.some(({ name }) => name === first) ? first! : this.matrices[0]!.name;
    this.draw();
  }

  /** null: the method has no such factors. */
  showFactors(factors: Factors | null): void {
    this.factorsPicture.hidden = factors === null;
    if (factors === null) return;
    this.factors = factors;
    const { rank } = factors;
    const nearest = RANKS.reduce(
      (best, each, i) => (Math.abs(each - rank) < Math.abs(RANKS[best]! - rank) ? i : best),
      0,
    );
    this.slider.value = String(nearest);
    this.slider.setAttribute('aria-valuetext', String(rank));
    setText(this.rankText, String(rank));
    this.draw();
  }

  /** @param message shown instead of the totals */
  showNoTotals(message: string): void {
    this.share.style.width = '0';
    setText(this.totals, message);
  }

  /** Trained and total parameters of the model. */
  showTotals(trained: number, total: number): void {
    const share = trained / total;
    setText(this.totals, `${count(trained)} of ${count(total)} parameters trained (${percent(share)})`);
    // At least a pixel, so that even the smallest share is visible.
    this.share.style.width = `max(1px, ${(100 * Math.min(1, share)).toFixed(3)}%)`;
  }

  private draw(): void {
    const matrix = this.matrices.find(({ name }) => name === this.matrixPicker.value) ?? EXAMPLE;
    const { outFeatures, inFeatures } = matrix;
    const { rank, pairs } = this.factors;
    const { w, a, b, trained, saved } = lowRankParameters(matrix, rank, pairs);
    // W, B and A from left to right, all on one scale.
    const scale = Math.min(HEIGHT / Math.max(outFeatures, rank), (WIDTH - 2 * GAP) / (2 * inFeatures + rank));
    const scaled = (value: number) => Math.max(1, value * scale);
    const size = { rank: scaled(rank), out: scaled(outFeatures), in: scaled(inFeatures) };
    const left = size.in + GAP;
    const height = Math.max(size.out, size.rank);
    const second = height + PAIR_GAP;
    this.drawing.setAttribute('viewBox', `0 0 ${WIDTH} ${(LABEL + (pairs - 1) * second + height + 1).toFixed(2)}`);
    place(this.w, 0.5, LABEL, size.in, size.out);
    write(this.labelOfW, 0, LABEL - 4, 'W');
    write(this.signs.plus, left - GAP / 2 - 3, LABEL + height / 2 + 4, '+');
    this.pairs.forEach((pair, i) => {
      pair.element.toggleAttribute('hidden', i >= pairs);
      pair.place({ left, top: LABEL + i * second }, size, pairs > 1 ? i + 1 : '');
    });
    // The Hadamard product of the pairs' products.
    write(this.signs.hadamard, left + size.rank + GAP / 2 - 3, LABEL + height + 13, pairs > 1 ? '⊙' : '');
    const times = pairs > 1 ? `${pairs} x ` : '';
    const factors = pairs > 1 ? `${pairs} pairs of B and A` : 'B and A';
    setText(this.figures.w, `${outFeatures} x ${inFeatures} = ${count(w)}`);
    setText(this.figures.b, `${times}${outFeatures} x ${rank} = ${count(b)}`);
    setText(this.figures.a, `${times}${rank} x ${inFeatures} = ${count(a)}`);
    const verdict =
      saved > 0
        ? `${count(w)} become ${count(trained)}: ${percentFewer(saved)} fewer`
        : `${count(trained)} instead of ${count(w)}: no fewer at this rank`;
    this.verdict.replaceChildren(icon(saved > 0 ? 'arrow-down' : 'warning'), ` ${verdict}`);
    this.drawing.setAttribute(
      'aria-label',
      `W ${outFeatures} x ${inFeatures} with ${factors} of rank ${rank}: ${verdict}`,
    );
  }
}

function percentFewer(saved: number): string {
  return `${(100 * saved).toFixed(saved > 0.99 ? 1 : 0)}%`;
}

function label(): SVGTextElement {
  return svg('text', { class: 'matrix-label' });
}

function place(rect: SVGRectElement, x: number, y: number, width: number, height: number): void {
  for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, value.toFixed(2));
}

function write(element: SVGTextElement, x: number, y: number, content: string): void {
  // A transform instead of attributes, so that it moves with the transitions of the rectangles.
  element.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px)`;
  setText(element, content);
}
