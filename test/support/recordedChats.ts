// Chat templates of popular models and what Transformers makes of conversations with them (test/fixtures/templates/record_chats.py).
import { readFileSync } from 'node:fs';
import { readPythonJson } from './pythonNumbers.js';

interface Result {
  /** Absent if the same as that of the original template, which the patched one is named after. */
  text?: string;
  error?: string;
  /** What {% generation %} marks, in a template that has it. */
  generations?: [start: number, end: number][];
}

interface RecordedChats {
  special_tokens: Record<string, string>;
  now: [year: number, month: number, day: number, hour: number, minute: number, second: number];
  chats: Record<string, Record<string, unknown>>;
  /** By template, then by conversation. */
  results: Record<string, Record<string, Result>>;
}

const FOLDER = 'test/fixtures/templates';

export const recordedChats = readPythonJson(`${FOLDER}/chats.json`) as RecordedChats;

export function recordedTemplate(name: string): string {
  return readFileSync(`${FOLDER}/chats/${name}.jinja`, 'utf8');
}

/** The name of the template that TRL's patched one comes from. */
export function originalOf(name: string): string {
  return name.replace(/_training$/, '');
}

/** What Transformers renders; undefined if the template rejects the conversation. */
export function recordedText(name: string, chat: string): string | undefined {
  const { results } = recordedChats;
  const { text, error } = results[name][chat];
  return error === undefined ? (text ?? results[originalOf(name)][chat].text) : undefined;
}
