// The dataset for general models such as SmolLM2: everyday questions with answers in a form that can be checked, a line that begins
// with "In short:" and three bullet points. The texts are in instructionTopics.txt. Called by writeDatasets.mjs.
import { readFileSync } from 'node:fs';
import { lines } from '../../../../media/corpus/language.mjs';

const VALIDATION_TOPICS = 13;

/** @param {string} summary @param {string[]} points */
const answer = (summary, points) => [`In short: ${summary}`, ...points.map(point => `- ${point}`)].join('\n');

/** @returns {{ topic: string, rows: object[] }[]} */
function readTopics() {
  const topics = [];
  for (const line of lines(readFileSync(new URL('instructionTopics.txt', import.meta.url), 'utf8'))) {
    if (line.startsWith('## ')) {
      topics.push({ topic: line.slice(3), rows: [] });
    } else if (!line.startsWith('#')) {
      const [question, summary, ...points] = line.split('|').map(part => part.trim());
      if (points.length !== 3) throw new Error(`instructionTopics.txt: not three points: ${line}`);
      topics.at(-1).rows.push({
        messages: [
          { role: 'user', content: question },
          { role: 'assistant', content: answer(summary, points) },
        ],
      });
    }
  }
  return topics;
}

/**
 * @param {import('../random.mjs').Random} random
 * @returns {{ train: object[], validation: object[] }} rows of the `messages` format; no topic is in both
 */
export function instructionRows(random) {
  const topics = random.shuffle(readTopics());
  const rows = chosen => random.shuffle(chosen.flatMap(topic => topic.rows));
  return { train: rows(topics.slice(VALIDATION_TOPICS)), validation: rows(topics.slice(0, VALIDATION_TOPICS)) };
}
