// ROUGE-L of Google's rouge_score without stemmer (Lin 2004: "ROUGE: A Package for Automatic Evaluation of Summaries"): how much two
// texts have in common as words in the same order. Called by the check rouge_l. test/fixtures/evaluation has Python's values.

/** Words as rouge_score has them: lower case, a to z and 0 to 9; everything else separates. */
export function rougeWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** F1 of the longest common subsequence of words, 0 to 1; 0 if a text has no words. */
export function rougeL(words: readonly string[], expected: readonly string[]): number {
  if (words.length === 0 || expected.length === 0) return 0;
  // Of precision and recall, in one division: a limit of 0.6 is met by 6 of 10.
  return (2 * longestCommon(words, expected)) / (words.length + expected.length);
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
