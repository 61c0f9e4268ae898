// `tunewright estimate RUN.json`: parameters and memory of a run and of every other method on the same model, before
// anything is loaded. What it prints is all it adds to run/runEstimate.ts.
import type { Command } from 'commander';
import { roughDuration } from '../../core/runs/runStatus.js';
import { bytes, count, figure, percent, shortTime } from '../../core/units.js';
import type { Estimate } from '../estimate/estimateRun.js';
import { machineSpeed } from '../estimate/machineSpeed.js';
import { drawMatrixExample, matrixExampleOf, type MatrixExample } from '../estimate/matrixExample.js';
import { PROGRAM_BYTES } from '../estimate/programBytes.js';
import { countParameters } from '../models/architecture.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import { targetedLinears } from '../peft/targets.js';
import { readRunFile } from '../run/readRunFile.js';
import type { Reporter } from '../run/reporter.js';
import { estimateJson, MEMORY_PARTS, runEstimate, secondsOf, type RunEstimate } from '../run/runEstimate.js';
import { offlineOption, positiveNumber } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { table } from './table.js';

interface EstimateFlags {
  matrix?: string;
  rank?: number;
  offline?: boolean;
  json?: boolean;
}

export function registerEstimateCommand(program: Command): void {
  program
    .command('estimate')
    .description('trainable parameters and memory of a run, and of every other method on the same model')
    .argument('<run.json>', 'run file')
    .option('--matrix <name>', 'the worked example for this matrix of the model, or for sizes such as 512x64')
    .option('--rank <r>', 'its rank (default: the run’s, else 8)', positiveNumber)
    .addOption(offlineOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Memory is that of one training step at its peak, with the base as engine.base_weights has it, beside what Node and TensorFlow take themselves (about
${bytes(PROGRAM_BYTES)}). It comes from running the step without its numbers: no weight is read, and nothing is trained.`,
    )
    .action(run);
}

async function run(path: string, flags: EstimateFlags): Promise<void> {
  const progress = progressDisplay();
  // Of the methods nothing is told: they take a second in all.
  const reporter: Reporter = {
    ...progress,
    progress: (phase, ...more) => phase !== 'estimate' && progress.progress(phase, ...more),
  };
  const estimate = await runEstimate(readRunFile(path), {
    reporter,
    offline: flags.offline ?? false,
    speed: machineSpeed,
  });
  progress.finish();
  const { attached } = estimate;
  const rank = flags.rank ?? attached.rank ?? 8;
  const matrix = matrixExampleOf(flags.matrix ?? firstTarget(attached), rank, attached.architecture);
  console.log(
    flags.json
      ? JSON.stringify({ ...estimateJson(estimate), matrix: matrixJson(matrix) })
      : describeEstimate(estimate, matrix),
  );
}

function describeEstimate(estimate: RunEstimate, matrix: MatrixExample): string {
  const { run, attached, shape, sequenceLength } = estimate;
  const { architecture } = attached;
  return [
    `${run.config.name}: ${run.config.model}, ${architecture.modelType}, ${count(countParameters(architecture))} parameters; ` +
      `batches of ${shape.batchSize} x ${count(sequenceLength)} tokens`,
    '',
    comparison(estimate),
    '',
    verdict(estimate),
    '',
    drawMatrixExample(matrix),
  ].join('\n');
}

/** The first matrix that the method adapts; where it adapts none, the first that LoRA would by default. */
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
  const left = others.flatMap(({ method, reason }) => (reason === null ? [] : [`  ${method.peftType}: ${reason}`]));
  const right = heading.map((_, i) => i).slice(1);
  return [table([heading, ...rows], right), ...left].join('\n');
}

function verdict(estimate: RunEstimate): string {
  const { own, steps, availableBytes: available } = estimate;
  const { trainableParameters, totalParameters, share, memory } = own;
  const seconds = secondsOf(own, estimate);
  const fits =
    memory.total < available
      ? `${bytes(available)} are free here.`
      : `That is more than the ${bytes(available)} that are free here: lower max_length or per_device_train_batch_size.`;
  return (
    `This run trains ${count(trainableParameters)} of ${count(totalParameters)} parameters (${percent(share)}) ` +
    `and takes about ${bytes(memory.total)}. ${fits}` +
    (seconds === null
      ? ''
      : `\nA step takes about ${shortTime(seconds)} here (estimated from its ${figure(own.flopsPerStep / 1e9)} GFLOP)` +
        (steps === null ? '.' : `, ${count(steps)} steps about ${roughDuration(steps * seconds)}.`))
  );
}

function matrixJson(example: MatrixExample): Record<string, unknown> {
  return {
    module: example.module,
    out_features: example.outFeatures,
    in_features: example.inFeatures,
    r: example.rank,
    parameters: example.parameters,
    lora_a_parameters: example.aParameters,
    lora_b_parameters: example.bParameters,
    lora_parameters: example.loraParameters,
    reduction: example.reduction,
  };
}
