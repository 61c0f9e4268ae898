import { describe, expect, it, test } from 'vitest';
import {
  currentStep,
  initialRunState,
  reduceRun,
  secondsLeft,
  type RunState,
} from '../../../../extension/src/core/runs/runState.js';
import { isRefusedForMemory } from '../../../../extension/src/core/runs/runFailure.js';
import type { EngineEvent, EngineEventBody } from '../../../../extension/src/protocol/engineEvent.js';

const memory = { weights: 1, gradients: 1, optimizer: 1, activations: 1, temporary: 1, total: 5 };
const started = (resumed_from_step = 0): EngineEventBody => ({
  type: 'started',
  version: 1,
  objective: 'causal_lm',
  metrics: [
    { name: 'perplexity', title: 'Perplexity', better: 'lower', unit: 'number', follows_loss: true },
    { name: 'token_accuracy', title: 'Token accuracy', better: 'higher', unit: 'share', follows_loss: false },
  ],
  metric_for_best_model: 'loss',
  name: 'n',
  engine: { version: '0', backend: 'tensorflow', library: '2.21.0', device: 'CPU', threads: 2 },
  model: 'm',
  peft_type: 'LORA',
  trainable_parameters: 10,
  total_parameters: 100,
  train_rows: 1,
  validation_rows: 1,
  total_steps: 100,
  resumed_from_step,
  memory_estimate: memory,
});
const step = (step: number, loss = 1 / step): EngineEventBody => ({
  type: 'step',
  step,
  epoch: 0,
  loss,
  grad_norm: 1,
  learning_rate: 1e-3,
  num_tokens: step,
  tokens_per_second: 100,
  step_ms: 500,
  rss_bytes: 1,
});
const evaluated = (step: number): EngineEventBody => ({
  type: 'evaluated',
  step,
  loss: 2,
  metrics: { perplexity: Math.exp(2), token_accuracy: 0.5 },
  num_label_tokens: 9,
  best: step > 0,
  eval_ms: 1,
});

/** Stamps and reduces. */
function run(bodies: EngineEventBody[], from: RunState = initialRunState): RunState {
  return bodies.reduce(
    (state, body) =>
      reduceRun(state, { ...body, seq: state.lastSeq + 1, time: '2026-01-01T00:00:00.000Z' } as EngineEvent),
    from,
  );
}

test('of many checkpoints the last 500 are kept, and the best', () => {
  const saved = (step: number, best: boolean): EngineEventBody => ({
    ...{ type: 'checkpoint_saved', step, path: `checkpoints/step-${step}`, best },
  });
  const { checkpoints } = run([started(), ...Array.from({ length: 2000 }, (_, i) => saved(1 + i, i === 99))]);
  expect(checkpoints.length).toBe(500);
  expect(checkpoints[0]).toMatchObject({ step: 100, best: true });
  expect(checkpoints.at(-1)!.step).toBe(2000);
});

describe('reduceRun', () => {
  it('keeps the memory of the GPU of the steps that say it', () => {
    const onGpu = { ...step(2), gpu_bytes: 2e9 } as EngineEventBody;
    expect([...run([started(), step(1), onGpu]).steps.column('gpu_bytes')]).toEqual([NaN, 2e9]);
  });

  it('has a column for each metric of the run’s objective', () => {
    const margin = { name: 'margin', title: 'Margin', better: 'higher', unit: 'number', follows_loss: false } as const;
    const evaluatedWith = (step: number, margin: number) =>
      ({ ...evaluated(step), metrics: { margin } }) as EngineEventBody;
    const begun = { ...started(), objective: 'preference', metrics: [margin] } as EngineEventBody;
    const state = run([begun, evaluatedWith(0, 1), step(1), evaluatedWith(1, 3)]);
    expect(state.metrics).toEqual([margin]);
    expect([...state.evaluations.column('margin')]).toEqual([1, 3]);
    expect([...state.evaluations.column('best')]).toEqual([0, 1]);
    expect(state.evaluations.keys).not.toContain('perplexity');
  });

  it('keeps its status while it is exported, and which exports failed since', () => {
    const exporting = (target: string): EngineEventBody => ({ type: 'exporting', target, path: `/x/${target}` });
    const failed: EngineEventBody = { type: 'export_failed', target: 'mlx', code: 'bad_input', message: 'no room' };
    const exported: EngineEventBody = {
      type: 'exported',
      entry: { target: 'gguf' },
      ...{ target: 'gguf', path: '/x/gguf', place: '/x/gguf', bytes: 3e6, peft_type: 'LORA', rounding: null },
      ...{ verdict: 'within', certificate: '/x/gguf.certificate.json' },
    };
    const completed = { type: 'completed', reason: 'finished', step: 1, adapter: 'adapter' } as EngineEventBody;
    const first = run([started(), step(1), completed, exporting('gguf')]);
    expect(first).toMatchObject({ status: 'completed', exporting: { target: 'gguf' } });
    const second = run([exported, exporting('mlx'), failed], first);
    expect(second).toMatchObject({ status: 'completed', exporting: null, failedExports: [{ message: 'no room' }] });
    expect(second.log.slice(-2).map(({ text }) => text)).toEqual(['Exported /x/gguf, 3 MB', 'Export (mlx): no room']);
    expect(run([exporting('mlx')], second).failedExports).toEqual([]);
    expect(run([started(1)], second)).toMatchObject({ exporting: null, failedExports: [] });
  });

  it('goes from starting over running and paused to completed', () => {
    expect(initialRunState.status).toBe('starting');
    const running = run([started(), step(1)]);
    expect(running.status).toBe('running');
    const paused = run([{ type: 'paused', step: 1 }], running);
    expect(paused.status).toBe('paused');
    const done = run(
      [
        { type: 'resumed', step: 1 },
        step(2),
        {
          type: 'completed',
          reason: 'finished',
          step: 2,
          train_seconds: 1,
          best_step: null,
          best_loss: null,
          best_metric: null,
          adapter: 'adapter',
          peak_rss_bytes: 1,
        },
      ],
      paused,
    );
    expect(done.status).toBe('completed');
    expect(currentStep(done)).toBe(2);
    expect(done.log.map(({ text }) => text)).toEqual([
      'Started (tensorflow 2.21.0, 2 threads)',
      'Paused after step 1',
      'Resumed after step 1',
      'Finished after step 2',
    ]);
  });

  it('marks the steps in which a graph was compiled, and not those after an evaluation that compiled its own', () => {
    const compiled: EngineEventBody = { type: 'compiled', graphs: 1, nodes: 1, compile_ms: 1 };
    const state = run([started(), compiled, step(1), step(2), compiled, evaluated(2), step(3), compiled, step(4)]);
    expect([...state.steps.column('compiled')]).toEqual([1, 0, 0, 1]);
  });

  it('applies an event once', () => {
    const state = run([started(), step(1)]);
    const again = reduceRun(state, { ...step(1), seq: 1, time: '2026-01-01T00:00:00.000Z' } as EngineEvent);
    expect(again).toBe(state);
  });

  it('discards what came after the checkpoint from which a run is resumed', () => {
    const before = run([started(), evaluated(0), ...[1, 2, 3, 4, 5].map(n => step(n)), evaluated(4)]);
    const after = run([started(3), step(4, 9)], before);
    expect([...after.steps.column('step')]).toEqual([1, 2, 3, 4]);
    expect(after.steps.row(3)!.loss).toBe(9);
    expect([...after.evaluations.column('step')]).toEqual([0]);
    expect(after.generation).toBe(before.generation + 1);
    // The older state is unchanged.
    expect([...before.steps.column('loss')]).toEqual([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]);
  });

  it('keeps the generation if a resume discards nothing', () => {
    const state = run([started(), step(1), started(1), step(2)]);
    expect(state.generation).toBe(0);
    expect(state.steps.length).toBe(2);
  });

  it('keeps the first and the last answers to each prompt', () => {
    const answers = Array.from({ length: 100 }, (_, i) => i);
    const state = run([
      started(),
      ...answers.flatMap(i => ['a', 'b'].map(prompt => ({ type: 'sample' as const, step: i, prompt, text: `${i}` }))),
    ]);
    const steps = state.samples.filter(({ prompt }) => prompt === 'b').map(sample => sample.step);
    expect(steps).toHaveLength(41);
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(99);
  });

  it('estimates the remaining time from the pace of the last steps', () => {
    expect(secondsLeft(run([started()]))).toBeNull();
    expect(secondsLeft(run([started(), step(1), step(2)]))).toBeCloseTo(49, 9);
  });

  it('reduces 100,000 steps without copying those before, and earlier states stay readable', () => {
    let state = run([started()]);
    let middle = state;
    let copies = 0;
    for (let i = 1; i <= 100_000; i++) {
      const before = state.steps.column('loss').buffer;
      state = run([step(i)], state);
      if (state.steps.column('loss').buffer !== before) copies++;
      if (i === 50_000) middle = state;
    }
    // Room for 64 rows, then for twice as many at a time.
    expect(copies).toBe(1 + Math.ceil(Math.log2(100_000 / 64)));
    expect(state.steps.length).toBe(100_000);
    expect(middle.steps.length).toBe(50_000);
    expect(middle.steps.row(49_999)!.step).toBe(50_000);
  });
});

describe('the workers of a cluster', () => {
  const workers = (restarts: number): EngineEventBody => ({
    type: 'workers',
    workers: [0, 1].map(rank => ({ rank, node: `node-${rank}`, device: 'CPU', threads: 1 })),
    strategy: 'ddp',
    restarts,
  });
  const figures = [
    { tokens_per_second: 10, rss_bytes: 1e9 },
    { tokens_per_second: 12, rss_bytes: 2e9 },
  ];
  const stepped = (at: number): EngineEventBody => ({ ...step(at), workers: figures }) as EngineEventBody;

  it('are known with what each did in the latest step', () => {
    const state = run([started(), workers(0), stepped(1), stepped(2)]);
    expect(state.workers).toMatchObject({ restarts: 0, strategy: 'ddp' });
    expect(state.workerFigures).toEqual(figures);
    expect(state.restarts).toEqual([]);
  });

  it('are marked where they were started again, unless that was discarded', () => {
    const lost = run([started(), workers(0), stepped(1), stepped(2), stepped(3), started(2), workers(1), stepped(3)]);
    expect(lost.restarts).toEqual([2]);
    expect(run([started(3), workers(2), stepped(4)], lost).restarts).toEqual([2, 3]);
    expect(run([started(1), workers(0)], lost).restarts).toEqual([]);
  });

  it('are gone when the run goes on here', () => {
    const here = run([started(), workers(0), stepped(1), started(1)]);
    expect(here.workers).toBeNull();
    expect(here.workerFigures).toBeNull();
  });

  it('that had too little memory are no refusal to start', () => {
    const failed = { type: 'failed', step: 1, code: 'out_of_memory', message: 'm', last_checkpoint: null } as const;
    expect(isRefusedForMemory(run([failed]))).toBe(true);
    expect(isRefusedForMemory(run([started(), workers(0), stepped(1), failed]))).toBe(false);
  });
});
