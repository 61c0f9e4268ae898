// Reads the calls of functions out of an answer, piece by piece, in the forms of Hermes and Qwen (<tool_call> with JSON), Qwen3-Coder
// (<tool_call> with tags) and Llama 3 (an answer that is nothing but JSON, or <|python_tag|> and JSON). What isn't a call of such a
// form stays text. Only for requests that have tools. Pure.
import { parseJsonText } from '../data/jsonText.js';
import { isObject } from '../data/formats/rowFields.js';
import { JinjaTemplate } from './jinja/jinjaTemplate.js';
import { TemplateError } from './jinja/templateError.js';
import { heldLength } from './stopTexts.js';

export interface FunctionCall {
  name: string;
  /** JSON text of an object. */
  arguments: string;
}

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';
const PYTHON_TAG = '<|python_tag|>';

/** Special tokens that have to be in the text for the calls to be found. */
export const TOOL_CALL_TOKENS: ReadonlySet<string> = new Set([OPEN, CLOSE, PYTHON_TAG]);

export class ToolCalls {
  readonly calls: FunctionCall[] = [];
  private held = '';
  private isBegun = false;
  /** A Llama 3 call has no end of its own. */
  private isBare = false;

  /** @param tools of the request, as OpenAI's API has them */
  constructor(private readonly tools: readonly unknown[]) {}

  /** @returns text that is not part of a call */
  push(piece: string): string {
    this.held += piece;
    if (!this.isBegun) {
      const begin = this.held.trimStart();
      if (begin === '' || (begin.length < PYTHON_TAG.length && PYTHON_TAG.startsWith(begin))) return '';
      this.isBegun = true;
      this.isBare = begin.startsWith('{') || begin.startsWith(PYTHON_TAG);
    }
    return this.isBare ? '' : this.readTagged();
  }

  /** @returns what was held back and is no call, at the end of the answer */
  end(): string {
    const { held } = this;
    this.held = '';
    const calls = this.isBare
      ? this.bareCalls(held)
      : held.trimStart().startsWith(OPEN)
        ? this.taggedCalls(held.trimStart())
        : null;
    if (!calls) return this.calls.length > 0 && held.trim() === '' ? '' : held;
    this.calls.push(...calls);
    return '';
  }

  private readTagged(): string {
    let text = '';
    for (;;) {
      const at = this.held.indexOf(OPEN);
      if (at < 0) {
        const end = this.held.length - heldLength(this.held, [OPEN]);
        // White space before a call, and between calls, is part of their layout.
        const spoken = this.held.slice(0, end).trimEnd().length;
        text += this.held.slice(0, spoken);
        this.held = this.held.slice(spoken);
        return text;
      }
      const close = this.held.indexOf(CLOSE, at);
      const before = this.held.slice(0, at);
      if (close < 0) {
        const spoken = before.trimEnd();
        this.held = this.held.slice(spoken.length);
        return text + spoken;
      }
      const end = close + CLOSE.length;
      const block = this.held.slice(at, end);
      this.held = this.held.slice(end);
      const calls = this.taggedCalls(block);
      if (calls) this.calls.push(...calls);
      text += calls ? before.trimEnd() : before + block;
    }
  }

  private taggedCalls(block: string): FunctionCall[] | null {
    const body = block
      .slice(OPEN.length)
      .replace(/<\/tool_call>$/, '')
      .trim();
    if (body.startsWith('<function=')) return this.xmlCall(body);
    const call = callOf(parsed(body), 'arguments') ?? callOf(parsed(body), 'parameters');
    return call && [call];
  }

  /** One or more, separated by semicolons as in Llama 3. */
  private bareCalls(text: string): FunctionCall[] | null {
    const body = text.trim();
    const isTagged = body.startsWith(PYTHON_TAG);
    const calls = jsonValues(isTagged ? body.slice(PYTHON_TAG.length) : body)?.map(
      value => callOf(value, 'parameters') ?? callOf(value, 'arguments'),
    );
    if (!calls || calls.length === 0 || calls.includes(null)) return null;
    // Without a tag, an answer may be any JSON.
    const isKnown = (calls as FunctionCall[]).every(({ name }) => isTagged || this.schemaOf(name) !== null);
    return isKnown ? (calls as FunctionCall[]) : null;
  }

  /** `<function=name><parameter=key>value</parameter>...</function>`: texts, of which the schema says what they are. */
  private xmlCall(body: string): FunctionCall[] | null {
    const found = /^<function=([^<>\s]+)>([^]*?)(?:<\/function>)?$/.exec(body);
    if (!found) return null;
    const [, name, inside] = found as unknown as [string, string, string];
    const parameter = /<parameter=([^<>\s]+)>\n?([^]*?)\n?<\/parameter>/g;
    if (inside.replace(parameter, '').trim() !== '') return null;
    const types = this.schemaOf(name)?.properties;
    const values = [...inside.matchAll(parameter)].map(([, key, value]) => {
      const schema = isObject(types) && Object.hasOwn(types, key!) ? types[key!] : undefined;
      const isText = !isObject(schema) || schema.type === 'string' || parsed(value!) === undefined;
      return [key!, isText ? value! : parsed(value!)] as const;
    });
    const text = json(Object.fromEntries(values));
    return text === null ? null : [{ name, arguments: text }];
  }

  /** The parameters of one of the request's functions; null if it has none of this name. */
  private schemaOf(name: string): Record<string, unknown> | null {
    for (const tool of this.tools) {
      const target = isObject(tool) && isObject(tool.function) ? tool.function : tool;
      if (isObject(target) && target.name === name) return isObject(target.parameters) ? target.parameters : {};
    }
    return null;
  }
}

function callOf(value: unknown, key: 'arguments' | 'parameters'): FunctionCall | null {
  if (!isObject(value) || typeof value.name !== 'string' || value.name === '') return null;
  const given = value[key];
  if (typeof given === 'string') return isObject(parsed(given)) ? { name: value.name, arguments: given } : null;
  const text = isObject(given) ? json(given) : null;
  return text === null ? null : { name: value.name, arguments: text };
}

function parsed(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch {
    return undefined;
  }
}

/** Objects with semicolons or white space between them; null if the text is anything else. */
function jsonValues(text: string): unknown[] | null {
  const values: unknown[] = [];
  let start = 0;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text[at]!;
    if (isText && unit === '\\') at++;
    else if (unit === '"') isText = !isText;
    else if (isText) continue;
    else if (unit === '{' || unit === '[') depth++;
    else if (unit === '}' || unit === ']') {
      if (--depth > 0) continue;
      const value = parsed(text.slice(start, at + 1).replace(/^[\s;]+/, ''));
      if (depth < 0 || value === undefined) return null;
      values.push(value);
      start = at + 1;
    }
  }
  return text.slice(start).trim() === '' ? values : null;
}

const TO_JSON = new JinjaTemplate('{{ value | tojson }}');

/** JSON text with the numbers and the order of keys that the answer has; null if it is nested too deep. */
function json(value: unknown): string | null {
  try {
    return TO_JSON.render({ value }).text;
  } catch (error) {
    if (error instanceof TemplateError) return null;
    throw error;
  }
}
