// A model whose files are open and checked; no weight is read yet. Created by run/openModel.ts.
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { Architecture } from './architecture.js';

export interface ModelOnDisk {
  files: ModelFiles;
  architecture: Architecture;
  tokenizer: TextTokenizer;
}
