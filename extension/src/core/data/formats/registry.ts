// All dataset formats. A new one is a file and a line here.
import { alpaca } from './alpaca.js';
import type { DatasetFormat } from './datasetFormat.js';
import { messages } from './messages.js';
import { preference } from './preference.js';
import { promptCompletion } from './promptCompletion.js';
import { sharegpt } from './sharegpt.js';
import { text } from './text.js';
import { tokenized } from './tokenized.js';

export const datasetFormats: readonly DatasetFormat[] = [
  alpaca,
  sharegpt,
  messages,
  promptCompletion,
  preference,
  text,
  tokenized,
];
