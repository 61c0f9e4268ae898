// Fine-tunes through the real command line: events, files, exact resume, and the adapters in use.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openSafetensors } from '../../../extension/src/engine/files/safetensors.js';
import { errorLineSchema } from '../../../extension/src/protocol/engineError.js';
import { engineEventSchema, type EngineEvent } from '../../../extension/src/protocol/engineEvent.js';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());

function stepsOf(events: readonly EngineEvent[]) {
  return events.filter((event): event is Extract<EngineEvent, { type: 'step' }> => event.type === 'step');
}

function tensorNames(path: string): string[] {
  const file = openSafetensors(path);
  file.close();
  return [...file.tensors.keys()];
}

/** Trains into a folder named after the run. */
async function train(name: string, changes: Parameters<typeof place.run>[1] = {}, ...flags: string[]) {
  return succeed(['train', place.run(name, changes), '--out', place.file(`${name}-run`), ...flags]);
}

const evaluation = async (...flags: string[]) => {
  const { stdout } = await succeed(['evaluate', '--dataset', place.file('rows.jsonl'), '--json', ...flags]);
  return JSON.parse(stdout) as { loss: number; perplexity: number; token_accuracy: number; rows: number };
};
const generation = async (...flags: string[]) => {
  const { stdout } = await succeed(['generate', '--prompt', 'Say ab', '--max-new-tokens', '6', '--json', ...flags]);
  return JSON.parse(stdout) as { answers: { adapter: string | null; text: string; num_tokens: number }[] };
};

describe('a run', () => {
  it('writes its folder, and with --json prints the events of events.ndjson', async () => {
    const { stdout, stderr } = await train(
      'events',
      { dataset: { validation: 0.2 }, samples: { prompts: ['Say ab'], max_new_tokens: 4 } },
      '--json',
    );
    const folder = place.file('events-run');
    expect(stdout).toBe(readFileSync(join(folder, 'events.ndjson'), 'utf8'));
    expect(stderr).toBe('');
    const events = place.events('events-run');
    expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
    expect(events.map(({ time }) => time)).toEqual(events.map(({ time }) => time).toSorted());
    expect(events[0]).toMatchObject({ type: 'started', train_rows: 19, validation_rows: 5, total_steps: 6 });
    expect(events.at(-1)).toMatchObject({ type: 'completed', reason: 'finished', step: 6, adapter: 'adapter' });
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(['started', 'sample', 'evaluated', 'step', 'compiled', 'checkpoint_saved', 'completed']),
    );
    expect(stepsOf(events).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);

    expect(readdirSync(folder).toSorted()).toEqual([
      'adapter',
      'checkpoints',
      'events.ndjson',
      'run.json',
      'step-losses.ndjson',
      'tensorboard',
    ]);
    expect(readdirSync(join(folder, 'adapter')).toSorted()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
    expect(readdirSync(join(folder, 'tensorboard'))).toEqual([expect.stringMatching(/^events\.out\.tfevents\./)]);
    const run = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    expect(run).toMatchObject({ model: place.file('base'), dataset: { train: place.file('rows.jsonl') } });
    expect(run.method).toMatchObject({ peft_type: 'LORA', r: 8 });
    expect(events.find(event => event.type === 'checkpoint_saved')!.path).toMatch(/^checkpoints\/step-\d+$/);
  });

  it.runIf(process.arch === 'x64')('multiplies with oneDNN, which TensorFlow disables on many CPUs', async () => {
    const flags = ['--model', place.file('base'), '--dataset', place.file('rows.jsonl')];
    const { stdout } = await succeed(['evaluate', ...flags], { env: { ONEDNN_VERBOSE: '1' } });
    expect(stdout).toMatch(/^onednn_verbose.*,exec,cpu,matmul,/m);
  });

  it('prints plain lines without a terminal, and the adapter’s folder at the end', async () => {
    const { stdout, stderr } = await train('plain', { dataset: { validation: 0.2 } });
    expect(stdout).toBe(`${place.file('plain-run', 'adapter')}\n`);
    // oxlint-disable-next-line no-control-regex
    expect(stderr).not.toMatch(/[\u001b\r]/);
    expect(stderr).toMatch(/^plain: base, LORA$/m);
    expect(stderr).toMatch(/^step 6\/6 +loss \d+\.\d{3} +[\d,]+ tokens\/s/m);
    expect(stderr).toMatch(/^Done after 6 steps/m);
  });

  it('writes to runs/NAME-TIME next to the run file by default, and --resume finds the latest', async () => {
    const file = place.run('default', { training: { max_steps: 1 } });
    place.write('runs/default-longer-20990101-000000/run.json', {});
    await succeed(['train', file]);
    const [folder] = readdirSync(place.file('runs')).filter(name => /^default-\d{8}-\d{6}$/.test(name));
    expect(folder).toBeDefined();
    const { stdout } = await succeed(['train', file, '--resume']);
    expect(stdout.trim()).toBe(place.file('runs', folder!, 'adapter'));
  });
});

describe('rows that can’t be used', () => {
  const losses = (run: string) => stepsOf(place.events(run)).map(({ step, loss }) => [step, loss]);

  it('are left out before the split: the run is that of a file without them, and is resumed to the same end', async () => {
    const good = readFileSync(place.file('rows.jsonl'), 'utf8').trimEnd().split('\n');
    place.write('odd.jsonl', [...good.slice(0, 5), '{"prompt": "a"', ...good.slice(5), '[1]'].join('\n'));
    // So that a run of half the steps has the same rates.
    const training = { lr_scheduler_type: 'constant' };
    const odd = { dataset: { validation: 0.2, train: 'odd.jsonl' }, training };
    await train('clean', { dataset: { validation: 0.2 }, training });
    const { stderr } = await train('odd', odd);
    expect(stderr).toContain("2 rows of the training set can't be used, left out");
    expect(stderr).toContain('odd.jsonl:6');
    expect(losses('odd-run')).toEqual(losses('clean-run'));
    await train('halves', { ...odd, training: { ...training, max_steps: 3 } });
    await succeed(['train', place.run('halves', odd), '--resume', '--out', place.file('halves-run')]);
    expect(losses('halves-run')).toEqual(losses('clean-run'));
  });
});

describe('resuming', () => {
  const changes = {
    dataset: { validation: 0.2, packing: true },
    method: { lora_dropout: 0.2, target_modules: 'all-linear' },
    training: {
      max_steps: 16,
      gradient_accumulation_steps: 2,
      warmup_steps: 3,
      weight_decay: 0.01,
      eval_steps: 7,
      save_steps: 4,
      save_total_limit: 2,
    },
    // Answering after each step takes long enough for a signal to arrive in between.
    samples: { prompts: ['Say ab'], steps: 1, max_new_tokens: 6 },
  };
  const figures = (run: string) => {
    const events = place.events(run);
    expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
    // Steps that were lost in a crash occur twice; the second one counts.
    const last = new Map(stepsOf(events).map(event => [event.step, event]));
    return [...last.values()]
      .toSorted((a, b) => a.step - b.step)
      .map(({ step, loss, grad_norm, learning_rate, num_tokens }) => ({
        step,
        loss,
        grad_norm,
        learning_rate,
        num_tokens,
      }));
  };
  const results = [
    'adapter/adapter_model.safetensors',
    'checkpoints/step-16/trainable.safetensors',
    'checkpoints/step-16/optimizer.safetensors',
  ];
  const expectSame = (run: string) => {
    expect(figures(run)).toEqual(figures('whole-run'));
    for (const file of results)
      expect(readFileSync(place.file(run, file)).equals(readFileSync(place.file('whole-run', file))), file).toBe(true);
  };
  let whole: Promise<unknown> | undefined;
  const trainWhole = () => (whole ??= train('whole', changes));

  it('after Ctrl-C gives the uninterrupted run, bit for bit; the adapter is saved when it stops', async () => {
    const file = place.run('stopped', changes);
    const out = ['--out', place.file('stopped-run'), '--json'];
    const stopped = await succeed(['train', file, ...out], {
      onLine: (line, child) => {
        const event = engineEventSchema.parse(JSON.parse(line));
        if (event.type === 'step' && event.step === 5) child.kill('SIGINT');
      },
    });
    expect(stopped.stderr).toBe('Stopping after this step; press Ctrl-C again to quit immediately.\n');
    const events = place.events('stopped-run');
    const end = events.at(-1)!;
    expect(end).toMatchObject({ type: 'completed', reason: 'stopped' });
    const { step } = end as Extract<EngineEvent, { type: 'completed' }>;
    expect(step).toBeGreaterThanOrEqual(5);
    expect(step).toBeLessThan(16);
    expect(existsSync(place.file('stopped-run', `checkpoints/step-${step}/state.json`))).toBe(true);
    expect(tensorNames(place.file('stopped-run', 'adapter/adapter_model.safetensors'))).toHaveLength(28);

    await succeed(['train', file, '--resume', ...out]);
    expect(place.events('stopped-run').filter(({ type }) => type === 'started')).toMatchObject([
      { resumed_from_step: 0 },
      { resumed_from_step: step },
    ]);
    await trainWhole();
    expectSame('stopped-run');
  });

  it('after kill -9 past a checkpoint gives the uninterrupted run, bit for bit', async () => {
    const file = place.run('killed', changes);
    const out = ['--out', place.file('killed-run'), '--json'];
    const killed = await tunewright(['train', file, ...out], {
      onLine: (line, child) => {
        const event = engineEventSchema.parse(JSON.parse(line));
        if (event.type === 'step' && event.step === 6) child.kill('SIGKILL');
      },
    });
    expect(killed.signal).toBe('SIGKILL');
    expect(existsSync(place.file('killed-run', 'adapter'))).toBe(false);
    await succeed(['train', file, '--resume', ...out]);
    await trainWhole();
    expectSame('killed-run');
  });

  it('is an error with the run file of another model or method; other changes are named and ignored', async () => {
    await train('kept', { training: { max_steps: 2 } });
    const folder = place.file('kept-run');
    const resume = (changes: Parameters<typeof place.run>[1]) =>
      tunewright(['train', place.run('changed', changes), '--resume', '--out', folder]);
    const files = () => ['run.json', 'events.ndjson'].map(name => readFileSync(join(folder, name), 'utf8'));
    const own = files();
    expectRefusal(
      await resume({ method: { peft_type: 'IA3' } }),
      `${place.file('changed.json')}: method.peft_type: this is "IA3", but the run to resume was started with "LORA"`,
      folder,
    );
    expectRefusal(
      await resume({ model: place.model('other') }),
      `${place.file('changed.json')}: model: this is "${place.file('other')}"`,
      `started with "${place.file('base')}"`,
    );
    expectRefusal(await resume({ training: { max_steps: 'x' } }), 'training.max_steps');
    expect(files()).toEqual(own);
    const { code, stderr } = await resume({
      dataset: { max_length: 32 },
      method: { r: 4 },
      training: { max_steps: 3, learning_rate: 1, save_total_limit: null },
    });
    expect(code, stderr).toBe(0);
    const warned = place.events('kept-run').filter(event => event.type === 'warned');
    expect(warned.map(({ code, message }) => [code, message])).toEqual([
      [
        'run_file_changed',
        `a resumed run keeps its own settings; ignored from ${place.file('changed.json')}: name, dataset.max_length, ` +
          'method.r, training.learning_rate, training.save_total_limit',
      ],
    ]);
    expect(stepsOf(place.events('kept-run'))).toHaveLength(3);
  });

  it('is an error without a run; so is a folder with a run without --resume', async () => {
    const [none, taken] = await Promise.all([
      tunewright(['train', place.run('none'), '--resume', '--out', place.file('nowhere')]),
      tunewright(['train', place.run('taken'), '--out', place.path]),
    ]);
    expectRefusal(none, place.file('nowhere'));
    expectRefusal(taken, place.path, '--resume', '--out');
  });
});

describe('the result', () => {
  it('is used by evaluate and generate, several adapters on one base', async () => {
    await Promise.all([
      train('first', { training: { max_steps: 25, learning_rate: 0.02 } }),
      train('second', { method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 4 } }),
    ]);
    const base = ['--model', place.file('base')];
    const adapters = ['first', 'second'].map(name => place.file(`${name}-run`, 'adapter'));
    const [untrained, trained, answers] = await Promise.all([
      evaluation(...base),
      evaluation(...base, '--adapter', adapters[0]!),
      generation(...base, '--base', '--adapter', ...adapters),
    ]);
    expect(untrained.rows).toBe(24);
    expect(trained.loss).toBeLessThan(0.8 * untrained.loss);
    expect(trained.perplexity).toBeCloseTo(Math.exp(trained.loss), 5);
    expect(answers.answers.map(({ adapter }) => adapter)).toEqual([null, ...adapters]);
    expect(new Set(answers.answers.map(({ text }) => text)).size).toBe(3);
  });

  it('is trained further with init_from, with the adapter’s own config, and only with its own method', async () => {
    await train('start', { method: { r: 3, target_modules: ['q_proj'] } });
    const init_from = 'start-run/adapter';
    const [, other] = await Promise.all([
      train('further', { method: { init_from }, training: { learning_rate: 1e-12 } }),
      tunewright(['train', place.run('other', { method: { peft_type: 'IA3', init_from } }), '--out', place.file('o')]),
    ]);
    expectRefusal(other, 'method.init_from', 'LORA', 'IA3', 'Set method.peft_type');
    expect(existsSync(place.file('o'))).toBe(false);
    const config = JSON.parse(readFileSync(place.file('further-run/adapter/adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ r: 3, target_modules: ['q_proj'] });
    const names = tensorNames(place.file('further-run/adapter/adapter_model.safetensors'));
    expect(names).toHaveLength(4);
    const [a, b] = ['start', 'further'].map(run => {
      const file = openSafetensors(place.file(`${run}-run/adapter/adapter_model.safetensors`));
      const values = names.flatMap(name => [...file.tensors.get(name)!.readFloat32()]);
      file.close();
      return values;
    });
    expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThan(1e-6);
  });

  it('is a model folder after FULL and the base’s own tensors after SELECTIVE', async () => {
    await Promise.all([
      train('full', { method: { peft_type: 'FULL' } }),
      train('selective', { method: { peft_type: 'SELECTIVE', select: 'last_layers', num_layers: 1 } }),
    ]);
    expect(readdirSync(place.file('full-run', 'model')).toSorted()).toEqual([
      'README.md',
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(readdirSync(place.file('selective-run', 'adapter')).toSorted()).toEqual([
      'selected_model.safetensors',
      'selective_config.json',
    ]);
    const base = openSafetensors(place.file('base', 'model.safetensors'));
    base.close();
    const selected = tensorNames(place.file('selective-run', 'adapter', 'selected_model.safetensors'));
    expect(selected.toSorted()).toEqual(
      [...base.tensors.keys()].filter(name => name.includes('.layers.1.')).toSorted(),
    );
    const [untrained, full, selective, answer] = await Promise.all([
      evaluation('--model', place.file('base')),
      evaluation('--model', place.file('full-run', 'model')),
      evaluation('--model', place.file('base'), '--adapter', place.file('selective-run', 'adapter')),
      generation('--model', place.file('full-run', 'model')),
    ]);
    expect(full.loss).toBeLessThan(untrained.loss);
    expect(selective.loss).toBeLessThan(untrained.loss);
    expect(answer.answers).toHaveLength(1);
  });

  it('a run that diverges ends with exit code 1 and names its last good checkpoint', async () => {
    const file = place.run('diverged', {
      training: { learning_rate: 1e38, lr_scheduler_type: 'constant_with_warmup', warmup_steps: 1, save_steps: 1 },
    });
    const result = await tunewright(['train', file, '--json', '--out', place.file('diverged-run')]);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/non-finite/);
    expect(result.stderr).toContain(place.file('diverged-run', 'checkpoints/step-1'));
    expect(result.stderr).not.toMatch(/^\s*at /m);
    expect(place.events('diverged-run').at(-1)).toMatchObject({
      type: 'failed',
      last_checkpoint: 'checkpoints/step-1',
    });
    const [failed, printed] = result.stdout.trimEnd().split('\n').slice(-2) as [string, string];
    const { type, ...record } = errorLineSchema.parse(JSON.parse(printed));
    expect({ type, code: record.code }).toEqual({ type: 'error', code: 'diverged' });
    expect(JSON.parse(failed), 'the event has the fields of the record').toMatchObject({ type: 'failed', ...record });
    expect(existsSync(place.file('diverged-run', 'checkpoints/step-1/trainable.safetensors'))).toBe(true);
  });

  it('goes on, and says nothing, when the reader of its output goes away', async () => {
    const file = place.run('piped', { training: { max_steps: 20 } });
    const result = await tunewright(['train', file, '--json', '--out', place.file('piped-run')], {
      onLine: (_line, child) => child.stdout?.destroy(),
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(place.events('piped-run').at(-1)).toMatchObject({ type: 'completed' });
  });
});
