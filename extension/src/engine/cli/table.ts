// Text in columns for a terminal. Called by the commands that print tables.

/**
 * @param rows the first one is the heading
 * @param right indices of the columns that are aligned to the right
 */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const columns = Math.max(...rows.map(row => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)));
  const cell = (text: string, i: number) => (right.includes(i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!));
  return rows.map(row => row.map(cell).join('  ').trimEnd()).join('\n');
}

/** Name and value in two columns. */
export function facts(rows: readonly (readonly [string, string])[]): string {
  return table(rows.map(([name, value]) => [`  ${name}`, value]));
}

/** The beginning of a text in one line. */
export function brief(text: string, length: number): string {
  const line = text
    .slice(0, 4 * length)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
