// The last checkpoint of a run, attached to a session, answers as the run's result does: for every method of the registry. What is
// no checkpoint of this base, or is damaged, is refused by name.
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Session } from '../../extension/src/engine/generation/session.js';
import { peftMethod, peftMethods } from '../../extension/src/engine/peft/registry.js';
import { openSession } from '../../extension/src/engine/run/openSession.js';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { trainRun } from '../../extension/src/engine/run/trainRun.js';
import { sessionOptionsSchema, type GenerationAnswer } from '../../extension/src/protocol/sessionMessages.js';
import { workplace } from '../support/cli.js';
import { inputErrorOf } from '../support/inputErrors.js';

const UNATTENDED = {
  ...{ resume: false, force: false, reporter: silentReporter, onEvent: () => {} },
  signal: new AbortController().signal,
};
const place = workplace();
afterAll(() => place.remove());

const open = (adapters: Record<string, string> = {}, model = place.file('base')) =>
  openSession(
    sessionOptionsSchema.parse({ model, folder: place.path }),
    Object.entries(adapters).map(([name, path]) => ({ name, path })),
    silentReporter,
  );

async function train(name: string, method: Record<string, unknown>): Promise<string> {
  const runFile = place.run(name, { method, training: { max_steps: 2, save_steps: 1, learning_rate: 0.3 } });
  await trainRun({ runFile, out: place.file(name), ...UNATTENDED });
  return place.file(name);
}

const ask = (session: Session, ...names: string[]) =>
  session.generate({
    prompt: 'Say abab 3',
    adapters: names.map(name => ({ name })),
    sampling: { max_new_tokens: 6 },
    top_logprobs: 2,
  });

/** Ids may differ where two tokens are as likely; log-probabilities may not. */
function expectSame(actual: GenerationAnswer, expected: GenerationAnswer): void {
  expect(actual.token_ids).toEqual(expected.token_ids);
  for (const [i, { logprob }] of expected.logprobs!.entries())
    expect(actual.logprobs![i]!.logprob, `token ${i}`).toBeCloseTo(logprob, 4);
}

const cases = peftMethods.flatMap(({ peftType }) => {
  const more: Record<string, Record<string, unknown>[]> = {
    LORA: [{ use_dora: true }, { modules_to_save: ['lm_head'] }],
    VERA: [{ save_projection: false }],
    PREFIX_TUNING: [{ prefix_projection: true }],
  };
  return [{}, ...(more[peftType] ?? [])].map(config => ({ peftType, config }));
});

describe('the last checkpoint of a run', () => {
  test.each(cases)('$peftType $config answers as its result', async ({ peftType, config }) => {
    const name = `${peftType}${cases.findIndex(each => each.config === config && each.peftType === peftType)}`;
    const run = await train(name, { peft_type: peftType, ...config });
    const isModel = peftMethod(peftType)!.storage === 'model';
    const session = await open({
      last: join(run, 'checkpoints', 'step-2'),
      first: join(run, 'checkpoints', 'step-1'),
      ...(isModel ? {} : { result: join(run, 'adapter') }),
    });
    const results = isModel ? await open({}, join(run, 'model')) : session;
    const expected = await ask(results, ...(isModel ? [] : ['result']));
    expectSame(await ask(session, 'last'), expected);
    for (const other of [await ask(session, 'first'), await ask(session)])
      expect(other.logprobs![0]!.logprob).not.toBeCloseTo(expected.logprobs![0]!.logprob, 4);
    const scalable = new Map(session.adapters().map(facts => [facts.name, facts.scalable]));
    if (!isModel) expect(scalable.get('last')).toBe(scalable.get('result'));
    session.dispose();
    if (isModel) results.dispose();
  });

  test('continues in another run, whose checkpoints answer too', async () => {
    const first = await train('first', {});
    // With a token that only the adapter has, which its runs save with it.
    const tokenizer = JSON.parse(readFileSync(place.file('base', 'tokenizer.json'), 'utf8'));
    tokenizer.added_tokens.push({
      ...{ id: 1 + Math.max(...tokenizer.added_tokens.map(({ id }: { id: number }) => id), 511), content: ' abab' },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
    });
    writeFileSync(join(first, 'adapter', 'tokenizer.json'), JSON.stringify(tokenizer));
    const third = await train('third', { init_from: join(first, 'adapter') });
    const run = await train('second', { init_from: join(first, 'checkpoints', 'step-1') });
    const session = await open({ last: join(run, 'checkpoints', 'step-2'), result: join(run, 'adapter') });
    expectSame(await ask(session, 'last'), await ask(session, 'result'));
    await session.loadFolder('last', join(third, 'checkpoints', 'step-2'));
    await session.loadFolder('result', join(third, 'adapter'));
    const [last, result, base] = [await ask(session, 'last'), await ask(session, 'result'), await ask(session)];
    expect(result.usage.prompt_tokens).toBeLessThan(base.usage.prompt_tokens);
    expect(last.usage.prompt_tokens).toBe(result.usage.prompt_tokens);
    expectSame(last, result);
    session.dispose();
  });
});

describe('refused', () => {
  const copy = (name: string) => {
    cpSync(place.file('plain'), place.file(name), { recursive: true });
    return join(place.file(name), 'checkpoints', 'step-2');
  };

  test('a checkpoint of another base, a damaged one, and one without its run', async () => {
    await train('plain', {});
    place.model('wide', { changes: { hidden_size: 32 } });
    const refusalOf = async (path: string, model?: string) => inputErrorOf(() => open({ x: path }, model));
    const other = await refusalOf(copy('other'), place.file('wide'));
    expect(other.message).toMatch(/has shape \[.*\], but this base model needs/);
    expect(`${other.where} ${other.hint}`).toMatch(/step-2.*trained on .*base/s);

    const cut = copy('cut');
    writeFileSync(join(cut, 'trainable.safetensors'), readFileSync(join(cut, 'trainable.safetensors')).subarray(0, 90));
    expect((await refusalOf(cut)).where).toContain('trainable.safetensors');

    const gone = copy('gone');
    rmSync(join(gone, 'trainable.safetensors'));
    expect(await refusalOf(gone)).toMatchObject({ message: expect.stringContaining('missing') });

    const alone = join(place.path, 'alone', 'step-2');
    mkdirSync(alone, { recursive: true });
    for (const file of ['trainable.safetensors', 'state.json'])
      copyFileSync(join(place.file('plain'), 'checkpoints', 'step-2', file), join(alone, file));
    expect(await refusalOf(alone)).toMatchObject({ message: expect.stringContaining('not in the folder of its run') });

    const pruned = await refusalOf(place.file('plain', 'checkpoints', 'step-7'));
    expect(pruned).toMatchObject({ message: 'this folder does not exist', where: expect.stringContaining('step-7') });
  });
});
