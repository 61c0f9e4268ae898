// Whether a written model reads and ends texts as the one that it was made from: token ids of rendered chats and of texts, the tokens
// that end an answer, chat templates. Called by the certificate. A difference ends the export: no tolerance makes a wrong id right.
import type { ChatMessage } from '../../core/data/example.js';
import { GENERAL_TEXTS } from '../../core/evaluation/generalTexts.js';
import { unlessWrong } from '../../core/inputError.js';
import { renderChat, type RenderChatOptions } from '../../core/text/chatTemplate.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { Comparison } from '../../protocol/certificate.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { endTokensOf } from '../models/endTokens.js';
import { endsByText } from './ggufEnds.js';
import { exportDiffers } from './exportDiffers.js';

/** How a model reads and ends texts. */
export interface Language {
  tokenizer: TextTokenizer;
  files: ModelFiles;
}

/** Texts in which tokenizers differ: spaces, numbers, other scripts, apostrophes. */
const TEXTS: readonly string[] = [
  ...GENERAL_TEXTS,
  '  two spaces,\ttabs\n\n\nand  lines \r\n',
  "I'll, you've, WE'RE, 'tis; 1 12 123 1234567 3.14 0x1F",
  'Grüße, naïve façade, Ελληνικά, Привет, مرحبا, שלום, नमस्ते, 北京大学, 東京, 한국어, ไทย, 🙂👩‍👩‍👧, e\u0301',
  'https://example.org/a?b=c&d=%20#e {"key": [null, true]} <b>not a tag</b> $x_1^2$',
];

const TOOL = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather in a town',
    parameters: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] },
  },
};

interface Chat {
  messages: ChatMessage[];
  options?: RenderChatOptions;
}

function chatsOf(prompts: readonly string[]): Chat[] {
  const user = (content: string): ChatMessage => ({ role: 'user', content });
  const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
  const system: ChatMessage = { role: 'system', content: 'Answer in one sentence.' };
  const call = { id: 'a1b2c3d4e', type: 'function', function: { name: 'weather', arguments: { town: 'Ulm' } } };
  const called: ChatMessage[] = [
    user('What is the weather in Ulm?'),
    { role: 'assistant', content: '', tool_calls: [call] },
    { role: 'tool', name: 'weather', tool_call_id: 'a1b2c3d4e', content: '{"degrees": 12}' },
  ];
  return [
    ...prompts.map(prompt => ({ messages: [user(prompt)] })),
    ...TEXTS.map((text, i) => ({ messages: [user(text), assistant(TEXTS[(i + 1) % TEXTS.length]!)] })),
    { messages: [system, user('Hi'), assistant(' Hello! '), user('And now?\n')] },
    { messages: [assistant('I begin.'), user('So be it.')] },
    { messages: called, options: { tools: [TOOL] } },
    { messages: [user('Hi')], options: { tools: [TOOL] } },
  ];
}

/**
 * @param prompts of the run
 * @throws CodedError `export_differs` at the first difference
 */
export function compareTexts(source: Language, written: Language, prompts: readonly string[]): Comparison[] {
  return [compareTemplates(source, written), compareEnds(source, written), compareIds(source, written, prompts)];
}

/** Of what no rounding changes. */
export const EXACT = { difference: 0, bound: 0, why: '', verdict: 'same' } as const;

function compareTemplates(source: Language, { tokenizer: written }: Language): Comparison {
  const { tokenizer, files } = source;
  const names = { chatTemplate: 'chat template', toolTemplate: 'chat template for tools' } as const;
  const kinds = Object.keys(names) as (keyof typeof names)[];
  for (const kind of kinds) {
    const [own, other] = [tokenizer[kind], written[kind]];
    if (own === other) continue;
    const problem =
      own === null
        ? `has a ${names[kind]} that the model doesn't have`
        : other === null
          ? `lacks the ${names[kind]}`
          : `has another ${names[kind]}, from line ${firstDifferentLine(own, other)} on`;
    throw exportDiffers(`it ${problem}`, files);
  }
  const compared = kinds.filter(kind => tokenizer[kind] !== null).length;
  return { what: 'chat template', compared, unit: 'template', with: 'that of the model', ...EXACT };
}

/** Whether texts in many scripts have the same ids. */
export function haveSameTokens(tokenizer: TextTokenizer, other: TextTokenizer): boolean {
  return TEXTS.every(text => String(tokenizer.encode(text)) === String(other.encode(text)));
}

function firstDifferentLine(text: string, other: string): number {
  const lines = other.split('\n');
  return text.split('\n').findIndex((line, i) => line !== lines[i]) + 1 || lines.length;
}

function compareEnds(source: Language, { tokenizer, files }: Language): Comparison {
  const ends = endTokensOf(source);
  const stated = statedEnds(files);
  const named = (ids: number[]) =>
    ids.map(id => JSON.stringify(source.tokenizer.idToToken(id) ?? tokenizer.idToToken(id) ?? id)).join(', ');
  const isKnown = (id: number) => files.format === 'gguf' && endsByText(tokenizer, id);
  const missing = ends.filter(id => !stated.includes(id) && !isKnown(id));
  if (missing.length > 0)
    throw exportDiffers(`answers wouldn't end at ${named(missing)}, as they do in the model`, source.files);
  const further = stated.filter(id => !ends.includes(id));
  if (further.length > 0)
    throw exportDiffers(`answers would end at ${named(further)} too, as they don't in the model`, source.files);
  return { what: 'stop tokens', compared: ends.length, unit: 'token', with: 'those of model and template', ...EXACT };
}

/** The ids that the written files name: other programs don't find them by the template as this one does. */
function statedEnds({ generationConfig, config }: ModelFiles): number[] {
  const stated = generationConfig?.['eos_token_id'] ?? config['eos_token_id'] ?? [];
  return (Array.isArray(stated) ? stated : [stated]).filter(id => typeof id === 'number');
}

function compareIds(source: Language, written: Language, prompts: readonly string[]): Comparison {
  const chats = chatsOf(prompts);
  const special = Object.values(source.tokenizer.specialTokens).join(' and ');
  const texts = [...prompts, ...TEXTS, `${special} ${special}`];
  let compared = 0;
  const check = (what: string, idsOf: (tokenizer: TextTokenizer) => number[] | null) => {
    const [own, other] = [idsOf(source.tokenizer), idsOf(written.tokenizer)];
    if (own?.join() !== other?.join()) throw exportDiffers(differenceOf(what, own, other, source), source.files);
    if (own) compared++;
  };
  for (const [i, { messages, options }] of chats.entries())
    for (const addGenerationPrompt of [false, true])
      check(`chat ${i + 1}`, tokenizer => chatIds(tokenizer, messages, { ...options, addGenerationPrompt }));
  for (const [i, text] of texts.entries()) {
    check(`text ${i + 1}`, tokenizer => tokenizer.encode(text));
    check(`text ${i + 1}`, tokenizer => tokenizer.encode(text, { addSpecialTokens: false }));
  }
  const why = written.files.format === 'gguf' && composesCharacters(source.files) ? NOT_COMPOSED : '';
  return { what: 'token ids', compared, unit: 'text', with: 'rendered chats and texts of the model', ...EXACT, why };
}

/** Of what this project's reader of GGUF files composes, since that is what the model was trained with. */
const NOT_COMPOSED =
  'llama.cpp doesn’t compose characters as this tokenizer does (NFC): where a text has an accent as a character of its own, it has ' +
  'other tokens there';

/** Whether a tokenizer makes one character of a letter and its accent, as those of Qwen do. */
export function composesCharacters({ tokenizer }: ModelFiles): boolean {
  return JSON.stringify(tokenizer?.tokenizer['normalizer'] ?? null).includes('"NFC"');
}

/** null if there is no template, or if it rejects the chat. */
function chatIds(tokenizer: TextTokenizer, messages: ChatMessage[], options: RenderChatOptions): number[] | null {
  if (tokenizer.chatTemplate === null) return null;
  const text = unlessWrong(() => renderChat(tokenizer, messages, options));
  return text === null ? null : tokenizer.encode(text, { addSpecialTokens: false });
}

function differenceOf(
  what: string,
  own: readonly number[] | null,
  other: readonly number[] | null,
  { tokenizer }: Language,
): string {
  if (!own || !other) return `its template ${own ? 'rejects' : 'accepts'} ${what}, unlike that of the model`;
  const at = Math.max(
    0,
    own.findIndex((id, i) => id !== other[i]),
  );
  const described = (id: number | undefined) =>
    id === undefined ? 'the end' : `${id} (${JSON.stringify(tokenizer.decode([id]))})`;
  return `${what} has other token ids, from the ${at + 1}th on: ${described(other[at])} instead of ${described(own[at])}`;
}
