// `tunewright evaluate --forgetting`: how far an adapter has moved its base on general text, as a run measures it.
import { resolve } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { count } from '../../core/units.js';
import { countLabels } from '../../core/data/example.js';
import { loadAdapter, openAdapter } from '../peft/adapterFiles.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import { usableLength } from '../peft/attachedMethod.js';
import { generalRows } from '../run/generalRows.js';
import { openModel, openModelFiles } from '../run/openModel.js';
import { nonFiniteLoss } from '../training/evaluate.js';
import { ForgettingMeter } from '../training/forgetting.js';
import { engineOf, weightsOf, type EngineFlags, type WeightFlags } from './engineOptions.js';
import { print, printJson } from './print.js';
import { progressDisplay } from './progressDisplay.js';

interface ForgettingFlags extends EngineFlags, WeightFlags {
  model: string;
  adapter?: string[];
  generalTexts?: string;
  json?: boolean;
}

/** @throws InputError unless there is exactly one adapter */
export async function evaluateForgetting(flags: ForgettingFlags): Promise<void> {
  const [path, ...more] = flags.adapter ?? [];
  if (path === undefined || more.length > 0)
    throw new InputError('forgetting is measured between a base and one adapter', {
      key: '--adapter',
      hint: 'Name one adapter of this model. A run that trains the whole model has these figures in its own events.',
    });
  const progress = progressDisplay();
  const base = await openModelFiles(flags.model, '.', progress);
  const saved = openAdapter(path, base.architecture, { files: base.files, onWarning: progress.warn });
  const onDisk = modelForAdapter(base, saved, progress.warn);
  const { architecture } = saved.attached;
  const rows = await generalRows({
    file: flags.generalTexts === undefined ? null : resolve(flags.generalTexts),
    tokenizer: onDisk.tokenizer,
    embeddingRows: architecture.vocabSize,
    usableLength: usableLength(architecture, saved.attached),
    reporter: progress,
    key: '--general-texts',
  });
  const { model } = await openModel(onDisk, { ...engineOf(flags), ...weightsOf(flags) }, progress);
  const adapter = loadAdapter(saved, model);
  saved.close();
  const meter = await ForgettingMeter.open(model, rows, adapter);
  const measured = await meter.measure(adapter.forwardOptions);
  progress.finish();
  if (!Object.values(measured).every(Number.isFinite)) throw nonFiniteLoss('the loss on general text', path);
  const tokens = rows.reduce((sum, { labels }) => sum + countLabels(labels), 0);
  if (flags.json)
    printJson({ ...measured, base_general_loss: meter.baseLoss, num_label_tokens: tokens, rows: rows.length });
  else
    print(
      `KL divergence from the base ${measured.kl_from_base.toFixed(4)} per token  ` +
        `loss on general text ${measured.general_loss.toFixed(4)}, base ${meter.baseLoss.toFixed(4)}  ` +
        `(${count(rows.length)} texts, ${count(tokens)} tokens)`,
    );
  meter.dispose();
  adapter.dispose();
  model.dispose();
  onDisk.files.close();
}
