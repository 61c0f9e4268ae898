// The tables of `npm run test:exports`: a page with every export, and a short one in README.md, written from the results. Pure, except for
// `writeTables`.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root } from '../../extension/scripts/setUp.mjs';
import { bases, methods, refusedMethods } from './work.mjs';

const { klBound } = await importEngineModule('engine/export/exportBounds.ts');
const { ggufModelTypes } = await importEngineModule('engine/export/ggufTypes.ts');

const MARKS = ['<!-- exports: written by npm run test:exports -->', '<!-- /exports -->'];
const names = Object.keys(methods);
/** In both greedy answers of an export, as reference.ts writes them. */
const GREEDY_TOKENS = 24;

/**
 * @typedef {object} Cell
 * @property {string} method
 * @property {string} target
 * @property {string | null} type
 * @property {string | null} problem
 * @property {number | null} certified KL that this program's certificate has; null: refused
 * @property {string | null} program that has opened the export
 * @property {number | null} kl as that program computes
 * @property {number | null} others tokens of greedy answers for which that program has another
 * @property {number | null} theirs KL of llama.cpp's own file of the type
 *
 * @typedef {Record<string, { title: string, programs: Record<string, string>, cells: Cell[] }>} Results by base
 */

/** @param {string} folder of a file for each base */
export async function writeTables(folder) {
  /** @type {Results} */
  const results = {};
  for (const name of readdirSync(folder))
    results[name.replace('.json', '')] = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const page = join(root, 'extension/docs/measurements/exports.md');
  await writeFormatted(page, pageOf(results), 'markdown');
  const path = join(root, 'README.md');
  const readme = readFileSync(path, 'utf8');
  const [from, to] = MARKS.map(mark => readme.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`README.md has no lines ${MARKS.join(' and ')}`);
  const text = `${readme.slice(0, from)}${MARKS[0]}\n\n${summaryOf(results)}\n\n${readme.slice(to)}`;
  await writeFormatted(path, text, 'markdown');
}

/** As `npm run format` leaves it. */
export async function writeFormatted(path, text, parser) {
  const options = await resolveConfig(join(root, 'README.md'));
  writeFileSync(path, await format(text, { ...options, parser }));
}

function table(rows) {
  const [head, ...rest] = rows.map(row => `| ${row.join(' | ')} |`);
  return [head, `| ${rows[0].map(() => '---').join(' | ')} |`, ...rest].join('\n');
}

/** Two digits: 0.21, 3.2e-5. */
function short(value) {
  if (value === 0) return '0';
  return value < 1e-3 ? value.toExponential(1) : value.toPrecision(2);
}

const largest = values => (values.length > 0 ? Math.max(...values) : null);

/** @param {Results} results */
export function pageOf(measured) {
  const programs = Object.assign({}, ...Object.values(measured).map(base => base.programs));
  const found = bases.filter(({ id }) => measured[id]);
  const missing = bases.filter(({ id }) => !measured[id]).map(({ id }) => id);
  const all = found.flatMap(({ id }) => measured[id].cells);
  const failed = all.filter(({ problem }) => problem !== null);
  const opened = all.filter(({ kl }) => kl !== null);
  const answered = all.filter(isAnswered);
  return `# Exports, opened by the programs they are for

Written by \`npm run test:exports\`, which trains each method for a few steps on each base, exports it to every target, and opens the files with
${Object.values(programs).join(', ') || 'the programs'}. ${opened.length} exports were opened, ${failed.length} differ${failed.length > 0 ? ' (marked with **!**)' : ''}. In each,
token ids of rendered chats and texts are those of the model, answers end at its tokens, and the chat template is its own. llama.cpp gets
texts with composed characters where the tokenizer composes them (NFC, as Qwen's does), since it doesn't itself. Of
${answered.length}, greedy answers are compared too, two of twelve tokens each: where no weight is rounded, a token that isn't the same counts as a difference.

A figure is the mean KL divergence, in nats per token, of what the program computes from what this engine computes for base and adapter, not
merged, in float32. llama.cpp rounds activations too where it multiplies with blocks, and mlx-lm computes in the type of the tensors. In brackets:
the figure divided by that of llama.cpp's own file of the type, made by its \`llama_model_quantize\`; it may be at most 1.1. A dash: that type isn't
measured for the method. What can't be merged or exported is refused: ${Object.keys(refusedMethods).join(', ')}.
${missing.length > 0 ? `\nNot measured yet: ${missing.join(', ')}.\n` : ''}
## By type

The largest figures of a GGUF file as a whole, and the bounds of the [certificate](../decisions/0052-certificate.md), which reads the file with this
engine.

${table(typeRows(all))}

${found.map(({ id, title }) => `## ${title === 'folder' || title === 'GGUF' ? `The embedded model, ${id === 'embedded' ? 'a folder' : `GGUF in ${id.slice('embedded-'.length).toUpperCase()}`}` : capitalized(title)}\n\n${table(baseRows(measured[id].cells))}`).join('\n\n')}
`;
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function typeRows(cells) {
  const rows = Object.keys(ggufModelTypes).flatMap(type => {
    const ofType = cells.filter(cell => cell.target === 'gguf' && cell.type === type && cell.kl !== null);
    if (ofType.length === 0) return [];
    const compared = ofType.filter(({ theirs }) => theirs !== null);
    const shown = value => (value === null ? '' : short(value));
    return [
      [
        type.toUpperCase(),
        short(klBound([ggufModelTypes[type].type]).most),
        ...[largest(ofType.map(({ certified }) => certified)), largest(ofType.map(({ kl }) => kl))].map(shown),
        shown(largest(compared.map(({ theirs }) => theirs))),
        largest(compared.map(({ kl, theirs }) => kl / theirs))?.toFixed(2) ?? '',
        sameTokens(ofType),
      ],
    ];
  });
  return [
    ['Type', 'Bound', 'Certificate', 'llama.cpp', 'llama.cpp, its own file', 'ratio', 'same tokens in greedy answers'],
    ...rows,
  ];
}

/** Results of earlier versions have no answers. */
const isAnswered = ({ others }) => typeof others === 'number';

/** Of the greedy answers of these exports, as a percentage. */
function sameTokens(cells) {
  const compared = cells.filter(isAnswered);
  const others = compared.reduce((sum, cell) => sum + cell.others, 0);
  return compared.length > 0 ? `${(100 - (100 * others) / (compared.length * GREEDY_TOKENS)).toFixed(1)}%` : '';
}

function baseRows(cells) {
  const used = names.filter(name => cells.some(({ method, certified }) => method === name && certified !== null));
  const kinds = [
    ...new Map(
      cells.filter(({ certified }) => certified !== null).map(cell => [`${cell.target} ${cell.type}`, cell]),
    ).values(),
  ];
  const rows = kinds.map(({ target, type }) => {
    const own = used.map(name =>
      cells.find(cell => cell.method === name && cell.target === target && cell.type === type),
    );
    const by = [...new Set(own.flatMap(cell => cell?.program ?? []))].join(', ');
    return [named(target, type), ...own.map(figure), by];
  });
  return [['', ...used, 'opened by'], ...rows];
}

function named(target, type) {
  const titles = {
    gguf: 'GGUF',
    folder: 'folder',
    mlx: 'MLX folder',
    adapter_gguf: 'LoRA for llama.cpp',
    adapter_mlx: 'LoRA for MLX',
  };
  return target === 'adapter'
    ? 'the adapter itself'
    : `${titles[target]}${type ? ` ${target === 'gguf' ? type.toUpperCase() : type}` : ''}`;
}

function figure(cell) {
  if (!cell || cell.kl === null) return '–';
  const ratio = cell.theirs === null ? '' : ` (${(cell.kl / cell.theirs).toFixed(2)})`;
  return `${short(cell.kl)}${ratio}${cell.problem === null ? '' : ' **!**'}`;
}

/** Rows of README's table. */
const GROUPS = [
  ['GGUF, F32', 'gguf', ['f32']],
  ['GGUF, 16 bits', 'gguf', ['f16', 'bf16']],
  ['GGUF, Q8_0', 'gguf', ['q8_0']],
  ['GGUF, 4 to 6 bits', 'gguf', ['q6_k', 'q5_k_m', 'q4_k_m', 'q5_1', 'q5_0', 'q4_1', 'q4_0']],
  ['GGUF, own types', 'gguf', ['own']],
  ['folder, float32', 'folder', ['float32']],
  ['folder, 16 bits', 'folder', ['float16', 'bfloat16']],
  ['MLX folder', 'mlx', ['float16', 'bfloat16']],
  ['LoRA for llama.cpp', 'adapter_gguf', [null]],
  ['LoRA for MLX', 'adapter_mlx', [null]],
];
const KINDS = { folder: title => title.startsWith('folder'), GGUF: title => title.startsWith('GGUF') };

/** @param {Results} results */
export function summaryOf(measured) {
  const rows = GROUPS.flatMap(([title, target, types]) =>
    Object.entries(KINDS).flatMap(([kind, isOfKind]) => {
      const cells = Object.values(measured)
        .filter(base => isOfKind(base.title))
        .flatMap(base => base.cells)
        .filter(
          cell => cell.target === target && types.includes(cell.type) && cell.kl !== null && cell.problem === null,
        );
      if (cells.length === 0) return [];
      const values = names.map(name => largest(cells.filter(({ method }) => method === name).map(({ kl }) => kl)));
      const by = [...new Set(cells.map(({ program }) => program))].join(', ');
      return [[title, kind, ...values.map(value => (value === null ? '–' : short(value))), by]];
    }),
  );
  return table([
    ['Target', 'Base', ...names.map(name => (name === 'none' ? 'no adapter' : name)), 'opened by'],
    ...rows,
  ]);
}
