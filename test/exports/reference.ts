// This engine's part of `npm run test:exports`, started through reference.mjs: what every exported file is compared with. For each model with
// its adapters, the token ids of chats and texts, the tokens that end an answer, the template, and log-probabilities of rows, of which the last are
// prompts with their greedy answers.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { ChatMessage } from '../../extension/src/core/data/example.js';
import { GENERAL_TEXTS } from '../../extension/src/core/evaluation/generalTexts.js';
import { renderChat } from '../../extension/src/core/text/chatTemplate.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { composesCharacters } from '../../extension/src/engine/export/compareTexts.js';
import { mergeAdapters } from '../../extension/src/engine/export/mergedModel.js';
import { architectureOfFiles } from '../../extension/src/engine/models/loadModel.js';
import { computedOnUse } from '../../extension/src/engine/models/changedParameters.js';
import { endTokensOf } from '../../extension/src/engine/models/endTokens.js';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { openAdapter } from '../../extension/src/engine/peft/adapterFiles.js';
import { findModelFiles, tokenizerOf } from '../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { modelInput } from '../../extension/src/engine/training/microBatch.js';

/** An item of the JSON on standard input. */
interface Job {
  /** As in a run file. */
  model: string;
  /** Folders, each on top of those before it. */
  adapters: string[];
  /** Folder for reference.json and logprobs.bin, the rows' log-probabilities [tokens, vocab] one after the other. */
  out: string;
}

const CHATS: ChatMessage[][] = [
  [{ role: 'user', content: 'Where is the treasure?' }],
  [
    { role: 'user', content: 'Hello,  world! 123 4567' },
    { role: 'assistant', content: ' Grüße, 北京 🙂\n\n- one\n- two ' },
    { role: 'user', content: "And now? I'll wait." },
  ],
  ...GENERAL_TEXTS.slice(0, 4).map(content => [{ role: 'user', content }]),
];
const TEXTS = [...GENERAL_TEXTS, '  two spaces\tand a tab', 'e\u0301 naïve Ελληνικά مرحبا 12.5%'];
/** Of each text. With a third of these tokens in all, the KL of low-bit files was uncertain by a tenth: all that it may differ from llama.cpp's. */
const ROW_TOKENS = 96;
const ANSWERS = 2;
const ANSWER_TOKENS = 12;

await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
for (const { model: reference, adapters, out } of JSON.parse(readFileSync(0, 'utf8')) as Job[]) {
  const base = await findModelFiles(reference, '.', silentReporter);
  const saved = adapters.map(folder => openAdapter(folder, architectureOfFiles(base), { files: base }));
  const merged = mergeAdapters(base, saved, silentReporter.warn);
  const tokenizer = tokenizerOf(merged.files);
  const hasTemplate = tokenizer.chatTemplate !== null;
  const chats = hasTemplate ? CHATS.map(chat => renderChat(tokenizer, chat, { addGenerationPrompt: true })) : [];
  const idsOf = (text: string, addSpecialTokens: boolean) => tokenizer.encode(text, { addSpecialTokens });
  const texts = [
    ...chats.map(text => ({ text, ids: idsOf(text, false) })),
    ...TEXTS.map(text => ({ text, ids: idsOf(text, false) })),
  ];
  const [adapter] = merged.adapters;
  const options = merged.adapters.length === 1 ? adapter!.forwardOptions : { replaced: computedOnUse(merged.changed) };
  const logProbabilities = async (row: number[]): Promise<Float32Array> => {
    const ids = Int32Array.from(row);
    const dataset = { get: () => ({ inputIds: ids, labels: ids }), lengthOf: () => ids.length };
    const input = modelInput(makeBatch({ sequences: [[0]] }, dataset));
    const logits = tf.tidy(() => tf.logSoftmax(merged.model.logits(merged.model.forward(input, options), options)));
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    return values;
  };
  const rows = texts.map(({ ids }) => ids.slice(0, ROW_TOKENS));
  const answers: { row: number; from: number }[] = [];
  for (const { ids } of texts.slice(0, ANSWERS)) {
    const row = [...ids];
    for (let i = 0; i < ANSWER_TOKENS; i++) {
      const values = await logProbabilities(row);
      const last = values.subarray(values.length - values.length / row.length);
      row.push(last.indexOf(last.reduce((most, value) => Math.max(most, value))));
    }
    answers.push({ row: rows.push(row) - 1, from: ids.length });
  }
  const parts: Buffer[] = [];
  for (const row of rows) {
    const values = await logProbabilities(row);
    parts.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  }
  const { vocabSize } = merged.model.architecture;
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'logprobs.bin'), Buffer.concat(parts));
  writeFileSync(
    join(out, 'reference.json'),
    JSON.stringify({
      chats: hasTemplate ? CHATS.map((messages, i) => ({ messages, ids: texts[i]!.ids })) : [],
      texts,
      rows,
      answers,
      vocab: parts.reduce((sum, { length }) => sum + length, 0) / 4 / rows.flat().length || vocabSize,
      ends: endTokensOf({ tokenizer, files: merged.files }),
      template: tokenizer.chatTemplate,
      composes: composesCharacters(merged.files),
    }),
  );
  merged.dispose();
  for (const each of saved) each.close();
  base.close();
}
process.exit(0);
