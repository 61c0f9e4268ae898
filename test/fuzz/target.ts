// The part of `npm run fuzz` (fuzz.mjs) that reads damaged files, in a process of its own, with the functions of the engine's
// commands. Answers what became of each: read, refused by an InputError, or a fault.
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { InputError } from '../../extension/src/core/inputError.js';
import { renderChat } from '../../extension/src/core/text/chatTemplate.js';
import { createTokenizer } from '../../extension/src/core/text/huggingFaceTokenizer.js';
import type { TextTokenizer, TokenizerFiles } from '../../extension/src/core/text/textTokenizer.js';
import { loadDataset } from '../../extension/src/engine/data/loadDataset.js';
import { openGguf } from '../../extension/src/engine/files/ggufModel.js';
import { openHuggingFaceFolder, readTokenizer } from '../../extension/src/engine/files/huggingfaceFolder.js';
import type { ModelFiles } from '../../extension/src/engine/files/tensorSource.js';
import { architectureOfFiles, findTensors } from '../../extension/src/engine/models/loadModel.js';
import { checkAdapterTensors, openAdapter, planOfSaved } from '../../extension/src/engine/peft/adapterFiles.js';
import { withinTime } from '../../extension/src/system/boundedWork.js';

interface Input {
  kind: 'rows' | 'model' | 'adapter' | 'gguf';
  /** The damaged file. */
  path: string;
  /** Folder that it belongs to; for `adapter`, the base model is `base`. */
  folder: string;
  base: string;
}

export interface Outcome {
  outcome: 'read' | 'refused' | 'fault';
  message: string;
}

let tokenizer: TextTokenizer | null = null;

const readers: Record<Input['kind'], (input: Input) => Promise<void> | void> = {
  async rows({ path, base }) {
    tokenizer ??= createTokenizer(readTokenizer(base)!, withinTime);
    const config = { format: 'auto', columns: {}, max_length: 64, train_on: 'all', truncation: 'end' } as const;
    const options = { file: path, config, tokenizer, role: 'train', onWarning: () => {} } as const;
    const dataset = await loadDataset(options as unknown as Parameters<typeof loadDataset>[0]);
    dataset.close();
  },
  model: ({ path, folder }) => {
    const copy = mkdtempSync(join(tmpdir(), 'tunewright-fuzz-model-'));
    cpSync(folder, copy, { recursive: true });
    cpSync(path, join(copy, basename(path).replace(/^\d+-/, '')));
    useModel(openHuggingFaceFolder(copy, copy));
  },
  gguf: ({ path }) => useModel(openGguf(path, path)),
  adapter: ({ path, folder, base }) => {
    const copy = mkdtempSync(join(tmpdir(), 'tunewright-fuzz-adapter-'));
    cpSync(folder, copy, { recursive: true });
    cpSync(path, join(copy, 'adapter_config.json'));
    const files = openHuggingFaceFolder(base, base);
    const saved = openAdapter(copy, architectureOfFiles(files));
    checkAdapterTensors(saved, planOfSaved(saved, 'inference'));
    saved.close();
    files.close();
  },
};

function useModel(files: ModelFiles): void {
  try {
    findTensors(files, architectureOfFiles(files));
    if (files.tokenizer) useTokenizer(files.tokenizer);
  } finally {
    files.close();
  }
}

function useTokenizer(files: TokenizerFiles): void {
  const opened = createTokenizer(files, withinTime);
  const messages = [
    { role: 'user' as const, content: 'Hello, wörld! 12 345\n\n\tdef f(x): return x' },
    { role: 'assistant' as const, content: 'Yes.' },
  ];
  const text = opened.chatTemplate === null ? messages[0]!.content : renderChat(opened, messages);
  opened.decode(opened.encode(text));
  opened.decode([0, 1, 2], { skipSpecialTokens: true });
}

async function outcomeOf(input: Input): Promise<Outcome> {
  try {
    await readers[input.kind](input);
    return { outcome: 'read', message: '' };
  } catch (error) {
    if (error instanceof InputError) {
      // Rows and commands add where the chat is from.
      const isNamed = error.where !== '' || error.message.startsWith('the chat template');
      return { outcome: isNamed ? 'refused' : 'fault', message: error.message };
    }
    return { outcome: 'fault', message: String((error as Error).stack ?? error) };
  }
}

process.on('message', (input: Input) => void outcomeOf(input).then(outcome => process.send!(outcome)));
