// What LoRA saves, drawn: one matrix W and its A and B to scale, with their counts, moving with the rank; below it the
// trained parameters of the whole model against all of them.
import { loraParameters, type MatrixShape } from '../../../extension/src/core/metrics/loraParameters.js';
import { count, percent } from '../../../extension/src/core/units.js';
import { h, icon, setText, svg } from '../shared/dom.js';
import { dropdown } from '../shared/toolkit.js';

export interface NamedMatrix extends MatrixShape {
  name: string;
}

/** The example that everybody can reckon along: 32,768 become 4,608. */
const EXAMPLE: NamedMatrix = { name: 'example', outFeatures: 512, inFeatures: 64 };
/** Ranks of the slider; a finer one is typed into the field. */
const RANKS = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

const WIDTH = 236;
/** Of the tallest matrix; the drawing is as high as the matrix that it shows. */
const HEIGHT = 100;
const LABEL = 14;
/** Between two matrices, with a sign in it. */
const GAP = 26;

export class SavingsPicture {
  readonly element: HTMLElement;
  private readonly lora: HTMLElement;
  private readonly drawing = svg('svg', { class: 'matrices', role: 'img' });
  private readonly w = svg('rect', { class: 'matrix-w' });
  private readonly a = svg('rect', { class: 'matrix-a' });
  private readonly b = svg('rect', { class: 'matrix-b' });
  private readonly labels = { w: label(), a: label(), b: label() };
  private readonly signs = { plus: label(), times: label() };
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
  private rank = 8;

  constructor(onRank: (rank: number) => void) {
    this.drawing.append(this.w, this.b, this.a, ...Object.values(this.labels), ...Object.values(this.signs));
    this.slider.addEventListener('input', () => onRank(RANKS[Number(this.slider.value)]!));
    const figure = (name: string, what: string, value: HTMLElement) =>
      h('div', {}, h('dt', {}, h('span', { class: `swatch matrix-${name}`, 'aria-hidden': 'true' }), what), value);
    this.lora = h(
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
      this.lora,
      h('div', { class: 'share' }, this.totals, h('div', { class: 'share-bar', 'aria-hidden': 'true' }, this.share)),
    );
    this.showMatrices([], null);
  }

  /** The model's matrices; `first` is shown until another is chosen. */
  showMatrices(matrices: readonly NamedMatrix[], first: string | null): void {
    this.matrices = [...matrices, EXAMPLE];
    this.matrixPicker.choices = this.matrices.map(matrix => ({
      value: matrix.name,
      label: `${matrix === EXAMPLE ? 'worked example' : matrix.name} ${matrix.outFeatures} x ${matrix.inFeatures}`,
    }));
    this.matrixPicker.value = this.matrices.some(({ name }) => name === first) ? first! : this.matrices[0]!.name;
    this.draw();
  }

  /** null: the method has no rank. */
  showRank(rank: number | null): void {
    this.lora.hidden = rank === null;
    if (rank === null) return;
    this.rank = rank;
    const nearest = RANKS.reduce(
      (best, each, i) => (Math.abs(each - rank) < Math.abs(RANKS[best]! - rank) ? i : best),
      0,
    );
    this.slider.value = String(nearest);
    this.slider.setAttribute('aria-valuetext', String(rank));
    setText(this.rankText, String(rank));
    this.draw();
  }

  /** @param why what has to come first */
  showNoTotals(why: string): void {
    this.share.style.width = '0';
    setText(this.totals, `${why}: the parameters that are trained.`);
  }

  /** Parameters of the whole model. */
  showTotals(trained: number, total: number): void {
    const share = trained / total;
    setText(this.totals, `${count(trained)} of ${count(total)} parameters trained (${percent(share)})`);
    // Even a thousandth of a percent is something: never less than a pixel.
    this.share.style.width = `max(1px, ${(100 * Math.min(1, share)).toFixed(3)}%)`;
  }

  private draw(): void {
    const matrix = this.matrices.find(({ name }) => name === this.matrixPicker.value) ?? EXAMPLE;
    const { outFeatures, inFeatures } = matrix;
    const { w, a, b, trained, saved } = loraParameters(matrix, this.rank);
    // W, beside it B with A to its right, all to one scale.
    const scale = Math.min(HEIGHT / Math.max(outFeatures, this.rank), (WIDTH - 2 * GAP) / (2 * inFeatures + this.rank));
    const size = (value: number) => Math.max(1, value * scale);
    const bLeft = size(inFeatures) + GAP;
    const aLeft = bLeft + size(this.rank) + GAP;
    const height = Math.max(size(outFeatures), size(this.rank));
    this.drawing.setAttribute('viewBox', `0 0 ${WIDTH} ${(LABEL + height + 1).toFixed(2)}`);
    place(this.w, 0.5, LABEL, size(inFeatures), size(outFeatures));
    place(this.b, bLeft, LABEL, size(this.rank), size(outFeatures));
    place(this.a, aLeft, LABEL, size(inFeatures), size(this.rank));
    const top = LABEL - 4;
    const middle = LABEL + height / 2 + 4;
    write(this.labels.w, 0, top, 'W');
    write(this.labels.b, bLeft, top, 'B');
    write(this.labels.a, aLeft, top, 'A');
    write(this.signs.plus, bLeft - GAP / 2 - 3, middle, '+');
    write(this.signs.times, aLeft - GAP / 2 - 3, middle, '×');
    setText(this.figures.w, `${outFeatures} x ${inFeatures} = ${count(w)}`);
    setText(this.figures.b, `${outFeatures} x ${this.rank} = ${count(b)}`);
    setText(this.figures.a, `${this.rank} x ${inFeatures} = ${count(a)}`);
    const verdict =
      saved > 0
        ? `${count(w)} become ${count(trained)}: ${percentFewer(saved)} fewer`
        : `${count(trained)} in place of ${count(w)}: no fewer at this rank`;
    this.verdict.replaceChildren(icon(saved > 0 ? 'arrow-down' : 'warning'), ` ${verdict}`);
    this.drawing.setAttribute(
      'aria-label',
      `W ${outFeatures} x ${inFeatures} beside B and A of rank ${this.rank}: ${verdict}`,
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
  // Not as attributes, which wouldn't move along with the rectangles.
  element.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px)`;
  setText(element, content);
}
