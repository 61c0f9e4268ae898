// The text of a report of a problem: versions, state, and of the last log what is left without names, paths, rows and tokens. Pure. What may
// be shown is listed here; nothing is shown because it looks harmless.

export interface ProblemFacts {
  /** Name and value, such as the versions of extension, editor and operating system. */
  versions: readonly (readonly [string, string])[];
  /** The same for the latest run: kinds and figures, never names. Empty without one. */
  run: readonly (readonly [string, string])[];
  /** The end of the latest run's log. */
  log: readonly string[];
  /** What must not appear: the names of the user, the machine, the folders, runs, models and datasets. */
  names: readonly string[];
}

/** Lines of the log that the program has written itself; a row or an answer begins like none of them. */
const OWN_LINES = [/^error: /, /^warning: /, /^ {4}at /, /^step +\d+/, /^(Type|Range|Reference|Syntax)?Error: /];

export function problemReport({ versions, run, log, names }: ProblemFacts): string {
  const facts = (title: string, rows: ProblemFacts['versions']) =>
    rows.length === 0
      ? []
      : [`## ${title}`, '', ...rows.map(([name, value]) => `- ${name}: ${anonymous(value, names)}`), ''];
  const own = log.filter(line => OWN_LINES.some(each => each.test(line))).map(line => anonymous(line, names));
  const leftOut = log.length - own.length;
  return [
    '# Tunewright: a problem',
    '',
    'What I did, what I expected, and what happened instead:',
    '',
    '',
    ...facts('Versions', versions),
    ...facts('Latest run', run),
    ...(log.length === 0
      ? []
      : ['## Its log', '', '```', ...own, ...(leftOut > 0 ? [`(${leftOut} other lines left out)`] : []), '```', '']),
  ].join('\n');
}

/**
 * In characters. A longer text is no message of ours, and the expressions below would take seconds for it. It is left out whole, since a
 * part could begin or end within a quotation.
 */
const LONGEST = 1000;

/** A text without what is quoted, paths, addresses, tokens and names. */
export function anonymous(text: string, names: readonly string[]): string {
  if (text.length > LONGEST) return '<text>';
  const known = [...new Set(names)].filter(name => name.length > 1).toSorted((a, b) => b.length - a.length);
  // Names first: a quoted or unquoted path may be one with spaces.
  const withoutNames = known.reduce((rest, name) => rest.replaceAll(name, '<name>'), text);
  return (
    withoutNames
      .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|“[^”]*”|‘[^’]*’|`[^`]*`/g, '<text>')
      .replace(/\b[a-z][a-z\d+.-]*:\/\/\S+/gi, '<address>')
      // The place of an error may be a path with spaces.
      .replace(/^((?:error|warning): )(?:[A-Za-z]:)?[.~]*[\\/](?:(?!(?::\d+)?: ).)*(?=(?::\d+)?: )/, '$1<path>')
      // Also of Windows, and relative ones.
      .replace(/(?:[A-Za-z]:)?(?:[\p{L}\p{N}_.@~<>-]*[\\/])+[^\s:,;)]*/gu, '<path>')
      .replace(/\b[\w.+-]+@[\w-]+\.[\w.-]+\b/g, '<address>')
      // Keys, hashes and identifiers.
      .replace(/\b(?:hf|sk|ghp|github_pat)[_-]\w+|\b(?=\w*\d)(?=\w*[a-zA-Z])[\w-]{20,}/g, '<token>')
      .replace(
        /(?<![\p{L}\p{N}_])[\p{L}\p{N}_.-]+\.(?:jsonl?|ndjson|csv|tsv|txt|parquet|gguf|safetensors|jinja|gz|eval|quarantine)\b/giu,
        '<file>',
      )
      // Hosts: after the code of Node.js, with a port, and as numbers.
      .replace(/\b(E[A-Z][A-Z_]{3,}) [\w.:[\]-]+/g, '$1 <address>')
      .replace(
        /\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?|(?<![\w:])(?=[\da-f:]*::|(?:[\da-f]{1,4}:){4})[\da-f:]{3,}/gi,
        '<address>',
      )
      .replace(/\b[\w-]+(?:\.[\w-]+)+:\d{1,5}\b/g, '<address>')
  );
}
