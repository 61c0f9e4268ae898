// Rows with likely wrong labels: those whose loss is much higher than the losses of rows that ask alike. A high loss alone also has rows
// whose answers can't be known, such as names; rows that ask for those share it. Pure; called by rowOrder.ts.

/** How many of the most similar rows a row is compared with. */
const ALIKE = 16;
/** How many rows are examined for each, so that the work grows with the number of rows and not with its square. */
const EXAMINED = 256;
/** Of a question; what comes later seldom says what is asked. */
const WORDS = 64;

/**
 * For each row its loss minus the median loss of the rows that ask alike: the ALIKE rows with the largest share of common words,
 * each word weighted by the log of how rare it is. Rows that share no word with any other are compared with all rows.
 */
export function excessOverAlike(rows: readonly { question: string; now: number }[]): number[] {
  const words = rows.map(({ question }) => wordsOf(question));
  const rowsWith = new Map<string, number[]>();
  for (const [i, own] of words.entries())
    for (const word of own) {
      const rowsOfWord = rowsWith.get(word);
      if (rowsOfWord) rowsOfWord.push(i);
      else rowsWith.set(word, [i]);
    }
  const weight = (word: string) => Math.log(1 + rows.length / rowsWith.get(word)!.length);
  const sumOf = (some: Iterable<string>) => [...some].reduce((sum, word) => sum + weight(word), 0);
  const sums = words.map(sumOf);
  const ofAll = median(rows.map(({ now }) => now));
  return rows.map(({ now }, i) => {
    const own = words[i]!;
    const similarity = (other: number) => {
      const common = sumOf([...own].filter(word => words[other]!.has(word)));
      return common / (sums[i]! + sums[other]! - common);
    };
    const alike = candidates(own, rowsWith, i)
      .map(other => ({ other, similarity: similarity(other) }))
      .sort((a, b) => b.similarity - a.similarity || a.other - b.other)
      .slice(0, ALIKE);
    return now - (alike.length === 0 ? ofAll : median(alike.map(({ other }) => rows[other]!.now)));
  });
}

/** Rows that share words with row `i`, those that share rare ones first. */
function candidates(own: ReadonlySet<string>, rowsWith: ReadonlyMap<string, number[]>, i: number): number[] {
  const found = new Set<number>();
  const lists = [...own].map(word => rowsWith.get(word)!).sort((a, b) => a.length - b.length);
  for (const list of lists)
    for (const other of list) {
      if (found.size === EXAMINED) return [...found];
      if (other !== i) found.add(other);
    }
  return [...found];
}

function wordsOf(text: string): Set<string> {
  return new Set((text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, WORDS));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
