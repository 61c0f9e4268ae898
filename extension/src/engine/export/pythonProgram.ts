// The Python program of `tunewright eject`: the run with Transformers and PEFT, as someone who knows them would write it. Pure: facts
// of a run to text. ejectRun.ts collects the facts and writes the files that the program reads.
import { visibleControls } from '../../core/harmlessText.js';
import type { TrainingConfig } from '../../protocol/runConfig.js';

export interface PythonRun {
  /** Of the run, for the program's description. */
  name: string;
  methodTitle: string;
  /** The model as the run names it. */
  modelName: string;
  /** What Transformers loads it by: a hub id or a folder; null: it must be written as a folder first. */
  modelPath: string | null;
  /** PEFT's config class and its keys; null: without PEFT. */
  peft: { configClass: string; config: Record<string, unknown> } | null;
  /** Without PEFT, a condition on the `name` of the trained parameters; null: all of them. */
  trained: string | null;
  /** How the values before the first step are loaded; null: they are the model's own. */
  start: keyof typeof LOADING | null;
  /** Saved with the result. */
  hasTokenizer: boolean;
  /** It gets the chat template in the folder .start. */
  ownTemplate: boolean;
  /** Rows of the embedding, if the adapter comes with another number than the model. */
  resizedTo: number | null;
  /** Several rows in a sequence. */
  packed: boolean;
  /** What the run has and the program hasn't, a sentence each. */
  differences: readonly string[];
  training: TrainingConfig;
  warmupSteps: number;
  gradientCheckpointing: boolean;
  /** null: there are no validation rows. */
  evaluation: Evaluation | null;
}

interface Evaluation {
  batchSize: number;
  /** The steps after which the run evaluates: every so many, or these. */
  at: number | readonly number[];
  /** Keep the result with the lowest loss. */
  keepBest: boolean;
  /** Stop after this number of evaluations that aren't better than the best by the threshold. */
  patience: number | null;
  threshold: number;
}

/** Files with starting values, in the folder .start. */
export const START_FILES = {
  adapter: 'adapter_model.safetensors',
  encoder: 'prompt_encoder.safetensors',
  model: 'parameters.safetensors',
} as const;

const LOADING = {
  adapter: `set_peft_model_state_dict(model, load_file(START / "${START_FILES.adapter}"))`,
  encoder: `model.prompt_encoder["default"].load_state_dict(load_file(START / "${START_FILES.encoder}"))`,
  model: `model.load_state_dict(load_file(START / "${START_FILES.model}"), strict=False)`,
} as const;

/** The program's text. @param stem name of its file without `.py` */
export function pythonProgram(run: PythonRun, stem: string): string {
  const parts = [
    description(run, stem),
    imports(run),
    paths(run),
    readRows(run),
    makeModel(run),
    makeOptimizer(run),
    makeBatch(run),
    ...(run.evaluation ? [validate(run, run.evaluation)] : []),
    train(run),
    save(run),
  ];
  return `${parts.map(part => part.join('\n')).join('\n\n')}\n`;
}

function description(run: PythonRun, stem: string): string[] {
  const file = line(stem);
  const merge = `tunewright merge --model ${line(run.modelName)} --out FOLDER`;
  const wantsModel = run.modelPath === null;
  return [
    `"""${line(run.name)}: ${line(run.methodTitle)} of ${line(run.modelName)} with Transformers${run.peft ? ' and PEFT' : ''}.`,
    '',
    `Written by Tunewright. It trains on the same rows in the same order as that run, from the same values.`,
    '',
    `    pip install torch transformers${run.peft ? ' peft' : ''}`,
    `    python ${file}.py ${wantsModel ? 'MODEL' : '[MODEL]'} [OUT]`,
    '',
    wantsModel
      ? `MODEL  folder of the model, written by: ${merge}`
      : 'MODEL  folder or hub id of the model, if it is no longer where the run found it',
    `OUT    folder for the result, by default ${file}.result`,
    '',
    ...(run.start === null && !run.ownTemplate ? [] : [`${file}.start  what the run starts from`]),
    `${file}.data   rows as token ids, labels (-100: not trained on), and their order`,
    ...(run.differences.length > 0
      ? ['', 'Differs from the run:', ...run.differences.map(each => `- ${line(each)}`)]
      : []),
    '"""',
  ];
}

function imports(run: PythonRun): string[] {
  const { peft, start, trained, training, hasTokenizer, modelPath } = run;
  const ofPeft = [
    ...(peft ? [peft.configClass, 'get_peft_model'] : []),
    ...(start === 'adapter' ? ['set_peft_model_state_dict'] : []),
  ];
  return [
    'import json',
    ...(comparesLosses(run) || training.max_grad_norm === 0 ? ['import math'] : []),
    ...(trained?.startsWith('re.') ? ['import re'] : []),
    'import sys',
    'from pathlib import Path',
    '',
    ...(modelPath === null
      ? [
          'if len(sys.argv) < 2:',
          '    print("usage: python", Path(__file__).name, "FOLDER [OUT]   (FOLDER: the model, written by tunewright merge)", file=sys.stderr)',
          '    sys.exit(2)',
          '',
        ]
      : []),
    'import torch',
    ...(ofPeft.length > 0 ? [`from peft import ${ofPeft.join(', ')}`] : []),
    ...(start === null ? [] : ['from safetensors.torch import load_file']),
    'from torch.nn.utils.rnn import pad_sequence',
    `from transformers import AutoConfig, AutoModelForCausalLM, ${hasTokenizer ? 'AutoTokenizer, ' : ''}get_scheduler`,
  ];
}

function paths({ modelPath, start, ownTemplate }: PythonRun): string[] {
  return [
    modelPath === null ? 'MODEL = sys.argv[1]' : `MODEL = sys.argv[1] if len(sys.argv) > 1 else ${python(modelPath)}`,
    'OUT = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_suffix(".result")',
    ...(start === null && !ownTemplate ? [] : ['START = Path(__file__).with_suffix(".start")']),
    'DATA = Path(__file__).with_suffix(".data")',
    'DEVICE = "cuda" if torch.cuda.is_available() else "cpu"',
  ];
}

function readRows({ evaluation, packed }: PythonRun): string[] {
  return [
    '',
    'def read_lines(name):',
    '    with open(DATA / name, encoding="utf-8") as file:',
    '        return [json.loads(line) for line in file]',
    '',
    '',
    'rows = read_lines("train.jsonl")',
    packed
      ? '# For each step its batches, for each batch its sequences, for each sequence the numbers of its rows.'
      : '# For each step its batches, for each batch the numbers of its rows.',
    'steps = read_lines("order.jsonl")',
    ...(evaluation ? ['validation_rows = read_lines("validation.jsonl")'] : []),
  ];
}

function makeModel(run: PythonRun): string[] {
  const { training, peft, trained, start, hasTokenizer, ownTemplate, resizedTo, gradientCheckpointing } = run;
  return [
    `torch.manual_seed(${training.seed})`,
    ...(hasTokenizer ? ['tokenizer = AutoTokenizer.from_pretrained(MODEL)'] : []),
    ...(ownTemplate ? ['tokenizer.chat_template = (START / "chat_template.jinja").read_text(encoding="utf-8")'] : []),
    'config = AutoConfig.from_pretrained(MODEL)',
    'for key in config.to_dict():',
    '    if key.endswith(("dropout", "pdrop")):  # the run has no dropout in the base model',
    '        setattr(config, key, 0.0)',
    'model = AutoModelForCausalLM.from_pretrained(MODEL, config=config, dtype=torch.float32)',
    ...(resizedTo === null ? [] : [`model.resize_token_embeddings(${resizedTo})`]),
    ...(peft === null
      ? trainedParameters(trained)
      : [
          'model = get_peft_model(',
          '    model,',
          `    ${peft.configClass}(`,
          ...Object.entries({ task_type: 'CAUSAL_LM', ...peft.config })
            .filter(([, value]) => isSaid(value))
            .map(([key, value]) => `        ${key}=${python(value)},`),
          '    ),',
          ')',
        ]),
    ...(start === null ? [] : [LOADING[start]]),
    ...(gradientCheckpointing ? ['model.gradient_checkpointing_enable({"use_reentrant": False})'] : []),
    'model.to(DEVICE).train()',
  ];
}

function trainedParameters(condition: string | null): string[] {
  if (condition === null) return [];
  return ['for name, parameter in model.named_parameters():', `    parameter.requires_grad = ${condition}`];
}

function makeOptimizer({ training, warmupSteps }: PythonRun): string[] {
  const { learning_rate: rate, adam_beta1, adam_beta2, adam_epsilon, weight_decay, lr_scheduler_type } = training;
  return [
    'parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]',
    'optimizer = torch.optim.AdamW(',
    '    parameters,',
    `    lr=${rate},`,
    `    betas=(${adam_beta1}, ${adam_beta2}),`,
    `    eps=${adam_epsilon},`,
    `    weight_decay=${weight_decay},`,
    ')',
    `scheduler = get_scheduler("${lr_scheduler_type}", optimizer, num_warmup_steps=${warmupSteps}, num_training_steps=len(steps))`,
  ];
}

function makeBatch({ packed }: PythonRun): string[] {
  const padded = [
    '',
    'def padded(values, padding):',
    '    return pad_sequence([torch.tensor(each) for each in values], batch_first=True, padding_value=padding).to(DEVICE)',
    '',
    '',
  ];
  if (!packed)
    return [
      ...padded,
      'def make_batch(rows):',
      '    return {',
      '        "input_ids": padded([row["input_ids"] for row in rows], 0),',
      '        "attention_mask": padded([[1] * len(row["input_ids"]) for row in rows], 0),',
      '        "labels": padded([row["labels"] for row in rows], -100),',
      '    }',
    ];
  return [
    ...padded,
    'def make_batch(sequences):',
    '    """A sequence is a list of rows. Positions begin at 0 with each row; Transformers keeps rows apart by them."""',
    '    joined = lambda values: padded([[each for row in rows for each in values(row)] for rows in sequences], 0)',
    '    labels = [[label for row in rows for label in row["labels"]] for rows in sequences]',
    '    return {',
    '        "input_ids": joined(lambda row: row["input_ids"]),',
    '        "position_ids": joined(lambda row: range(len(row["input_ids"]))),',
    '        "labels": padded(labels, -100),',
    '        "use_cache": False,',
    '    }',
  ];
}

const COUNT = (of: string) => `sum((batch["labels"] != -100).sum() for batch in ${of})`;

function validate({ packed }: PythonRun, { batchSize }: Evaluation): string[] {
  const rows = `validation_rows[i : i + ${batchSize}]`;
  return [
    '',
    '@torch.no_grad()',
    'def validation_loss():',
    '    model.eval()',
    `    starts = range(0, len(validation_rows), ${batchSize})`,
    `    batches = [make_batch(${packed ? `[[row] for row in ${rows}]` : rows}) for i in starts]`,
    `    label_tokens = ${COUNT('batches')}`,
    '    loss = sum(model(**batch, num_items_in_batch=label_tokens).loss.item() for batch in batches)',
    '    model.train()',
    '    return loss',
  ];
}

function train(run: PythonRun): string[] {
  const { training, packed, evaluation } = run;
  const clip = training.max_grad_norm > 0 ? python(training.max_grad_norm) : 'math.inf';
  const rows = packed ? '[[rows[i] for i in sequence] for sequence in batch]' : '[rows[i] for i in batch]';
  return [
    '',
    ...(comparesLosses(run) ? ['best_loss = math.inf'] : []),
    ...(evaluation?.patience ? ['without_improvement = 0'] : []),
    'for step, batches in enumerate(steps, start=1):',
    `    batches = [make_batch(${rows}) for batch in batches]`,
    `    label_tokens = ${COUNT('batches')}`,
    '    loss = 0.0',
    '    for batch in batches:',
    '        part = model(**batch, num_items_in_batch=label_tokens).loss',
    '        part.backward()',
    '        loss += part.item()',
    `    grad_norm = torch.nn.utils.clip_grad_norm_(parameters, ${clip}).item()`,
    '    learning_rate = scheduler.get_last_lr()[0]',
    '    optimizer.step()',
    '    scheduler.step()',
    '    optimizer.zero_grad()',
    '    print(f"step {step}  loss {loss:.6f}  grad_norm {grad_norm:.6f}  learning_rate {learning_rate:.6e}", flush=True)',
    ...(evaluation ? evaluating(evaluation) : []),
  ];
}

function evaluating({ at, keepBest, patience, threshold }: Evaluation): string[] {
  const due = typeof at === 'number' ? `step % ${at} == 0` : `step in {${at.join(', ')}}`;
  const improved = threshold > 0 ? `best_loss - ${threshold}` : 'best_loss';
  return [
    `    if ${due}:`,
    '        loss = validation_loss()',
    '        print(f"step {step}  validation_loss {loss:.6f}", flush=True)',
    ...(patience === null
      ? []
      : [`        without_improvement = 0 if loss < ${improved} else without_improvement + 1`]),
    ...(keepBest
      ? ['        if loss < best_loss:', '            best_loss = loss', '            model.save_pretrained(OUT)']
      : patience === null
        ? []
        : ['        best_loss = min(best_loss, loss)']),
    ...(patience === null ? [] : [`        if without_improvement == ${patience}:`, '            break']),
  ];
}

function save({ evaluation, hasTokenizer }: PythonRun): string[] {
  return [
    ...(evaluation?.keepBest ? [] : ['model.save_pretrained(OUT)']),
    ...(hasTokenizer ? ['tokenizer.save_pretrained(OUT)'] : []),
  ];
}

function comparesLosses({ evaluation }: PythonRun): boolean {
  return evaluation !== null && (evaluation.keepBest || evaluation.patience !== null);
}

/** Values that PEFT's classes have by default anyway. */
function isSaid(value: unknown): boolean {
  const isEmpty = typeof value === 'object' && Object.keys(value ?? {}).length === 0;
  return !isEmpty;
}

/** A value of JSON in Python's syntax. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, each]) => `${python(key)}: ${python(each)}`)
      .join(', ')}}`;
  // JSON's escapes of strings are Python's.
  return JSON.stringify(value);
}

/** Text from outside as part of a line of the description. */
function line(text: string): string {
  return visibleControls(text).replaceAll(/\s+/g, ' ').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
