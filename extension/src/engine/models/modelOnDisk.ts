// A model whose files are open and checked; no weight is read yet. Created by run/openModel.ts.
import type { TemplatePlace, TextTokenizer } from '../../core/text/textTokenizer.js';
import { templatesOf } from '../../core/text/namedTemplates.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { Architecture } from './architecture.js';

export interface ModelOnDisk {
  files: ModelFiles;
  architecture: Architecture;
  tokenizer: TextTokenizer;
}

/** The model with another chat template than its folder has, which is written wherever the tokenizer is. */
export function withTemplate(
  { files, ...onDisk }: ModelOnDisk,
  template: unknown,
  templatePlace: TemplatePlace,
): ModelOnDisk {
  return {
    ...onDisk,
    files: filesWithTemplate(files, template, templatePlace),
    tokenizer: { ...onDisk.tokenizer, ...templatesOf(template), templatePlace },
  };
}

/** The same for its files. */
export function filesWithTemplate(files: ModelFiles, template: unknown, templatePlace: TemplatePlace): ModelFiles {
  const { tokenizer } = files;
  return {
    ...files,
    tokenizer: tokenizer && { ...tokenizer, config: { ...tokenizer.config, chat_template: template }, templatePlace },
    ownTemplate: template,
  };
}
