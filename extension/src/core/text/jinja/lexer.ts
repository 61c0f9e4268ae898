// Cuts the source of a Jinja template into tokens, by the rules of Jinja2's lexer with trim_blocks and lstrip_blocks, as
// Transformers sets them. Called by parser.ts only. Line breaks of the source are read as \n, and the last one is dropped.
import { strip } from './pythonStrings.js';
import { SPACE_CHARACTERS } from './pythonValues.js';
import { TemplateError } from './templateError.js';

export type TokenKind =
  | 'data'
  | 'blockBegin'
  | 'blockEnd'
  | 'variableBegin'
  | 'variableEnd'
  | 'name'
  | 'integer'
  | 'float'
  | 'string'
  | 'operator'
  | 'end';

export interface Token {
  kind: TokenKind;
  /** Text of data, names and operators; strings are unescaped. */
  text: string;
  line: number;
}

const SPACE = `[${SPACE_CHARACTERS}]`;
const NEXT_TAG = /\{(?:%|\{|#)/g;
const RAW_BEGIN = new RegExp(`\\{%([-+]?)${SPACE}*raw${SPACE}*(?:-%\\}${SPACE}*|%\\})`, 'y');
const RAW_END = new RegExp(`\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:\\+%\\}|-%\\}${SPACE}*|%\\}\\n?)`, 'g');
const COMMENT_END = new RegExp(`(?:\\+#\\}|-#\\}${SPACE}*|#\\}\\n?)`, 'g');
const BLOCK_END = new RegExp(`\\+%\\}|-%\\}${SPACE}*|%\\}\\n?`, 'y');
const VARIABLE_END = new RegExp(`-\\}\\}${SPACE}*|\\}\\}`, 'y');
const SPACES = new RegExp(`${SPACE}+`, 'y');
const ONLY_SPACES = new RegExp(`^${SPACE}*$`);
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
const STRING = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const OPERATOR = /\*\*|\/\/|==|!=|<=|>=|[-+/*%~[\](){}<>=.:|,;]/y;
const CLOSING: Record<string, string> = { '(': ')', '[': ']', '{': '}' };

/** @throws TemplateError at what isn't Jinja */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  let position = 0;
  let line = 1;

  const advance = (end: number) => {
    for (; position < end; position++) if (source[position] === '\n') line++;
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    return pattern.exec(source);
  };
  const push = (kind: TokenKind, text: string) => tokens.push({ kind, text, line });
  const pushData = (end: number, sign: string, isVariable: boolean) => {
    const text = stripBeforeTag(
      source.slice(position, end),
      sign,
      isVariable,
      position === 0 || source[position - 1] === '\n',
    );
    if (text !== '') push('data', text);
    advance(end);
  };

  while (position < source.length) {
    const tag = match(NEXT_TAG);
    if (!tag) {
      push('data', source.slice(position));
      break;
    }
    const sign = /[-+]/.test(source[tag.index + 2] ?? '') ? source[tag.index + 2] : '';
    pushData(tag.index, sign, tag[0] === '{{');
    const raw = match(RAW_BEGIN);
    if (raw) {
      advance(position + raw[0].length);
      const end = match(RAW_END);
      if (!end) throw new TemplateError('{% raw %} has no {% endraw %}', line);
      pushData(end.index, end[1], false);
      advance(end.index + end[0].length);
    } else if (tag[0] === '{#') {
      advance(position + 2 + sign.length);
      const end = match(COMMENT_END);
      if (!end) throw new TemplateError('the comment has no end', line);
      advance(end.index + end[0].length);
    } else {
      advance(position + 2 + sign.length);
      readTag(tag[0] === '{{');
    }
  }
  push('end', '');
  return tokens;

  function readTag(isVariable: boolean): void {
    push(isVariable ? 'variableBegin' : 'blockBegin', '');
    const open: string[] = [];
    for (;;) {
      const end = open.length === 0 ? match(isVariable ? VARIABLE_END : BLOCK_END) : null;
      if (end) {
        push(isVariable ? 'variableEnd' : 'blockEnd', '');
        advance(position + end[0].length);
        return;
      }
      const space = match(SPACES);
      if (space) {
        advance(position + space[0].length);
        continue;
      }
      readToken(open);
    }
  }

  function readToken(open: string[]): void {
    const kinds: [TokenKind, RegExp][] = [
      ['float', FLOAT],
      ['integer', INTEGER],
      ['name', NAME],
      ['string', STRING],
      ['operator', OPERATOR],
    ];
    for (const [kind, pattern] of kinds) {
      const found = match(pattern);
      if (!found) continue;
      const text = found[0];
      if (kind === 'operator') {
        if (text in CLOSING) open.push(CLOSING[text]);
        else if (')]}'.includes(text) && open.pop() !== text) throw new TemplateError(`unexpected "${text}"`, line);
      }
      push(kind, kind === 'string' ? unescape(text.slice(1, -1), line) : text);
      advance(position + text.length);
      return;
    }
    const rest = source.slice(position, position + 1);
    throw new TemplateError(rest === '' ? 'the template ends inside a tag' : `unexpected "${rest}"`, line);
  }
}

/** What remains of the text before a tag: `-` strips it; `lstrip_blocks` strips the indentation of a block that begins its line. */
function stripBeforeTag(text: string, sign: string, isVariable: boolean, beginsLine: boolean): string {
  if (sign === '-') return strip(text, null, 'rstrip');
  if (sign === '+' || isVariable) return text;
  const lineStart = text.lastIndexOf('\n') + 1;
  if (lineStart === 0 && !beginsLine) return text;
  return ONLY_SPACES.test(text.slice(lineStart)) ? text.slice(0, lineStart) : text;
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  "'": "'",
  '"': '"',
  '\\': '\\',
  '\n': '',
};

/** Python's escapes; a backslash before any other character stays. */
function unescape(text: string, line: number): string {
  const pattern = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|(.))/gs;
  return text.replace(pattern, (whole, x?: string, u?: string, long?: string, octal?: string, char?: string) => {
    if (char !== undefined && !'xuUN'.includes(char)) return ESCAPES[char] ?? whole;
    const hex = x ?? u ?? long;
    const code = hex !== undefined ? parseInt(hex, 16) : octal !== undefined ? parseInt(octal, 8) : NaN;
    if (code <= 0x10ffff) return String.fromCodePoint(code);
    throw new TemplateError(`the string has an escape that can't be read: ${whole}`, line);
  });
}
