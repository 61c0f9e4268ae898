// Names, versions and files of Ollama as its own code reads them. Pure; used by the engine's client and by forms. Facts from Ollama's
// `types/model/name.go`, `internal/modelref`, `envconfig/config.go` and `parser/parser.go`.
import { InputError } from '../inputError.js';
import { namedTemplates } from '../text/namedTemplates.js';
import { withoutLogins } from '../withoutLogins.js';

const PART = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/;
const NAMESPACE = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}$/;
const HOST = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}$/;

/**
 * A model's name with its tag: `[HOST/][NAMESPACE/]MODEL[:TAG]`.
 * @throws InputError if Ollama wouldn't accept it, or would look for it in its cloud
 */
export function ollamaName(text: string, key = '--name'): string {
  const fail = (message: string, hint: string) => {
    throw new InputError(message, { key, hint });
  };
  const colon = text.lastIndexOf(':');
  const hasTag = colon > text.lastIndexOf('/');
  const [path, tag] = hasTag ? [text.slice(0, colon), text.slice(colon + 1)] : [text, 'latest'];
  const parts = path.split('/');
  const [model, namespace = 'library', host = 'registry.ollama.ai'] = parts.toReversed();
  if (parts.length > 3 || !PART.test(model) || !NAMESPACE.test(namespace) || !HOST.test(host) || !PART.test(tag))
    fail(
      `${JSON.stringify(text)} isn't a valid model name in Ollama`,
      'Use letters, digits and _ - . such as pirate or me/pirate:v2.',
    );
  if (/^(cloud|local)$|-cloud$/i.test(tag))
    fail(`the tag ${tag} has a meaning of its own in Ollama`, 'Choose another one, such as :latest.');
  return `${path}:${tag}`;
}

/** A name for Ollama or a folder of LM Studio from any text, such as the name of a run. */
export function proposedName(text: string): string {
  const name = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.-]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80);
  return name || 'model';
}

export interface OllamaAddress {
  /** Without a slash at the end. */
  url: string;
  /** Whether it is this machine. */
  isLoopback: boolean;
}

/**
 * Where Ollama's server is, from the value of OLLAMA_HOST.
 * @throws InputError for another scheme than http and https, and for what is no address
 */
export function ollamaAddress(variable: string | undefined): OllamaAddress {
  const value = (variable ?? '')
    .trim()
    .replaceAll(/^["']+|["']+$/g, '')
    .trim();
  const [, given, after] = /^(.*?):\/\/(.*)$/s.exec(value) ?? [];
  const isCloud = value === 'ollama.com';
  const scheme = isCloud ? 'https' : (given ?? 'http');
  if (scheme !== 'http' && scheme !== 'https')
    throw new InputError(`${scheme} isn't a supported scheme`, {
      key: 'OLLAMA_HOST',
      hint: 'Set it to an address such as 127.0.0.1:11434.',
    });
  const defaultPort = given === undefined && !isCloud ? '11434' : scheme === 'http' ? '80' : '443';
  const rest = after ?? value;
  const slash = rest.indexOf('/');
  const [authority, path] = slash < 0 ? [rest, ''] : [rest.slice(0, slash), rest.slice(slash)];
  const [, bracketed, plain, number] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(authority) ?? [];
  const named = bracketed ?? plain ?? (authority.replaceAll(/^[[\]]+|[[\]]+$/g, '') || '127.0.0.1');
  // Addresses that a server listens on, and none, mean this machine.
  const host = named === '' || named === '0.0.0.0' ? '127.0.0.1' : named === '::' ? '::1' : named;
  const port = /^\+?\d+$/.test(number ?? '') && Number(number) <= 65535 ? String(Number(number)) : defaultPort;
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path.replace(/\/+$/, '')}`;
  if (!URL.canParse(url))
    throw new InputError(`${JSON.stringify(withoutLogins(value))} is not an address`, {
      key: 'OLLAMA_HOST',
      hint: 'Set it to one such as 127.0.0.1:11434.',
    });
  return {
    url,
    isLoopback: isLoopbackHost(host),
  };
}

function isLoopbackHost(host: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}

/** From this version on, models are created from files that were sent before. */
export const FILES_SINCE = '0.5.5';
/** From this version on, conversations are rendered with the chat template in the file. */
export const JINJA_SINCE = '0.30.0';

/** Whether a version is at least another one. Builds without a version, 0.0.0, are taken for new ones. */
export function isSince(version: string, since: string): boolean {
  const numbers = (text: string) => (/^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [ours, theirs] = [numbers(version), numbers(since)];
  if (ours.length === 0 || ours.every(number => number === 0)) return true;
  const at = ours.findIndex((number, i) => number !== theirs[i]);
  return at < 0 || ours[at]! > theirs[at]!;
}

/**
 * The file from which the program `ollama` creates a model. It has no TEMPLATE, which would be Go's: the template in the GGUF
 * counts.
 * @param file full path of a GGUF
 * @throws InputError if a text can't be written into such a file
 */
export function modelfile(file: string, parameters: Record<string, string[] | number>): string {
  const lines = Object.entries(parameters).flatMap(([name, value]) =>
    [value].flat().map(each => `PARAMETER ${name} ${typeof each === 'number' ? each : fileText(name, each)}`),
  );
  return [`FROM ${fileText('FROM', file)}`, ...lines, ''].join('\n');
}

/** Ollama's parser drops characters that Go doesn't call printable. */
function fileText(key: string, text: string): string {
  if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(text))
    throw new InputError(`${JSON.stringify(text)} can't be written into a Modelfile`, {
      key,
      hint: 'Start the server, which needs none: ollama serve.',
    });
  return `"""${text}"""`;
}

/**
 * Ollama replaces a chat template by one of its own, in Go, if fewer than this number of edits make one of a list of known templates of
 * it (`template/template.go`), whatever tokens differ. None of those has a tilde.
 */
const EDITS = 100;
const MARK = `{# The model’s own template, which no other one replaces. ${'~'.repeat(EDITS)} #}`;

/** The same template for every Jinja, but none that Ollama takes for one that it knows. @param template chat_template: a text or named ones */
export function unmistakable(template: unknown): unknown {
  if (typeof template === 'string') return marked(template);
  if (!template) return null;
  return namedTemplates(template).map(entry =>
    entry.name === 'default' ? { ...entry, template: marked(entry.template) } : entry,
  );
}

function marked(template: string): string {
  if (template.includes(MARK)) return template;
  // Beside white space, a comment changes what Jinja trims.
  if (/^\S/.test(template)) return MARK + template;
  return /\S$/.test(template) ? template + MARK : template;
}
