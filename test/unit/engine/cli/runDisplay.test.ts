// The display of a run on a plain stream, as in a log file.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { runDisplay } from '../../../../extension/src/engine/cli/runDisplay.js';
import type { EngineEvent, EngineEventBody } from '../../../../extension/src/protocol/engineEvent.js';

let lines: string[];
beforeEach(() => {
  lines = [];
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    lines.push(...String(text).trimEnd().split('\n'));
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const started: EngineEventBody = {
  type: 'started',
  version: 1,
  objective: 'causal_lm',
  metrics: [
    { name: 'perplexity', title: 'Perplexity', better: 'lower', unit: 'number', follows_loss: true },
    { name: 'token_accuracy', title: 'Token accuracy', better: 'higher', unit: 'share', follows_loss: false },
  ],
  metric_for_best_model: 'loss',
  name: 'tone',
  engine: { version: '0', backend: 'tensorflow', library: '2.21.0', device: 'CPU', threads: 2 },
  model: 'm',
  peft_type: 'LORA',
  trainable_parameters: 460800,
  total_parameters: 134975808,
  train_rows: 200,
  validation_rows: 20,
  dataset_hash: 'x',
  total_steps: 200,
  resumed_from_step: 0,
  memory_estimate: { weights: 5e8, gradients: 0, optimizer: 0, activations: 0, temporary: 0, total: 1.5e9 },
};
const step = (number: number): EngineEventBody => ({
  type: 'step',
  step: number,
  epoch: 0,
  loss: 2,
  grad_norm: 1,
  learning_rate: 1e-4,
  num_tokens: 1,
  tokens_per_second: 1234,
  step_ms: 500,
  rss_bytes: 1e9,
});

function show(...events: EngineEventBody[]): void {
  const display = runDisplay();
  for (const [seq, event] of events.entries())
    display.show({ seq, time: '2026-01-31T14:25:00Z', ...event } as EngineEvent);
  display.finish();
}

it('prints the metrics of the run’s objective after the validation loss', () => {
  const metrics = { perplexity: Math.exp(2), token_accuracy: 0.25 };
  show(started, { type: 'evaluated', step: 3, loss: 2, metrics, num_label_tokens: 9, best: true, eval_ms: 1 });
  expect(lines.at(-1)).toBe('step 3  validation loss 2.0000  perplexity 7.39  token accuracy 25%  (best)');
});

it('names the metric that chooses the best evaluation, if that isn’t the loss', () => {
  const byAccuracy = { ...started, metric_for_best_model: 'token_accuracy' } as EngineEventBody;
  const metrics = { perplexity: Math.exp(2), token_accuracy: 0.25 };
  show(byAccuracy, { type: 'evaluated', step: 3, loss: 2, metrics, num_label_tokens: 9, best: true, eval_ms: 1 });
  expect(lines.at(-1)).toMatch(/token accuracy 25% {2}\(best token accuracy\)$/);
  const end = { step: 6, train_seconds: 1, best_step: 3, best_loss: 2, adapter: 'adapter', peak_rss_bytes: 1 };
  show(byAccuracy, { type: 'completed', reason: 'early_stopping', ...end, best_metric: 0.25 });
  expect(lines.at(-1)).toContain('Stopped early (no better token accuracy) after 6 steps');
  expect(lines.at(-1)).toContain('best token accuracy 25.0% at step 3 (validation loss 2.0000)');
  show(started, { type: 'completed', reason: 'finished', ...end, best_metric: 2 });
  expect(lines.at(-1)).toContain('Done after 6 steps and 0:01 of training, best validation loss 2.0000 at step 3,');
});

it('prints the number of trainable parameters and the memory', () => {
  show(started);
  expect(lines.join('\n')).toMatch(/460,800 of 134,975,808 parameters \(0\.34%\)/);
  expect(lines.join('\n')).toContain('1.5 GB');
});

it('prints at most 50 step lines, including the last', () => {
  show(started, ...Array.from({ length: 199 }, (_, i) => step(i + 1)), step(200));
  const steps = lines.filter(line => /^step \d+\/200/.test(line));
  expect(steps).toHaveLength(50);
  expect(steps.at(-1)).toMatch(/^step 200\/200 +loss 2\.000 +1,234 tokens\/s +0:00 left/);
  expect(steps[0]).toMatch(/^step 4\/200 .* 1:38 left/);
});

it('shows warnings immediately', () => {
  show(started, { type: 'warned', code: 'x', message: 'rows were cut' });
  expect(lines).toContain('warning: rows were cut');
});
