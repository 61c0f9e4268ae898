// The little English grammar that the generators need: articles, lists, verb endings, sentence starts.
// Called by the corpus and dataset scripts; knows only the words that the world's tables use.

/** @param {string} noun */
export const withArticle = noun => `${/^[aeiou]/i.test(noun) && !/^(uni|use|one)/i.test(noun) ? 'an' : 'a'} ${noun}`;

/** @param {string} text */
export const capitalize = text => text[0].toUpperCase() + text.slice(1);

/** "a", "a and b", "a, b and c". @param {readonly string[]} items */
export const joinList = items =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;

const irregularThirdPerson = new Map([
  ['be', 'is'],
  ['have', 'has'],
  ['go', 'goes'],
  ['do', 'does'],
]);

/** "run" -> "runs"; only the first word changes: "bake bread" -> "bakes bread". @param {string} verb */
export function thirdPerson(verb) {
  const [first, ...rest] = verb.split(' ');
  let form = irregularThirdPerson.get(first);
  if (!form) {
    if (/(s|sh|ch|x|z)$/.test(first)) form = `${first}es`;
    else if (/[^aeiou]y$/.test(first)) form = `${first.slice(0, -1)}ies`;
    else form = `${first}s`;
  }
  return [form, ...rest].join(' ');
}

/**
 * Rows of a table written as text, one a line, cells between bars: easier to read and check than nested literals.
 * @param {string} columns names between blanks
 * @param {string} rows
 * @returns {Record<string, string>[]}
 */
export function table(columns, rows) {
  const names = columns.split(' ');
  return rows
    .trim()
    .split('\n')
    .map(line => {
      const cells = line.split('|').map(cell => cell.trim());
      if (cells.length !== names.length) throw new Error(`${cells.length} cells, not ${names.length}: ${line}`);
      return Object.fromEntries(names.map((name, i) => [name, cells[i]]));
    });
}

/** Non-empty trimmed lines. @param {string} text */
export const lines = text =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean);
