// Model and adapter folders with parts missing, left over or of another size, through the real command line: without a
// tokenizer, with tokens that the model lacks, with an adapter that has its own tokenizer and embedding.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const place = workplace();
afterAll(() => place.remove());
const jsonOf = async (...args: string[]) =>
  JSON.parse((await succeed([...args, '--json'], { cwd: place.path })).stdout);
const readJson = (...parts: string[]) => JSON.parse(readFileSync(place.file(...parts), 'utf8'));
const cli = (...args: string[]) => tunewright(args, { cwd: place.path });

const TOKENIZED = Array.from({ length: 12 }, (_, i) => ({ input_ids: [3 + i, 40, 5, 17 + i, 60, 2] }));

describe('a model without tokenizer.json', () => {
  beforeAll(async () => {
    place.model('bare');
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) rmSync(place.file('bare', name));
    place.write('ids.jsonl', TOKENIZED);
    place.write('bare-run.json', {
      model: 'bare',
      dataset: { train: 'ids.jsonl', validation: 0.2, max_length: 16 },
      method: { peft_type: 'LORA' },
      training: { max_steps: 3 },
    });
    const { stderr } = await succeed(['train', 'bare-run.json', '--out', 'bare-out'], { cwd: place.path });
    // The bundled texts of the forgetting meter need a tokenizer; the run doesn't.
    expect(stderr).toMatch(/forgetting isn't measured on the bundled texts: .*no tokenizer\.json/);
  });

  test('trains, evaluates and merges on tokenized rows, as with a tokenizer', async () => {
    const adapter = ['--adapter', 'bare-out/adapter', '--dataset', 'ids.jsonl'];
    const figures = await jsonOf('evaluate', '--model', 'bare', ...adapter);
    expect(figures.rows).toBe(TOKENIZED.length);
    expect(figures.loss).toBe((await jsonOf('evaluate', '--model', 'base', ...adapter)).loss);
    await succeed(['merge', '--model', 'bare', '--adapter', 'bare-out/adapter', '--out', 'bare-merged'], {
      cwd: place.path,
    });
    expect(existsSync(place.file('bare-merged', 'tokenizer.json'))).toBe(false);
    expect((await jsonOf('evaluate', '--model', 'bare-merged', '--dataset', 'ids.jsonl')).loss).toBeCloseTo(
      figures.loss,
      4,
    );
  });

  test('shows ids in place of text', async () => {
    expect((await succeed(['inspect', 'ids.jsonl', '--model', 'bare'], { cwd: place.path })).stdout).toContain(
      '[[<3><40><5><17><60><2>]]',
    );
    await jsonOf('evaluate', '--model', 'bare', '--dataset', 'ids.jsonl', '--per-token', 'losses.jsonl');
    expect(JSON.parse(readFileSync(place.file('losses.jsonl'), 'utf8').split('\n')[0]!).tokens[0]).toMatch(/^<\d+>$/);
    expect(await jsonOf('estimate', 'bare-run.json')).toMatchObject({ total_steps: 3 });
  });

  test('says what is missing where there is text', async () => {
    const missing = /bare: the model has no tokenizer.json, so that only rows of token ids/;
    expectRefusal(await cli('generate', '--model', 'bare', '--prompt', 'Hi'), missing, /Copy the model/);
    place.write('samples.json', { ...readJson('bare-run.json'), samples: { prompts: ['Hi'] } });
    expectRefusal(await cli('train', 'samples.json', '--out', 'never'), missing);
    expectRefusal(await cli('evaluate', '--model', 'bare', '--dataset', 'rows.jsonl'), 'no tokenizer.json');
    writeFileSync(place.file('bare', 'tokenizer.model'), '');
    expectRefusal(
      await cli('generate', '--model', 'bare', '--prompt', 'Hi'),
      'the model has tokenizer.model, but no tokenizer.json',
      'save_pretrained',
    );
    rmSync(place.file('bare', 'tokenizer.model'));
  });

  test('ids are checked against the embedding', async () => {
    place.write('beyond.jsonl', [...TOKENIZED, { input_ids: [1, 521, 522] }]);
    const { stderr, stdout } = await succeed(['evaluate', '--model', 'bare', '--dataset', 'beyond.jsonl', '--json'], {
      cwd: place.path,
    });
    expect(stderr).toMatch(/input_ids\[2\] is 522, but the vocabulary has 522 tokens \(.*beyond.jsonl:13\)/);
    expect(JSON.parse(stdout).rows).toBe(TOKENIZED.length);
  });
});

describe('tokens that the model’s embedding lacks', () => {
  beforeAll(() => {
    // The embedding has 522 rows, the tokenizer 520 tokens and three more.
    cpSync(place.file('base'), place.file('beyond'), { recursive: true });
    const config = readJson('beyond', 'tokenizer_config.json');
    place.write('beyond/tokenizer_config.json', { ...config, pad_token: '<p>', unk_token: '<u>', mask_token: '<m>' });
  });

  test('only matter to texts that have them', async () => {
    const of = (model: string) => jsonOf('evaluate', '--model', model, '--dataset', 'rows.jsonl');
    expect(await of('beyond')).toEqual(await of('base'));
    place.write('masked.jsonl', [
      { prompt: 'One <p> two', completion: ' <u>.' },
      { prompt: 'One <m> two', completion: ' three.' },
    ]);
    const { stderr } = await succeed(['evaluate', '--model', 'beyond', '--dataset', 'masked.jsonl'], {
      cwd: place.path,
    });
    expect(stderr).toMatch(
      /the token "<m>" has the id 522, but the model’s embedding only 522 rows \(.*masked.jsonl:2\)/,
    );
    expectRefusal(await cli('generate', '--model', 'beyond', '--prompt', 'a <m>'), 'the token "<m>" has the id 522');
  });
});

describe('an adapter of others', () => {
  test('a target that matches nothing is a warning of a new run, and no obstacle to its adapter', async () => {
    const run = place.run('typo', {
      method: { target_modules: ['q_proj', 'q_prj', 'c_attn'] },
      training: { max_steps: 2 },
    });
    await succeed(['train', run, '--out', place.file('typo')]);
    expect(place.events('typo').filter(({ type }) => type === 'warned')).toEqual([
      expect.objectContaining({
        code: 'names_unmatched',
        message: expect.stringMatching(/^target_modules: "q_prj", "c_attn" match no module of this model/),
      }),
    ]);
    expect((await jsonOf('estimate', run)).unmatched).toMatchObject([{ key: 'method.target_modules' }]);
    const adapter = ['--model', 'base', '--adapter', place.file('typo', 'adapter')];
    await jsonOf('evaluate', ...adapter, '--dataset', 'rows.jsonl');
    const again = place.run('again', {
      method: { init_from: place.file('typo', 'adapter') },
      training: { max_steps: 1 },
    });
    await succeed(['train', again, '--out', place.file('again')]);
    expect(place.events('again').filter(({ type }) => type === 'warned')).toEqual([]);
    expectRefusal(
      await cli('train', place.run('none', { method: { target_modules: ['q_prj', 'c_attn'] } }), '--out', 'never'),
      /method.target_modules: "q_prj", "c_attn" match no linear module of this model/,
    );
  });

  test('brings the tokenizer that it was trained with, if that has more tokens', async () => {
    const adapter = place.file('typo', 'adapter');
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      cpSync(place.file('base', name), join(adapter, name));
    const config = readJson('base', 'tokenizer_config.json');
    place.write('typo/adapter/tokenizer_config.json', { ...config, extra_special_tokens: ['<call>'] });
    mkdirSync(join(adapter, 'additional_chat_templates'));
    writeFileSync(join(adapter, 'additional_chat_templates', 'rag.jinja'), 'x');
    place.write('calls.jsonl', [{ prompt: 'Say', completion: '<call>' }]);
    const of = (...args: string[]) => jsonOf('evaluate', '--dataset', 'calls.jsonl', ...args);
    // <call> and the token that ends the completion.
    expect(await of('--model', 'base', '--adapter', adapter)).toMatchObject({ num_label_tokens: 2 });
    expect((await of('--model', 'base')).num_label_tokens).toBeGreaterThan(2);
    await succeed(['merge', '--model', 'base', '--adapter', adapter, '--out', 'with-call'], { cwd: place.path });
    expect(readJson('with-call', 'tokenizer_config.json')).toEqual(
      readJson('typo', 'adapter', 'tokenizer_config.json'),
    );
    expect(existsSync(place.file('with-call', 'additional_chat_templates', 'rag.jinja'))).toBe(true);
    const further = place.run('more-calls', {
      dataset: { train: 'calls.jsonl' },
      method: { init_from: adapter },
      training: { max_steps: 1 },
    });
    await succeed(['train', further, '--out', place.file('more-calls')]);
    expect(await of('--model', 'base', '--adapter', 'more-calls/adapter')).toMatchObject({ num_label_tokens: 2 });
    expect(await of('--model', 'with-call')).toMatchObject({ num_label_tokens: 2 });
  });

  test('brings the chat template that it was trained with', async () => {
    const template =
      '{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}';
    place.model('plain', { tokenizer: 'gpt2' });
    place.write('shout.jinja', template);
    const chat = (i: number) => [
      { role: 'user', content: `What is ${i}?` },
      { role: 'assistant', content: `It is ${i}.` },
    ];
    place.write(
      'chats.jsonl',
      Array.from({ length: 8 }, (_, i) => ({ messages: chat(i) })),
    );
    const dataset = { train: 'chats.jsonl', validation: 'chats.jsonl' };
    const training = { max_steps: 2, save_steps: 1, save_total_limit: 2 };
    const run = place.run('shouting', {
      model: 'plain',
      dataset: { ...dataset, chat_template: 'shout.jinja' },
      training,
    });
    await succeed(['train', run, '--out', place.file('shouting')]);
    rmSync(place.file('shout.jinja'));

    const of = (...args: string[]) => jsonOf('evaluate', '--dataset', 'chats.jsonl', '--model', ...args);
    expectRefusal(await cli('evaluate', '--dataset', 'chats.jsonl', '--model', 'plain'), 'no chat template');
    const loss = place.events('shouting').findLast(event => event.type === 'evaluated')!.loss;
    const adapter = ['--adapter', 'shouting/adapter'];
    expect((await of('plain', ...adapter)).loss).toBeCloseTo(loss, 5);

    await succeed(['merge', '--model', 'plain', ...adapter, '--out', 'shouting-merged'], { cwd: place.path });
    expect((await of('shouting-merged')).loss).toBeCloseTo(loss, 4);
    const further = place.run('louder', {
      model: 'plain',
      dataset,
      method: { init_from: 'shouting/adapter' },
      training: { max_steps: 1 },
    });
    await succeed(['train', further, '--out', place.file('louder')]);
    const both = ['--adapter', 'shouting/adapter=1', 'louder/adapter=1', '--combination-type', 'linear'];
    await succeed(['combine', ...both, '--out', 'both'], { cwd: place.path });
    for (const folder of [place.file('louder', 'adapter'), place.file('both')])
      expect(readFileSync(join(folder, 'chat_template.jinja'), 'utf8')).toBe(template);

    place.write('shout.jinja', template);
    const answers = ['shouting/adapter', 'shouting/checkpoints/step-2'].flatMap(path => ['--adapter', path]);
    const given = await jsonOf('generate', '--model', 'plain', ...answers, '--prompt', 'What is 1?');
    expect(given.answers.at(-1).text).toBe(given.answers.at(-2).text);
  });

  test('with a resized embedding is evaluated, trained further and merged', async () => {
    const [model, adapter] = ['test/fixtures/parity/llama-untied', 'test/fixtures/adapters/untied-more-rows'];
    const { adapters, tokens } = JSON.parse(readFileSync('test/fixtures/adapters/embeddings.json', 'utf8'));
    const { loss } = adapters['untied-more-rows'];
    cpSync(model, place.file('untied'), { recursive: true });
    cpSync(adapter, place.file('resized'), { recursive: true });
    place.write('row.jsonl', [{ input_ids: tokens }]);
    place.write('new-id.jsonl', [{ input_ids: [...tokens, 98] }]);
    const using = ['--model', 'untied', '--adapter', 'resized'];
    expect((await jsonOf('evaluate', ...using, '--dataset', 'row.jsonl')).loss).toBeCloseTo(loss, 4);
    const { loss: withNew } = await jsonOf('evaluate', ...using, '--dataset', 'new-id.jsonl');
    expectRefusal(
      await cli('evaluate', '--model', 'untied', '--dataset', 'new-id.jsonl'),
      /input_ids\[10\] is 98, but the vocabulary has 96 tokens \(.*new-id.jsonl:1\)/,
    );

    place.write('further.json', {
      model: 'untied',
      dataset: { train: 'new-id.jsonl', max_length: 16 },
      method: { peft_type: 'LORA', init_from: 'resized' },
      training: { max_steps: 2, learning_rate: 1e-9 },
    });
    await succeed(['train', 'further.json', '--out', 'further'], { cwd: place.path });
    const further = ['--model', 'untied', '--adapter', 'further/adapter', '--dataset', 'new-id.jsonl'];
    expect((await jsonOf('evaluate', ...further)).loss).toBeCloseTo(withNew, 4);

    await succeed(['merge', ...using, '--out', 'resized-merged'], { cwd: place.path });
    expect(readJson('resized-merged', 'config.json')).toMatchObject({ vocab_size: 99 });
    expect((await jsonOf('evaluate', '--model', 'resized-merged', '--dataset', 'new-id.jsonl')).loss).toBeCloseTo(
      withNew,
      4,
    );
    for (const [format, out] of [
      ['gguf', 'exported.gguf'],
      ['mlx', 'exported'],
    ])
      expectRefusal(
        await cli('export', ...using, '--to', format!, '--out', out!),
        /an embedding or head saved with the adapter .* can't be expressed/,
        '--to merged-gguf',
      );
  });
});
