// `tunewright estimate RUN.json`: prints the estimate of run/runEstimate.ts, parameters and memory of a run and of all other
// methods on the same model, without loading anything.
import type { Command } from 'commander';
import { gpuMemoryNote, knownGpu, type KnownGpu } from '../../core/gpuMemory.js';
import { wantedBackend } from '../../core/wantedBackend.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import { chooseAdapter, listGpuAdapters } from '../webgpu/dawn.js';
import { roughDuration } from '../../core/runs/runStatus.js';
import { bytes, count, figure, percent, shortTime } from '../../core/units.js';
import type { Estimate } from '../estimate/estimateRun.js';
import { machineSpeed } from '../estimate/machineSpeed.js';
import { drawMatrixExample, matrixExampleOf, type MatrixExample } from '../estimate/matrixExample.js';
import { PROGRAM_BYTES } from '../estimate/programBytes.js';
import { countParameters } from '../models/architecture.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';
import { targetedLinears } from '../peft/targets.js';
import { namedClusters } from '../ray/clusters.js';
import { readRunFile } from '../run/readRunFile.js';
import type { Reporter } from '../run/reporter.js';
import { estimateJson, MEMORY_PARTS, runEstimate, secondsOf, type RunEstimate } from '../run/runEstimate.js';
import { offlineOption, positiveNumber } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { table } from './table.js';
import { print, printJson } from './print.js';

interface EstimateFlags {
  matrix?: string;
  rank?: number;
  offline?: boolean;
  json?: boolean;
}

export function registerEstimateCommand(program: Command): void {
  program
    .command('estimate')
    .description('estimate trainable parameters and memory of a run, and of all other methods on the same model')
    .argument('<run.json>', 'run file')
    .option('--matrix <name>', 'show the example for this matrix of the model, or for a size such as 512x64')
    .option('--rank <r>', 'rank in the example (default: that of the run, else 8)', positiveNumber)
    .addOption(offlineOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Memory is the peak of one training step, with the base weights in the format of engine.base_weights, in addition to what Node and
TensorFlow use themselves (about ${bytes(PROGRAM_BYTES)}). The step is traced, not computed: no weight is read, and nothing is trained.`,
    )
    .action(run);
}

async function run(path: string, flags: EstimateFlags): Promise<void> {
  const progress = progressDisplay();
  // No progress for the methods: all of them take about a second.
  const reporter: Reporter = {
    ...progress,
    progress: (phase, ...more) => phase !== 'estimate' && progress.progress(phase, ...more),
  };
  const estimate = await runEstimate(readRunFile(path), {
    reporter,
    offline: flags.offline ?? false,
    speed: machineSpeed,
  });
  const gpu = await chosenGpu(estimate.run.config.engine);
  progress.finish();
  const { attached } = estimate;
  const matrix = matrixOf(attached, flags);
  if (flags.json) printJson({ ...estimateJson(estimate), gpu, matrix: matrix && matrixJson(matrix) });
  else print(describeEstimate(estimate, matrix, gpu));
}

/** Null for other backends. @throws InputError if WebGPU or the GPU can't be used */
async function chosenGpu(engine: EngineConfig): Promise<KnownGpu | null> {
  if (wantedBackend(engine) !== 'webgpu') return null;
  return knownGpu(chooseAdapter(await listGpuAdapters(), engine.adapter));
}

function describeEstimate(estimate: RunEstimate, matrix: MatrixExample | null, gpu: KnownGpu | null): string {
  const { run, attached, shape, sequenceLength } = estimate;
  const { architecture } = attached;
  return [
    `${run.config.name}: ${run.config.model}, ${architecture.modelType}, ${count(countParameters(architecture))} parameters; ` +
      `batches of ${shape.batchSize} x ${count(sequenceLength)} tokens`,
    '',
    comparison(estimate),
    '',
    verdict(estimate, gpu),
    ...(matrix ? ['', drawMatrixExample(matrix, exampleMethod(estimate.attached).title)] : []),
  ].join('\n');
}

/** The method whose factors are shown: that of the run if it trains some, else the first that does. */
function exampleMethod({ method }: AttachedMethod): PeftMethod {
  return method.lowRank ? method : peftMethods.find(({ lowRank }) => lowRank)!;
}

/** The example for the run's own rank, or for what the flags ask; null for a method without low-rank factors. */
function matrixOf(attached: AttachedMethod, { matrix, rank }: EstimateFlags): MatrixExample | null {
  if (!attached.method.lowRank && matrix === undefined && rank === undefined) return null;
  const { pairs } = exampleMethod(attached).lowRank!;
  const factors = { rank: rank ?? attached.rank ?? 8, pairs };
  return matrixExampleOf(matrix ?? firstTarget(attached), factors, attached.architecture);
}

/** The first matrix that the method adapts; if it adapts none, the first that LoRA adapts by default. */
function firstTarget({ placement, architecture }: AttachedMethod): string {
  const adapted = architecture.linears.find(({ name }) => placement.linear?.has(name));
  return (adapted ?? targetedLinears({ target_modules: null }, architecture, architecture.defaultTargets.lora)[0]!)
    .name;
}

function comparison({ run, own, others, inferenceBytes }: RunEstimate): string {
  const row = (name: string, { trainableParameters, share, memory, ratioToInference }: Estimate) => [
    name,
    count(trainableParameters),
    percent(share),
    ...MEMORY_PARTS.map(part => bytes(memory[part])),
    ratioToInference.toFixed(1),
  ];
  const heading = ['method', 'trainable', 'share', ...MEMORY_PARTS, 'x inference'];
  const fitting = others.flatMap(({ method, estimate }) => (estimate ? [row(`  ${method.peftType}`, estimate)] : []));
  const rows = [
    row(`> ${run.method.peftType} (this run)`, own),
    ...fitting.sort((a, b) => Number(a[1]!.replaceAll(',', '')) - Number(b[1]!.replaceAll(',', ''))),
    ['  inference', '', '', ...MEMORY_PARTS.slice(0, -1).map(() => ''), bytes(inferenceBytes), '1.0'],
  ];
  const unusable = others.flatMap(({ method, reason }) => (reason === null ? [] : [`  ${method.peftType}: ${reason}`]));
  const right = heading.map((_, i) => i).slice(1);
  return [table([heading, ...rows], right), ...unusable].join('\n');
}

function verdict(estimate: RunEstimate, gpu: KnownGpu | null): string {
  const { own, steps, availableBytes: available, workers } = estimate;
  const { trainableParameters, totalParameters, share, memory } = own;
  const seconds = secondsOf(own, estimate);
  if (available === null)
    return (
      `This run trains ${count(trainableParameters)} of ${count(totalParameters)} parameters (${percent(share)}) ` +
      `and needs about ${bytes(memory.total)} of memory ${workers === 1 ? 'in its worker' : `in each of its ${workers} workers`}.` +
      priceText(estimate.run)
    );
  const fits = gpu
    ? gpuMemoryNote(memory.total, gpu)
    : memory.total < available
      ? `${bytes(available)} are available.`
      : `That is more than the ${bytes(available)} available: lower max_length or per_device_train_batch_size.`;
  return (
    `This run trains ${count(trainableParameters)} of ${count(totalParameters)} parameters (${percent(share)}) ` +
    `and needs about ${bytes(memory.total)} of memory. ${fits}` +
    (seconds === null
      ? ''
      : `\nA step takes about ${shortTime(seconds)} on this machine (estimated from its ${figure(own.flopsPerStep / 1e9)} GFLOP)` +
        (steps === null ? '.' : `, ${count(steps)} steps about ${roughDuration(steps * seconds)}.`))
  );
}

/** What the cluster costs, if it is a named one with a price. */
function priceText({ config: { engine } }: RunEstimate['run']): string {
  const price = namedClusters().find(({ address }) => address === engine.address)?.price_per_hour ?? null;
  return price === null
    ? ''
    : ` The cluster costs ${price} an hour; how long the run takes is known after its first steps.`;
}

function matrixJson(example: MatrixExample): Record<string, unknown> {
  return {
    module: example.module,
    out_features: example.outFeatures,
    in_features: example.inFeatures,
    r: example.rank,
    pairs: example.pairs,
    parameters: example.parameters,
    a_parameters: example.aParameters,
    b_parameters: example.bParameters,
    trained_parameters: example.trainedParameters,
    reduction: example.reduction,
  };
}
