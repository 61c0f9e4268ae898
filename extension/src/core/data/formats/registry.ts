// Every dataset format, one line each: a new one is its file and its line here.
import { alpaca } from './alpaca.js';
import type { DatasetFormat } from './datasetFormat.js';
import { messages } from './messages.js';
import { promptCompletion } from './promptCompletion.js';
import { sharegpt } from './sharegpt.js';
import { text } from './text.js';
import { tokenized } from './tokenized.js';

export const datasetFormats: readonly DatasetFormat[] = [alpaca, sharegpt, messages, promptCompletion, text, tokenized];
