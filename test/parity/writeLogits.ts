// This engine's part of check_adapter.py, which starts it through writeLogits.mjs: logits of whole chats, of the base
// model and with an adapter. It calls the engine like `tunewright generate` and compares nothing itself.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { ChatMessage } from '../../extension/src/core/data/example.js';
import { renderChat } from '../../extension/src/core/text/chatTemplate.js';
import type { TextTokenizer } from '../../extension/src/core/text/textTokenizer.js';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { writeSafetensors } from '../../extension/src/engine/files/safetensors.js';
import type { TensorEntry } from '../../extension/src/engine/files/tensorEntry.js';
import type { CausalLm } from '../../extension/src/engine/models/causalLm.js';
import type { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { loadAdapter, openAdapter } from '../../extension/src/engine/peft/adapterFiles.js';
import { openModel, openModelFiles } from '../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { modelInput } from '../../extension/src/engine/training/microBatch.js';

/** The JSON on standard input. */
interface Request {
  /** As in a run file. */
  model: string;
  /** Folder of the adapter. */
  adapter: string;
  /** If a chat's last turn is the user's, the generation prompt is added. */
  chats: ChatMessage[][];
  /**
   * Folder for `ids.json`, the token ids of each chat, and `logits.safetensors`: `base.<i>`, `adapter.<i>` [tokens,
   * vocab].
   */
  out: string;
}

function idsOf(messages: ChatMessage[], tokenizer: TextTokenizer): Int32Array {
  const text = renderChat(tokenizer, messages, { addGenerationPrompt: messages.at(-1)!.role === 'user' });
  return Int32Array.from(tokenizer.encode(text, { addSpecialTokens: false }));
}

/** Logits [tokens, vocab] of one sequence's own tokens, row-major. */
function logitsOf(ids: Int32Array, model: CausalLm, adapter?: Adapter): Float32Array {
  const options = adapter?.forwardOptions ?? {};
  const virtualTokens = adapter?.forwardOptions.hooks.virtualTokens?.count ?? 0;
  const { vocabSize } = model.architecture;
  const dataset = { get: () => ({ inputIds: ids, labels: ids }), lengthOf: () => ids.length };
  const batch = makeBatch({ sequences: [[0]] }, dataset, { virtualTokens, firstVirtualId: vocabSize });
  // Values are read outside: tidy searches its result for tensors, including every number of an array.
  const logits = tf.tidy(() => model.logits(model.forward(modelInput(batch), options), options));
  const all = logits.dataSync() as Float32Array;
  logits.dispose();
  return all.subarray(virtualTokens * vocabSize);
}

const request = JSON.parse(readFileSync(0, 'utf8')) as Request;
const onDisk = await openModelFiles(request.model, '.', silentReporter);
const { model, tokenizer, architecture } = await openModel(
  onDisk,
  { backend: 'tensorflow', threads: null, base_weights: 'float32', precision: 'float32' },
  silentReporter,
);
const saved = openAdapter(request.adapter, architecture);
const adapter = loadAdapter(saved, model);
saved.close();

const sequences = request.chats.map(messages => idsOf(messages, tokenizer));
const entries = sequences.flatMap((ids, i): TensorEntry[] => {
  const shape = [ids.length, architecture.vocabSize];
  return [
    { name: `base.${i}`, shape, dtype: 'F32', data: () => logitsOf(ids, model) },
    { name: `adapter.${i}`, shape, dtype: 'F32', data: () => logitsOf(ids, model, adapter) },
  ];
});
writeFileSync(join(request.out, 'ids.json'), JSON.stringify(sequences.map(ids => [...ids])));
writeSafetensors(join(request.out, 'logits.safetensors'), entries);
