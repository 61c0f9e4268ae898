// An export seen from its page: what is asked of the engine and when, what is remembered, the end, failures and cancellation.
import { expect, it, vi } from 'vitest';
import { ExportSession, type ExportSessionOptions } from '../../../../extension/src/host/exports/exportSession.js';
import { EngineInputError } from '../../../../extension/src/host/services.js';
import type { EngineLine } from '../../../../extension/src/host/webviews/engineLines.js';
import type { ExportPlans } from '../../../../extension/src/protocol/exportAnswers.js';
import {
  cancelExport,
  changeExportPlace,
  chooseExport,
  exportChanged,
  openExport,
  startExport,
  useExported,
  type ExportSnapshot,
} from '../../../../extension/src/protocol/exportMessages.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';
import { ports } from '../../../support/channelPorts.js';

const facts = (target: string) => ({
  ...{ target, to: `to-${target}`, takes: 'model', writes: 'file', title: target, description: target },
  schema: { properties: {} },
});
const TARGETS = [facts('a'), facts('b')] as Awaited<ReturnType<ExportSessionOptions['targets']>>;
const planOf = (target: string, bytes = 1): ExportPlans['plans'][number] => ({
  target,
  plan: { target, path: `/x/${target}`, taken: false, bytes, seconds: 1, needs: [] },
  refused: null,
});
const REFUSED = { target: 'a', plan: null, refused: { code: 'bad_input' as const, message: 'not this one' } };
const EXPORTED = {
  ...{ target: 'b', path: '/x/b', place: '/x/b', bytes: 3, peft_type: 'LORA', rounding: null },
  certificate: {
    ...{ version: 1 as const, target: 'b', type: null, path: '/x/b', files: [], base: 'm', adapters: [], run: null },
    ...{ reader: { name: 'tunewright', version: '0' }, comparisons: [], verdict: 'same' as const, seconds: 0 },
    ...{ created: '2026-01-01', file: '/x/b.certificate.json' },
  },
};

function opened({
  plans = [planOf('a'), planOf('b')],
  choice = null,
  state = { kind: 'choosing' },
  ...changes
}: Partial<ExportSessionOptions> &
  Partial<Pick<ExportSnapshot, 'choice' | 'state'>> & { plans?: ExportPlans['plans'] } = {}) {
  const [hostPort, viewPort] = ports();
  const fail = (fault: string) => {
    throw new Error(fault);
  };
  const plan = vi.fn<ExportSessionOptions['plan']>(async chosen =>
    chosen === null ? plans : [planOf(chosen.target, 100 * Object.keys(chosen.options).length)],
  );
  const runs: { onLine(line: EngineLine): void; end(): void; fail(error: Error): void; asked: unknown[] }[] = [];
  const options = {
    shown: { subject: { name: 'n', about: 'LoRA', model: 'm', adapters: ['/a'] }, choice, state },
    targets: async () => TARGETS,
    plan,
    place: vi.fn<ExportSessionOptions['place']>(async path => ({ out: path, force: true })),
    pickPlace: async (path: string) => `${path}-other`,
    run: (...[chosen, place, onLine, cancelled]: Parameters<ExportSessionOptions['run']>) =>
      new Promise<void>((end, fail) => {
        runs.push({ onLine, end, fail, asked: [chosen, place] });
        cancelled.addEventListener('abort', () => fail(new Error('ended by a signal')));
      }),
    remember: vi.fn<ExportSessionOptions['remember']>(),
    shell: 'posix' as const,
    use: vi.fn<ExportSessionOptions['use']>(),
    openPlace: vi.fn<ExportSessionOptions['openPlace']>(),
    ...changes,
  };
  const session = new ExportSession({ channel: new WebviewChannel(hostPort, fail), ...options });
  const view = new WebviewChannel(viewPort, fail);
  const snapshots: ExportSnapshot[] = [];
  view.onNotification(exportChanged, snapshot => void snapshots.push(snapshot));
  return { session, view, snapshots, runs, options, plan };
}

const now = (view: WebviewChannel) => view.request(openExport, undefined);

it('asks for the plans of all targets once, and chooses the first that is possible', async () => {
  const { session, view, plan } = opened({ plans: [REFUSED, planOf('b')] });
  await session.ready;
  const { cards, choice, planning } = await now(view);
  expect(cards.map(({ target, plan, refused }) => [target, plan?.bytes, refused?.message])).toEqual([
    ['a', undefined, 'not this one'],
    ['b', 1, undefined],
  ]);
  expect([choice, planning]).toEqual([{ target: 'b', options: {} }, false]);
  expect(plan).toHaveBeenCalledTimes(1);
  session.dispose();
});

it('plans again with the options that were remembered, and with every choice of them', async () => {
  const { session, view, plan } = opened({ choice: { target: 'b', options: { type: 'q8_0' } } });
  await session.ready;
  expect(plan.mock.calls.map(([chosen]) => chosen)).toEqual([
    null,
    { target: 'b', options: { type: 'q8_0' }, to: 'to-b' },
  ]);
  expect((await now(view)).cards[1]!.plan!.bytes).toBe(100);
  view.notify(chooseExport, { target: 'b', options: { type: 'q4_0', touched: 'f16' } });
  await vi.waitFor(async () => expect((await now(view)).cards[1]!.plan!.bytes).toBe(200));
  session.dispose();
});

it('doesn’t show an answer to an earlier choice', async () => {
  const { session, view, plan } = opened();
  await session.ready;
  let answer: (plans: ExportPlans['plans']) => void;
  plan.mockImplementationOnce(() => new Promise(resolve => (answer = resolve)));
  view.notify(chooseExport, { target: 'a', options: { type: 'slow' } });
  await vi.waitFor(() => expect(plan).toHaveBeenCalledTimes(2));
  view.notify(chooseExport, { target: 'a', options: {} });
  await vi.waitFor(() => expect(plan).toHaveBeenCalledTimes(3));
  expect(plan.mock.calls[1]![1].aborted).toBe(true);
  answer!([planOf('a', 999)]);
  await vi.waitFor(async () => expect(await now(view)).toMatchObject({ planning: false }));
  expect((await now(view)).cards[0]!.plan!.bytes).toBe(0);
  session.dispose();
});

it('exports to the place that the user agrees to, remembers the choice, and passes on progress and result', async () => {
  const { session, view, snapshots, runs, options } = opened();
  await session.ready;
  view.notify(chooseExport, { target: 'b', options: {} });
  view.notify(changeExportPlace, undefined);
  await vi.waitFor(async () => expect((await now(view)).out).toBe('/x/b-other'));
  view.notify(startExport, undefined);
  await vi.waitFor(() => expect(runs).toHaveLength(1));
  expect(runs[0]!.asked).toEqual([
    { target: 'b', options: {}, to: 'to-b' },
    { out: '/x/b-other', force: true },
  ]);
  expect(options.remember).toHaveBeenCalledWith({ target: 'b', options: {} });
  runs[0]!.onLine({ type: 'progress', phase: 'write', done: 1, total: 4 });
  expect(session.state).toEqual({ kind: 'running', phase: 'write', share: 0.25 });
  runs[0]!.onLine({ type: 'warning', message: 'rounding' });
  runs[0]!.onLine(EXPORTED);
  runs[0]!.end();
  await vi.waitFor(() => expect(snapshots.at(-1)!.state.kind).toBe('completed'));
  expect(session.state).toMatchObject({ title: 'b', exported: EXPORTED, warnings: ['rounding'] });
  view.notify(useExported, { act: 'copy' });
  await vi.waitFor(() => expect(options.use).toHaveBeenCalledWith('copy', '/x/b'));
  session.dispose();
});

it('copies the command of a GGUF, quoted for the shell, and none of another export', async () => {
  const path = "/x/Ann's.gguf";
  const completed = (exported: object): ExportSnapshot['state'] => ({
    ...{ kind: 'completed', title: 'b', warnings: [], time: '2026-01-01T00:00:00.000Z' },
    exported: { ...EXPORTED, ...exported },
  });
  const gguf = completed({ path, llama_cpp: { base: null, has_chat_template: false } });
  const { session, view, options } = opened({ state: gguf, shell: 'powershell' });
  view.notify(useExported, { act: 'copy_command' });
  const command = "llama-completion -m '/x/Ann''s.gguf' -no-cnv -p 'Once upon a time'";
  await vi.waitFor(() => expect(options.use).toHaveBeenCalledWith('copy', command));
  session.dispose();
  const other = opened({ state: completed({}) });
  other.view.notify(useExported, { act: 'copy_command' });
  other.view.notify(useExported, { act: 'reveal' });
  await vi.waitFor(() => expect(other.options.use).toHaveBeenCalledWith('reveal', '/x/b'));
  expect(other.options.use).toHaveBeenCalledTimes(1);
  other.session.dispose();
});

it('does nothing if the user keeps what is at the place', async () => {
  const { session, runs, options } = opened({ place: async () => null });
  await session.ready;
  await session.start();
  expect([runs, session.state]).toEqual([[], { kind: 'choosing' }]);
  expect(options.remember).not.toHaveBeenCalled();
  session.dispose();
});

it('is cancelled, and says why it failed', async () => {
  const { session, view, runs } = opened();
  await session.ready;
  const first = session.start();
  await vi.waitFor(() => expect(runs).toHaveLength(1));
  view.notify(cancelExport, undefined);
  await first;
  expect(session.state).toEqual({ kind: 'cancelled' });
  const second = session.start();
  await vi.waitFor(() => expect(runs).toHaveLength(2));
  runs[1]!.fail(new EngineInputError({ code: 'bad_input', message: 'too large', file: '/m', hint: 'Use BF16.' }));
  await second;
  const failure = { message: 'too large', hint: 'Use BF16.', file: '/m', line: null };
  expect(session.state).toEqual({ kind: 'failed', failure });
  session.dispose();
});

it('keeps a result from before a reload, also if the engine can’t be asked', async () => {
  const state = { kind: 'completed' as const, title: 'b', exported: EXPORTED, warnings: [], time: '2026-01-01' };
  const targets = () => Promise.reject(new Error('Restricted Mode'));
  const kept = opened({ state, targets });
  await kept.session.ready;
  expect(kept.session.state).toEqual(state);
  const fresh = opened({ targets });
  await fresh.session.ready;
  expect(fresh.session.state).toMatchObject({ kind: 'failed', failure: { message: 'Restricted Mode' } });
  kept.session.dispose();
  fresh.session.dispose();
});
