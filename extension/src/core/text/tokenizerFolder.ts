// Which files of a model folder make up its tokenizer, and which of them counts where they disagree: as in Transformers
// 5.24. Pure: engine and dataset worker give it their way to read files. Called by files/huggingfaceFolder.ts and
// host/datasets/worker/tokenizerFolder.ts.
import { unusable } from './tokenizerShape.js';
import type { TemplatePlace, TokenizerFiles } from './textTokenizer.js';

type Json = Record<string, unknown>;

/** Reads files of one folder by name; null or nothing if they don't exist. */
export interface FolderReader {
  json(name: string): Json | null;
  text(name: string): string | null;
  /** Names of the files in a folder of that folder. */
  names(folder: string): string[];
}

/** A folder of named templates. */
export const TEMPLATES = 'additional_chat_templates';

/** Files that belong to a tokenizer, and are copied with a model; so is the folder of additional templates. */
export const TOKENIZER_FILES: readonly string[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
];

/** The paths of a folder's tokenizer files. */
export function tokenizerPaths(read: Pick<FolderReader, 'names'>): string[] {
  return [...TOKENIZER_FILES, ...templateNames(read).map(name => `${TEMPLATES}/${name}`)];
}

/** @returns null if the folder has no tokenizer.json */
export function readTokenizerFolder(read: FolderReader): TokenizerFiles | null {
  const tokenizer = read.json('tokenizer.json');
  if (!tokenizer) return null;
  const own = read.json('tokenizer_config.json') ?? {};
  const config = own['added_tokens_decoder'] ? own : withOlderFiles(own, tokenizer, read);
  return {
    tokenizer,
    config: { ...config, chat_template: chatTemplates(config, read) },
    templatePlace: templatePlace(config, read),
  };
}

/** The templates of a folder that may have no tokenizer.json, such as an adapter's: a text, named texts, or null. */
export function readTemplates(read: FolderReader): unknown {
  return chatTemplates(read.json('tokenizer_config.json') ?? {}, read);
}

/**
 * Before `added_tokens_decoder`, there were two more files. special_tokens_map.json overrides tokenizer_config.json,
 * null included.
 */
function withOlderFiles(own: Json, tokenizer: Json, read: FolderReader): Json {
  const map = read.json('special_tokens_map.json') ?? {};
  const config = { ...own, ...map };
  const [before, after] = [own['extra_special_tokens'], map['extra_special_tokens']];
  if (Array.isArray(after)) {
    const special = after.map(token => (typeof token === 'object' ? { ...token, special: true } : token));
    config['extra_special_tokens'] = [...(Array.isArray(before) ? before : []), ...special];
  }
  const added = read.json('added_tokens.json');
  if (!added) return config;
  const special = new Set(specialContents(config));
  const known = ((tokenizer['added_tokens'] ?? []) as unknown[]).map(tokenContent);
  return {
    ...config,
    added_tokens_decoder: Object.fromEntries(
      Object.entries(added).flatMap(([content, id]) => {
        if (known.includes(content)) return [];
        if (!Number.isSafeInteger(id))
          throw unusable(
            `the id of ${JSON.stringify(content)} is ${JSON.stringify(id)}, not a whole number`,
            undefined,
            'added_tokens.json',
          );
        const isSpecial = special.has(content);
        return [[id, { content, special: isSpecial, normalized: !isSpecial }]];
      }),
    ),
  };
}

/** The texts of all values that are tokens. */
function specialContents(config: Json): string[] {
  const lists = [config['extra_special_tokens'], config['additional_special_tokens']].flatMap(list =>
    Array.isArray(list) ? list : [],
  );
  return [...Object.values(config), ...lists].flatMap(value => tokenContent(value) ?? []);
}

/** The text of a token that is a string or an object, as of AddedToken. */
export function tokenContent(value: unknown): string | null {
  const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
  return typeof content === 'string' ? content : null;
}

/** Template files replace the template of the config; chat_template.json is only read where there is no other. */
function chatTemplates(config: Json, read: FolderReader): unknown {
  const single = read.text('chat_template.jinja');
  const named = templateNames(read).map(name => ({
    name: name.slice(0, -'.jinja'.length),
    template: read.text(`${TEMPLATES}/${name}`),
  }));
  if (named.length > 0) return single === null ? named : [{ name: 'default', template: single }, ...named];
  return single ?? config['chat_template'] ?? read.json('chat_template.json')?.['chat_template'] ?? null;
}

/** Relative to the folder. */
function templatePlace(config: Json, read: FolderReader): TemplatePlace {
  if (read.text('chat_template.jinja') !== null) return { file: 'chat_template.jinja' };
  if (templateNames(read).length > 0) return { file: TEMPLATES };
  return { file: config['chat_template'] ? 'tokenizer_config.json' : 'chat_template.json', key: 'chat_template' };
}

function templateNames(read: Pick<FolderReader, 'names'>): string[] {
  return read.names(TEMPLATES).filter(name => name.endsWith('.jinja'));
}
