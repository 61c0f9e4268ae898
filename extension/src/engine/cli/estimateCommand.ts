// `tunewright estimate RUN.json`: parameters and memory of a run and of every other method on the same model, before
// anything is loaded. What it prints is all it adds to estimate/.
import type { Command } from 'commander';
import type { MemoryParts } from '../../protocol/engineEvent.js';
import type { UsedWeights, WeightSettings } from '../../protocol/runConfig.js';
import { availableMemoryBytes } from '../machine/processMemory.js';
import { compareMethods, type MethodEstimate } from '../estimate/compareMethods.js';
import { estimateRun, inferenceBytes, type Estimate } from '../estimate/estimateRun.js';
import { findInstallation } from '../install/installation.js';
import { bfloat16Pays, machineSpeed, secondsPerStep, type MachineSpeed } from '../estimate/machineSpeed.js';
import { drawMatrixExample, matrixExampleOf, type MatrixExample } from '../estimate/matrixExample.js';
import { PROGRAM_BYTES } from '../estimate/programBytes.js';
import { countParameters } from '../models/architecture.js';
import { architectureOfFiles, findTensors } from '../models/loadModel.js';
import { weightLayouts } from '../models/weightLayouts.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import { loraConfigOf } from '../peft/lora.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';
import { targetedLinears } from '../peft/targets.js';
import { attachMethod } from '../run/attachMethod.js';
import { findModelFiles } from '../run/openModel.js';
import { readRunFile } from '../run/readRunFile.js';
import { countSteps } from '../run/stepCount.js';
import { runShape } from '../training/runShape.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { offlineOption, positiveNumber } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { table } from './table.js';
import { roughDuration } from '../../core/runs/runStatus.js';
import { bytes, count, figure, percent, shortTime } from '../../core/units.js';

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

async function run(runFile: string, flags: EstimateFlags): Promise<void> {
  const progress = progressDisplay();
  const parsed = readRunFile(runFile);
  const files = await findModelFiles(parsed.config.model, parsed.resolvePath('.'), progress, !flags.offline);
  progress.finish();
  const { method, config } = parsed;
  const architecture = architectureOfFiles(files);
  const tensorflow = config.engine.backend !== 'wasm' && (await findInstallation()) !== null;
  // Only TensorFlow's rates are known.
  const speed = tensorflow ? await machineSpeed(config.engine.threads) : null;
  const layouts = weightLayouts(
    architecture,
    findTensors(files, architecture),
    usedWeights(config.engine, method, speed),
  );
  files.close();

  const { attached, start } = attachMethod(parsed, architecture);
  start?.close();
  const shape = runShape(config, attached);
  const captured = tensorflow && config.engine.compile !== false;
  const tokenizer = files.tokenizer && createTokenizer(files.tokenizer);
  const { steps, ...ofRows } = await countSteps(parsed, tokenizer, shape);
  const own = estimateRun({ attached, layouts, captured, shape, ...ofRows });
  const otherMethods = peftMethods.filter(other => other !== method);
  const others = compareMethods(otherMethods, { architecture, layouts }, config, { captured, ...ofRows });
  const seconds = (estimate: Estimate) => (speed ? secondsPerStep(estimate, speed, captured) : null);
  const rank = flags.rank ?? loraConfigOf(attached)?.r ?? 8;
  const matrix = matrixExampleOf(flags.matrix ?? firstTarget(attached), rank, architecture);
  const inference = inferenceBytes({ architecture, layouts }, ofRows.sequenceLength);

  if (flags.json) {
    console.log(
      JSON.stringify({
        model: {
          reference: config.model,
          model_type: architecture.modelType,
          parameters: countParameters(architecture),
        },
        batch_size: shape.batchSize,
        max_length: shape.maxLength,
        sequence_length: ofRows.sequenceLength,
        run: { peft_type: method.peftType, ...estimateJson(own, seconds(own), steps) },
        methods: others.map(({ method, estimate, reason }) =>
          estimate
            ? { peft_type: method.peftType, ...estimateJson(estimate, seconds(estimate), steps) }
            : { peft_type: method.peftType, reason },
        ),
        total_steps: steps,
        captured,
        program_bytes: PROGRAM_BYTES,
        inference_bytes: inference,
        available_bytes: availableMemoryBytes(),
        matrix: matrixJson(matrix),
      }),
    );
    return;
  }
  console.log(
    [
      `${config.name}: ${config.model}, ${architecture.modelType}, ${count(countParameters(architecture))} parameters; ` +
        `batches of ${shape.batchSize} x ${count(ofRows.sequenceLength)} tokens`,
      '',
      comparison(method.peftType, own, others, inference),
      '',
      verdict(own, seconds(own), steps),
      '',
      drawMatrixExample(matrix),
    ].join('\n'),
  );
}

/** The settings with `auto` decided as a run here would. */
function usedWeights(
  { base_weights, precision }: WeightSettings,
  { storage }: PeftMethod,
  speed: MachineSpeed | null,
): UsedWeights {
  if (precision !== 'auto') return { base_weights, precision };
  const pays = storage !== 'model' && speed !== null && bfloat16Pays(speed);
  return { base_weights, precision: pays ? 'bfloat16' : 'float32' };
}

/** The first matrix that the method adapts; where it adapts none, the first that LoRA would by default. */
function firstTarget({ placement, architecture }: AttachedMethod): string {
  const adapted = architecture.linears.find(({ name }) => placement.linear?.has(name));
  return (adapted ?? targetedLinears({ target_modules: null }, architecture, architecture.defaultTargets.lora)[0]!)
    .name;
}

const PARTS: readonly (keyof MemoryParts)[] = [
  'weights',
  'gradients',
  'optimizer',
  'activations',
  'temporary',
  'total',
];

function comparison(peftType: string, own: Estimate, others: readonly MethodEstimate[], inference: number): string {
  const row = (name: string, { trainableParameters, share, memory, ratioToInference }: Estimate) => [
    name,
    count(trainableParameters),
    percent(share),
    ...PARTS.map(part => bytes(memory[part])),
    ratioToInference.toFixed(1),
  ];
  const heading = ['method', 'trainable', 'share', ...PARTS, 'x inference'];
  const fitting = others.flatMap(({ method, estimate }) => (estimate ? [row(`  ${method.peftType}`, estimate)] : []));
  const rows = [
    row(`> ${peftType} (this run)`, own),
    ...fitting.sort((a, b) => Number(a[1]!.replaceAll(',', '')) - Number(b[1]!.replaceAll(',', ''))),
    ['  inference', '', '', ...PARTS.slice(0, -1).map(() => ''), bytes(inference), '1.0'],
  ];
  const left = others.flatMap(({ method, reason }) => (reason === null ? [] : [`  ${method.peftType}: ${reason}`]));
  const right = heading.map((_, i) => i).slice(1);
  return [table([heading, ...rows], right), ...left].join('\n');
}

function verdict(estimate: Estimate, seconds: number | null, steps: number | null): string {
  const { trainableParameters, totalParameters, share, memory } = estimate;
  const available = availableMemoryBytes();
  const fits =
    memory.total < available
      ? `${bytes(available)} are free here.`
      : `That is more than the ${bytes(available)} that are free here: lower max_length or per_device_train_batch_size.`;
  return (
    `This run trains ${count(trainableParameters)} of ${count(totalParameters)} parameters (${percent(share)}) ` +
    `and takes about ${bytes(memory.total)}. ${fits}` +
    (seconds === null
      ? ''
      : `\nA step takes about ${shortTime(seconds)} here (estimated from its ${figure(estimate.flopsPerStep / 1e9)} GFLOP)` +
        (steps === null ? '.' : `, ${count(steps)} steps about ${roughDuration(steps * seconds)}.`))
  );
}

function estimateJson(estimate: Estimate, seconds: number | null, steps: number | null): Record<string, unknown> {
  return {
    trainable_parameters: estimate.trainableParameters,
    total_parameters: estimate.totalParameters,
    share: estimate.share,
    memory: Object.fromEntries(PARTS.map(part => [part, Math.round(estimate.memory[part])])),
    ratio_to_inference: estimate.ratioToInference,
    flops_per_step: estimate.flopsPerStep,
    seconds_per_step: seconds,
    train_seconds: seconds === null || steps === null ? null : steps * seconds,
  };
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
