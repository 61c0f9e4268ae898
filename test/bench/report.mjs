// Medians and ranges of the bench's rounds, and the tables of RESULTS.md. Pure.

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Rows per second over all timed steps, or tokens per second of the median step: steps of one shape take the same time, so that the
 * median excludes disturbances.
 */
export function speedOf({ unit, timed }, { steps, rowsOfEpoch }) {
  const counted = timed(steps);
  if (unit === 'tokens') return median(counted.map(({ tokens, ms }) => (1000 * tokens) / ms));
  return (1000 * rowsOfEpoch) / counted.reduce((sum, { ms }) => sum + ms, 0);
}

const figure = value => (value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3));
const spread = values => `${figure(median(values))} (${figure(Math.min(...values))}-${figure(Math.max(...values))})`;
const gigabytes = values => (median(values) / 1e9).toFixed(2);
const times = value => `${value.toFixed(2)} x`;
const row = cells => `| ${cells.join(' | ')} |`;
const table = (heading, rows) => [row(heading), row(heading.map(() => '---')), ...rows.map(row)].join('\n');

const said = reached => (reached ? 'reached' : '**not reached**');

/** A ratio and its target. */
function against(ratio, wanted, atLeast) {
  if (wanted === undefined) return times(ratio);
  const reached = atLeast ? ratio >= wanted : ratio <= wanted;
  return `${times(ratio)} (wanted ${atLeast ? '>=' : '<='} ${wanted}): ${said(reached)}`;
}

/** Compares the pairs of each round, since a machine's speed changes over minutes. */
const pairedRatio = (ours, theirs) => median(ours.map((value, i) => value / theirs[i]));

/**
 * The table of the decoding row.
 * @param {typeof import('./work.mjs').decoding} work
 * @param {Record<'ours' | 'transformers' | 'llama', import('./decode.mjs').Decoded>[]} rounds
 */
export function decodingReport(work, rounds) {
  const of = (side, key) => rounds.map(round => round[side][key]);
  const rate = key => {
    const [ours, transformers, llama] = ['ours', 'transformers', 'llama'].map(side => of(side, key));
    const first = key === 'tokensPerSecond';
    return [
      spread(ours),
      spread(transformers),
      against(pairedRatio(ours, transformers), first ? work.fasterThanTransformers : undefined, true),
      spread(llama),
      against(pairedRatio(ours, llama), first ? work.fasterThanLlama : undefined, true),
    ];
  };
  const time = key => [spread(of('ours', key)), spread(of('transformers', key)), '', spread(of('llama', key)), ''];
  return `## Decoding

${work.title}: greedy, float32, a key/value cache, ${work.tokens} tokens. Tunewright decodes its first tokens eagerly, the others captured: the
whole answer includes compiling the graph.

${table(
  ['', 'Tunewright', 'Transformers', 'ratio', 'llama.cpp', 'ratio'],
  [
    ['tokens/s of the median token', ...rate('tokensPerSecond')],
    ['tokens/s of the whole answer', ...rate('wholeTokensPerSecond')],
    ['first token, ms', ...time('firstTokenMs')],
    ['an answer of 20 tokens, ms', ...time('shortMs')],
  ],
)}
`;
}

/**
 * The tables of the serving row.
 * @param {typeof import('./work.mjs').serving} work
 * @param {Record<'ours' | 'peft' | 'llama', import('./serving.mjs').Served>[]} rounds
 */
export function servingReport(work, rounds) {
  const of = (side, get) => rounds.map(round => get(round[side])).filter(value => value !== undefined);
  const shown = values => (values.length === 0 ? '' : spread(values));
  const swaps = Object.keys(work.methods).map(method => {
    const [ours, peft, llama] = ['ours', 'peft', 'llama'].map(
      side => key => of(side, ({ swaps }) => swaps[method]?.[key]),
    );
    const swap = median(ours('swapMs'));
    const wanted = Math.min(work.swapWithinMs, ...(peft('swapMs').length > 0 ? [median(peft('swapMs'))] : []));
    const added = median(ours('addMs'));
    return [
      method,
      `${shown(ours('addMs'))} (wanted <= ${work.addWithinMs}): ${said(added <= work.addWithinMs)}`,
      shown(peft('addMs')),
      shown(llama('addMs')),
      `${shown(ours('swapMs'))} (wanted <= ${figure(wanted)}): ${said(swap <= wanted)}`,
      shown(peft('swapMs')),
      shown(llama('swapMs')),
      shown(ours('firstTokenMs')),
      shown(peft('firstTokenMs')),
      shown(llama('firstTokenMs')),
    ];
  });
  const adapterWords = { none: 'no adapter', same: 'one LoRA adapter', different: 'a LoRA adapter each' };
  const speeds = work.loads.map(({ id, sequences, adapters, fasterThanPeft }) => {
    const [ours, peft, llama] = ['ours', 'peft', 'llama'].map(side => of(side, ({ speeds }) => speeds[id]));
    return [
      `${sequences}, ${adapterWords[adapters]}`,
      shown(ours),
      shown(peft),
      against(pairedRatio(ours, peft), fasterThanPeft, true),
      shown(llama),
      llama.length === 0 ? '' : times(pairedRatio(ours, llama)),
    ];
  });
  const sides = ['Tunewright', 'PEFT', 'llama.cpp'];
  const columns = what => sides.map(side => `${what}, ${side}`);
  return `## Serving

${work.title}: greedy, float32, answers of ${work.tokens} tokens. A swap is the time to the first token with another adapter than before,
less that with the same; the target is the smaller of ${work.swapWithinMs} ms and PEFT's \`set_adapter\`. PEFT has no SELECTIVE and no
bottleneck adapters; in node-llama-cpp, an adapter belongs to a context. It has a library built for many CPUs and chooses tokens in
Node, so that llama.cpp itself is faster: the decoding row compares with one built for this CPU. Milliseconds:

${table(['method', ...columns('add'), ...columns('swap'), ...columns('first token')], swaps)}

Tokens per second of all answers, prompts included; PEFT has mixed batches by \`adapter_names\`:

${table(['sequences at once', 'Tunewright', 'PEFT', 'ratio', 'llama.cpp', 'ratio'], speeds)}
`;
}

/** The error of a memory estimate, and whether it is within the target. */
function offBy(estimated, measured) {
  const off = estimated / measured - 1;
  return `${off > 0 ? '+' : ''}${(100 * off).toFixed(0)}% (wanted within 15%): ${Math.abs(off) <= 0.15 ? 'reached' : '**not reached**'}`;
}

/**
 * The table of the models that only fit into memory quantized.
 * @param {{ work: (typeof import('./work.mjs').largeBases)[number], run: any }[]} runs
 */
export function largeReport(runs) {
  const rows = runs.map(({ work, run: { peakBytes, estimatedBytes, steps } }) => [
    work.title,
    `${gigabytes([peakBytes])} (wanted <= ${work.within / 1e9}): ${peakBytes <= work.within ? 'reached' : '**not reached**'}`,
    gigabytes([estimatedBytes]),
    offBy(estimatedBytes, peakBytes),
    (steps[0].ms / 1000).toFixed(0),
  ]);
  return `## Quantized bases

LoRA r=8 q,v with \`gradient_checkpointing\`, random weights as GGUF blocks; one step, whose time includes compiling its graph.

${table(['work', 'peak memory, GB', 'estimated', 'estimate off by', 'the step, s'], rows)}
`;
}

/** @param {{ work: (typeof import('./work.mjs').exportWorks)[number], rounds: any[] }[]} exported */
export function exportReport(exported) {
  const rows = exported.map(({ work, rounds }) => {
    const of = key => rounds.map(round => round[key]);
    const within = (value, most, unit) =>
      most === null ? '' : ` (wanted < ${most}${unit}): ${value < most ? 'reached' : '**not reached**'}`;
    return [
      work.title,
      spread(of('seconds')) + within(median(of('seconds')), work.seconds, ''),
      gigabytes(of('peakBytes')) + within(median(of('peakBytes')) / 1e9, work.within / 1e9, ''),
      gigabytes(of('bytes')),
    ];
  });
  return `## Exports

\`tunewright merge --type q4_k_m\` as a whole process: loading TensorFlow, merging, quantizing, reading the file again and comparing it.

${table(['work', 'seconds', 'peak memory, GB', 'file, GB'], rows)}
`;
}

/**
 * @param {object} measured
 * @param {{ work: import('./work.mjs').Work, rounds: { ours: any, peer: any, eager?: any }[] }[]} measured.results
 * @param {{ work: any, rounds: any[] } | null} [measured.decoded] the decoding row
 * @param {{ work: any, rounds: any[] } | null} [measured.served] the serving row
 * @param {{ work: any, run: any }[]} [measured.largeRuns]
 * @param {{ work: any, rounds: any[] }[]} [measured.exported]
 * @param {string[]} machine lines that describe the machine
 */
export function report({ results, decoded = null, served = null, largeRuns = [], exported = [] }, machine) {
  const speeds = results.flatMap(({ work, rounds }) => {
    const of = side => rounds.map(round => speedOf(work, round[side]));
    const [ours, peer] = [of('ours'), of('peer')];
    const shown = [
      work.title,
      `${work.unit}/s`,
      spread(ours),
      spread(peer),
      against(pairedRatio(ours, peer), work.faster, true),
    ];
    if (work.fasterThanEager === undefined) return [shown];
    const eager = of('eager');
    const ratio = against(pairedRatio(ours, eager), work.fasterThanEager, true);
    return [
      shown,
      [`the same compared with eager TensorFlow.js`, `${work.unit}/s`, spread(ours), spread(eager), ratio],
    ];
  });
  const memory = results.map(({ work, rounds }) => {
    const of = (side, key) => rounds.map(round => round[side][key]);
    const [ours, peer, estimated] = [of('ours', 'peakBytes'), of('peer', 'peakBytes'), of('ours', 'estimatedBytes')];
    return [
      work.title,
      gigabytes(ours),
      gigabytes(peer),
      against(median(ours) / median(peer), work.smaller, false),
      gigabytes(estimated),
      offBy(median(estimated), median(ours)),
    ];
  });
  const compiled = results.map(({ work, rounds }) => {
    const first = median(rounds.map(({ ours }) => ours.steps[0].ms)) / 1000;
    const later = median(rounds.map(({ ours }) => median(work.timed(ours.steps).map(({ ms }) => ms)))) / 1000;
    const compile = median(rounds.map(({ ours }) => ours.compileMs)) / 1000;
    return [work.title, first.toFixed(1), later.toFixed(2), compile.toFixed(1)];
  });
  const compared = [...results, ...exported, ...[decoded, served].filter(Boolean)].map(({ rounds }) => rounds.length);
  const rounds = compared.length > 0 ? Math.min(...compared) : 'none';
  const training = `## Speed

${table(['work', 'unit', 'Tunewright', 'PyTorch', 'ratio'], speeds)}

## Peak memory (VmHWM of the process, GB)

${table(['work', 'Tunewright', 'PyTorch', 'ratio', 'estimated', 'estimate off by'], memory)}

## First and later steps (seconds)

${table(['work', 'first step', 'later steps', 'of the first: tracing and loading'], compiled)}
`;
  const sections = [
    ...(results.length > 0 ? [training] : []),
    ...(decoded ? [decodingReport(decoded.work, decoded.rounds)] : []),
    ...(served ? [servingReport(served.work, served.rounds)] : []),
    ...(exported.length > 0 ? [exportReport(exported)] : []),
    ...(largeRuns.length > 0 ? [largeReport(largeRuns)] : []),
  ];
  return `# Bench: Tunewright against PyTorch + PEFT

Written by \`npm run bench\`; don't edit. Rounds: ${rounds}, the two sides alternating, with float32 and all cores; medians with the
lowest and highest value in brackets, ratios of the pairs of each round. Speeds exclude the steps that compile.

${machine.map(line => `- ${line}`).join('\n')}

${sections.join('\n')}`;
}
