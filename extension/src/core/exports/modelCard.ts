// The model card of a push: README.md with the metadata that the Hugging Face Hub reads, what the run did and how the result is used.
// Pure. It has no path of a machine and nothing of a dataset but its number of rows; what isn't known is left out.
import type { Comparison } from '../../protocol/certificate.js';
import { certificateTable } from './certificateText.js';
import { codeBlock, plain } from '../markdownText.js';
import { metricValue } from '../metrics/metricText.js';
import { count, counted, duration, percent } from '../units.js';
import { VALIDATION_LOSS } from '../runs/bestMetric.js';
import { keptEvaluation } from '../runs/keptEvaluation.js';
import type { RunState } from '../runs/runState.js';
import type { MetricInfo } from '../../protocol/engineEvent.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { textOf } from '../forms/formField.js';

export type PushedContent = 'adapter' | 'folder' | 'gguf';

export interface ModelCard {
  /** `user/name` */
  repo: string;
  content: PushedContent;
  /** Of the files, those with weights. */
  weights: readonly string[];
  /** Hub id of the base; null: it has none, or isn't known. */
  base: string | null;
  /** Of the base, as its own card says it; null: not known. */
  licence: string | null;
  /** Hub ids that the user names. */
  datasets: readonly string[];
  /** null for a model without an adapter. */
  method: CardMethod | null;
  /** The run, with what it has reported; null: not known. */
  run: { config: RunConfig; state: RunState } | null;
  /** Scores of evaluation suites. */
  suites: readonly { name: string; score: number; passed: number; total: number; baseScore: number | null }[];
  /** A conversation as the template writes it; null: there is no template. */
  promptFormat: string | null;
  /** Name of the picture with the loss. */
  lossCurve: string | null;
  /** What was compared of the files before they were pushed; empty: nothing, as they are the original ones. */
  comparisons: readonly Comparison[];
}

export interface CardMethod {
  peftType: string;
  title: string;
  /** Python's PEFT loads the adapter. */
  isOfPeft: boolean;
  /** Keys of its config that say something. */
  options: Readonly<Record<string, unknown>>;
}

/** The metrics of forgetting, which aren't measured on rows of the run. */
const ON_GENERAL_TEXT: ReadonlySet<string> = new Set(['kl_from_base', 'general_loss']);

/** The whole text, front matter included. */
export function modelCard(card: ModelCard): string {
  const sections = [
    frontMatter(card),
    `# ${plain(nameOf(card))}`,
    introduction(card),
    ...training(card),
    ...results(card),
    ...(card.lossCurve === null ? [] : [`![Loss by step](${card.lossCurve})`]),
    ...certificate(card),
    '## How to use it',
    ...usage(card),
    ...(card.promptFormat === null
      ? []
      : ['## Prompt format', 'A conversation as the chat template writes it:', codeBlock(card.promptFormat)]),
  ];
  return `${sections.join('\n\n')}\n`;
}

const nameOf = ({ repo }: ModelCard) => repo.split('/').at(-1)!;
const baseOf = ({ base }: ModelCard) => base ?? 'BASE';

function frontMatter(card: ModelCard): string {
  const { base, content, licence, datasets, method } = card;
  const library = content === 'folder' ? 'transformers' : content === 'adapter' && method?.isOfPeft ? 'peft' : null;
  const lines = [
    ...(base === null ? [] : [`base_model: ${yaml(base)}`, `base_model_relation: ${relation(card)}`]),
    ...(library === null ? [] : [`library_name: ${library}`]),
    'pipeline_tag: text-generation',
    ...(licence === null ? [] : [`license: ${yaml(licence)}`]),
    ...yamlList('datasets', datasets),
    ...yamlList('tags', [
      'tunewright',
      ...(method ? [method.peftType.toLowerCase().replaceAll('_', '-')] : []),
      ...(content === 'gguf' ? ['gguf'] : []),
    ]),
    ...modelIndex(card),
  ];
  return ['---', ...lines, '---'].join('\n');
}

/** The hub's relations of a model to its base. */
function relation({ content, method }: ModelCard): string {
  if (content === 'adapter') return 'adapter';
  return method === null && content === 'gguf' ? 'quantized' : 'finetune';
}

function yaml(text: string): string {
  // JSON's strings are YAML's in double quotes.
  return /^[A-Za-z0-9][\w./-]*$/.test(text) && !/^[\d.-]/.test(text) ? text : JSON.stringify(text);
}

function yamlList(key: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [`${key}:`, ...values.map(value => `- ${yaml(value)}`)];
}

/** Metrics of the weights that are pushed, on the validation rows of the run and on suites. */
function modelIndex(card: ModelCard): string[] {
  const kept = card.run && keptEvaluation(card.run.config.training, card.run.state);
  const found = [
    ...(kept && card.run
      ? [
          {
            dataset: 'Validation rows of the run',
            metrics: metricsOf(card.run.state)
              .filter(({ name }) => !ON_GENERAL_TEXT.has(name))
              .map(info => ({ ...info, value: kept[info.name]! })),
          },
        ]
      : []),
    ...card.suites.map(({ name, score }) => ({
      dataset: name,
      metrics: [{ name: 'score', title: 'Suite score', value: score }],
    })),
  ]
    .map(({ dataset, metrics }) => ({ dataset, metrics: metrics.filter(({ value }) => Number.isFinite(value)) }))
    .filter(({ metrics }) => metrics.length > 0);
  if (found.length === 0) return [];
  return [
    'model-index:',
    `- name: ${yaml(nameOf(card))}`,
    '  results:',
    ...found.flatMap(({ dataset, metrics }) => [
      '  - task:',
      '      type: text-generation',
      '    dataset:',
      `      name: ${yaml(dataset)}`,
      '      type: custom',
      '    metrics:',
      ...metrics.flatMap(({ name, title, value }) => [
        `    - type: ${yaml(name)}`,
        `      value: ${rounded(value)}`,
        `      name: ${yaml(title)}`,
      ]),
    ]),
  ];
}

const rounded = (value: number) => Number(value.toPrecision(6));

function introduction(card: ModelCard): string {
  const { content, base, method, licence } = card;
  const of = base === null ? '' : ` of [${plain(base)}](https://huggingface.co/${base})`;
  const what = {
    adapter: `An adapter${base === null ? '' : ` for [${plain(base)}](https://huggingface.co/${base})`}`,
    folder: method ? `A fine-tune${of}` : `A copy${of}`,
    gguf: method ? `A fine-tune${of} in GGUF` : `GGUF${of}`,
  }[content];
  const trained = method ? `, trained with ${plain(method.title)}` : '';
  const licensed = licence === null && base !== null ? ' The licence of its base applies.' : '';
  return `${what}${trained}. Made with Tunewright.${licensed}`;
}

function table(rows: readonly (readonly string[])[], [first, ...others]: readonly string[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line([first!, ...others]), line(['---', ...others.map(() => '---:')]), ...rows.map(line)].join('\n');
}

function training({ method, run }: ModelCard): string[] {
  const options = Object.entries(method?.options ?? {}).map(([key, value]) => [key, optionText(value)]);
  const rows = [...(method ? [['method', `${method.title} (${method.peftType})`], ...options] : []), ...runRows(run)];
  return rows.length === 0
    ? []
    : [
        '## Training',
        table(
          rows.map(row => row.map(plain)),
          ['', ''],
        ),
      ];
}

function optionText(value: unknown): string {
  if (Array.isArray(value)) return textOf(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function runRows(run: ModelCard['run']): string[][] {
  if (!run) return [];
  const { config, state } = run;
  const { started, steps, completed } = state;
  const { training: settings, dataset } = config;
  const last = steps.row(steps.length - 1);
  const rows: [string, string | null][] = [
    [
      'trained parameters',
      started &&
        `${count(started.trainable_parameters)} (${percent(started.trainable_parameters / started.total_parameters)})`,
    ],
    ['training rows', started && count(started.train_rows)],
    ['validation rows', started && started.validation_rows > 0 ? count(started.validation_rows) : null],
    ['steps', last ? count(last.step) : null],
    ['tokens', last ? count(last.num_tokens) : null],
    ['sequences per step', String(settings.per_device_train_batch_size * settings.gradient_accumulation_steps)],
    ['longest sequence', counted(dataset.max_length, 'token')],
    ['packing', dataset.packing ? 'yes' : 'no'],
    ['trained on', dataset.train_on],
    ['learning rate', `${settings.learning_rate} (${settings.lr_scheduler_type})`],
    ['weight decay', String(settings.weight_decay)],
    ['seed', String(settings.seed)],
    ['training time', completed && duration(completed.train_seconds)],
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
}

/** Loss first, then the other metrics of evaluations, forgetting included. */
function metricsOf(state: RunState): MetricInfo[] {
  return [VALIDATION_LOSS, ...state.metrics];
}

function results({ run, suites }: ModelCard): string[] {
  const sections: string[] = [];
  const before = run?.state.evaluations.row(0);
  const after = run && keptEvaluation(run.config.training, run.state);
  if (run && before && after)
    sections.push(
      table(
        metricsOf(run.state)
          .filter(({ name }) => Number.isFinite(after[name]))
          .map(info => [
            plain(info.title) + (ON_GENERAL_TEXT.has(info.name) ? ' (on general text)' : ''),
            before.step === 0 ? metricValue(info, before[info.name]!) : '',
            metricValue(info, after[info.name]!),
          ]),
        ['', 'before', 'after'],
      ),
    );
  if (suites.length > 0)
    sections.push(
      table(
        suites.map(({ name, score, passed, total, baseScore }) => [
          plain(name),
          baseScore === null ? '' : percent(baseScore),
          percent(score),
          `${count(passed)} of ${count(total)}`,
        ]),
        ['suite', 'base', 'score', 'rows passed'],
      ),
    );
  return sections.length === 0 ? [] : ['## Results', ...sections];
}

/** The table of the certificate. */
function certificate({ comparisons }: ModelCard): string[] {
  if (comparisons.length === 0) return [];
  const [heading, ...rows] = certificateTable({ comparisons: [...comparisons] });
  return [
    '## Certificate',
    'The files were read again and compared with the model that they were made from:',
    table(
      rows.map(row => row.map(plain)),
      heading!,
    ),
  ];
}

function usage(card: ModelCard): string[] {
  const { content, repo, method, weights } = card;
  const model = (load: string[]) =>
    codeBlock(['from transformers import AutoModelForCausalLM, AutoTokenizer', ...load].join('\n'), 'python');
  const here = (text: string) => [`With Tunewright:`, codeBlock(text, 'sh')];
  if (content === 'gguf') {
    const file = weights[0]!;
    return [
      'With Ollama, or llama.cpp:',
      codeBlock(`ollama run hf.co/${repo}\nllama-cli --hf-repo ${repo} --hf-file ${file}`, 'sh'),
      ...here(`tunewright chat --model ${repo}:${file}`),
    ];
  }
  if (content === 'folder')
    return [
      'With Transformers:',
      model([
        '',
        `model = AutoModelForCausalLM.from_pretrained("${repo}")`,
        `tokenizer = AutoTokenizer.from_pretrained("${repo}")`,
      ]),
      ...here(`tunewright chat --model ${repo}`),
    ];
  const download = `hf download ${repo} --local-dir adapter`;
  return [
    ...(method?.isOfPeft
      ? [
          'With PEFT:',
          model([
            'from peft import PeftModel',
            '',
            `base = AutoModelForCausalLM.from_pretrained("${baseOf(card)}")`,
            `model = PeftModel.from_pretrained(base, "${repo}")`,
            `tokenizer = AutoTokenizer.from_pretrained("${baseOf(card)}")`,
          ]),
        ]
      : []),
    ...here(
      `${download}\ntunewright chat --model ${baseOf(card)} --adapter adapter\n` +
        `tunewright merge --model ${baseOf(card)} --adapter adapter --out model.gguf   # for Ollama, LM Studio, llama.cpp`,
    ),
  ];
}
