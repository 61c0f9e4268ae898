// Metrics of evaluation as text.
import { expect, test } from 'vitest';
import { metricText, metricValue } from '../../../../extension/src/core/metrics/metricText.js';

const info = { name: 'metric', better: 'lower', follows_loss: false } as const;

test('a metric by itself has as many digits as tell checkpoints apart', () => {
  expect(metricValue({ unit: 'share' }, 0.4123)).toBe('41.2%');
  expect(metricValue({ unit: 'number' }, 0.93089)).toBe('0.931');
});

test('a metric in a line of text: its name in lower case, abbreviations as they are', () => {
  expect(metricText({ ...info, title: 'Token accuracy', unit: 'share' }, 0.25)).toBe('token accuracy 25%');
  expect(metricText({ ...info, title: 'KL divergence from the base', unit: 'number' }, 2.7)).toBe(
    'KL divergence from the base 2.70',
  );
});
