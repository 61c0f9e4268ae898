// ROUGE of Google's rouge_score without stemmer (Lin 2004: "ROUGE: A Package for Automatic Evaluation of Summaries"): how much two
// texts have in common as words in a row (ROUGE-1, ROUGE-2), or in the same order (ROUGE-L). Called by the check rouge_l and by
// textMetrics.ts. test/fixtures/evaluation has Python's values.

/** Words as rouge_score has them: lower case, a to z and 0 to 9; everything else separates. */
export function rougeWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** F1 of the longest common subsequence of words, 0 to 1; 0 if a text has no words. */
export function rougeL(words: readonly string[], expected: readonly string[]): number {
  return f1(longestCommon(words, expected), words.length, expected.length);
}

/** F1 of the sequences of `length` words, each as often as both texts have it, 0 to 1; 0 if a text has none. */
export function rougeN(words: readonly string[], expected: readonly string[], length: number): number {
  const wanted = sequences(expected, length);
  const left = new Map<string, number>();
  for (const sequence of wanted) left.set(sequence, (left.get(sequence) ?? 0) + 1);
  const given = sequences(words, length);
  let common = 0;
  for (const sequence of given) {
    const count = left.get(sequence) ?? 0;
    if (count === 0) continue;
    left.set(sequence, count - 1);
    common++;
  }
  return f1(common, given.length, wanted.length);
}

/** Of precision and recall, in one division: a limit of 0.6 is met by 6 of 10. */
function f1(common: number, given: number, wanted: number): number {
  return common === 0 ? 0 : (2 * common) / (given + wanted);
}

/** Words have no spaces, so that joined ones can be told apart. */
function sequences(words: readonly string[], length: number): string[] {
  return words.slice(length - 1).map((_, i) => words.slice(i, i + length).join(' '));
}

/** Length of the longest common subsequence, row by row of the usual table. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let lengths = new Int32Array(b.length + 1);
  let previous = new Int32Array(b.length + 1);
  for (const word of a) {
    [lengths, previous] = [previous, lengths];
    for (let j = 1; j <= b.length; j++)
      lengths[j] = word === b[j - 1] ? previous[j - 1] + 1 : Math.max(previous[j], lengths[j - 1]);
  }
  return lengths[b.length];
}
