// The host's side of one open playground: has the conversation, asks the models of its columns, and writes corrections. Its panel,
// pickers and dialogs are in playground.ts. Imports no vscode, so that tests can run it.
import type * as vscode from 'vscode';
import {
  asked,
  askedAgain,
  atRest,
  cleared,
  columnOf,
  corrected,
  ended,
  fromRows,
  indexOf,
  isUnderWay,
  messagesOf,
  mixtureOf,
  isSameDevice,
  newConversation,
  rowsOf,
  takePiece,
  takeWhole,
  withAnswer,
  withColumn,
  withoutColumn,
  withWeight,
} from '../../core/playground/conversation.js';
import { currentStep, secondsLeft } from '../../core/runs/runState.js';
import { PHASE_LABELS, longFigure, roughDuration, runFigure, runPhase } from '../../core/runs/runStatus.js';
import { count } from '../../core/units.js';
import {
  commandPlayground,
  conversationRowSchema,
  fetchTokens,
  MAX_COLUMNS,
  NUM_ALTERNATIVES,
  openPlaygroundPage,
  playgroundChanged,
  promptProposed,
  scoreAnswer,
  type Column,
  type Conversation,
  type DatasetKind,
  type PlaygroundAnswer,
  type PlaygroundCommand,
  type PlaygroundModel,
  type PlaygroundSnapshot,
  type Training,
} from '../../protocol/playgroundMessages.js';
import {
  sessionOptionsSchema,
  type AdapterFacts,
  type ChatTurn,
  type GenerationInput,
  type TokenLogprob,
} from '../../protocol/sessionMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { EngineInputError, type ModelSession, type Run, type SessionService } from '../services.js';
import { LatestWins } from './latestWins.js';

export type NewColumn = Pick<Column, 'name' | 'model' | 'parts' | 'run'>;

/** Where conversations are kept. */
export interface ConversationStore {
  list(): Promise<PlaygroundSnapshot['kept']>;
  read(id: string): Promise<Conversation>;
  write(conversation: Conversation): Promise<void>;
  delete(id: string): Promise<void>;
}

/** host/corrections, for datasets of type `D`. */
export interface Corrections<D> {
  pickDataset(kind: DatasetKind): Promise<D | undefined>;
  appendConversation(dataset: D, messages: ChatTurn[]): Promise<{ line: number; problems: string[] }>;
  appendPreference(
    dataset: D,
    pair: { prompt: ChatTurn[]; chosen: ChatTurn[]; rejected: ChatTurn[] },
  ): Promise<{ line: number }>;
  trainOn(result: { model: string; adapter: string | null; run?: string }, dataset: D): Promise<Run | undefined>;
  nameOf(dataset: D): string;
}

export interface PlaygroundSessionOptions<D> {
  channel: WebviewChannel;
  conversation: Conversation;
  /** Put into the input. */
  prompt: string;
  /** Base of relative paths. */
  folder: string;
  /** Whether the model is loaded at once, or only for the first message, as in a window that was reloaded. */
  loadAtOnce: boolean;
  sessions: Pick<SessionService, 'open' | 'sharingNote'>;
  store: ConversationStore;
  corrections: Corrections<D>;
  newCancellation(): Pick<vscode.CancellationTokenSource, 'token' | 'cancel' | 'dispose'>;
  newId(): string;
  nowMs(): number;
  isTrusted(): boolean;
  /** A run's adapter or model as a column; null while there is none. */
  columnOfRun(run: Run): NewColumn | null;
  /** Asks for a column. */
  pickColumn(conversation: Conversation): Promise<NewColumn | undefined>;
  /** Asks for a location and writes the file; null: the user cancelled. */
  saveFile(name: string, text: string): Promise<string | null>;
  /** Asks for a file and reads it. */
  openFile(): Promise<string | null>;
  openRun(folder: string): void;
  /** The conversation is another one, or has another title. */
  onShown(conversation: Conversation): void;
}

const SNAPSHOT_INTERVAL_MS = 60;

export class PlaygroundSession<D = vscode.Uri> {
  private readonly changes = new LatestWins(() => this.sendSnapshot(), SNAPSHOT_INTERVAL_MS);
  private current: Conversation;
  /** By model. */
  private held = new Map<string, Promise<ModelSession>>();
  private readonly loaded = new Map<string, ModelSession>();
  private model: PlaygroundModel = { phase: 'none', message: null, facts: null };
  private memory: PlaygroundSnapshot['memory'] = null;
  private adapters: Record<string, AdapterFacts> = {};
  private readonly tokens = new Map<string, TokenLogprob[]>();
  /** What the answers in `tokens` were asked with. */
  private readonly inputs = new Map<string, GenerationInput>();
  private kept: PlaygroundSnapshot['kept'] = [];
  private readonly datasets = new Map<DatasetKind, D>();
  private readonly trainings = new Map<string, { run: Run; column: string; listening: { dispose(): unknown } }>();
  /** The answers on their way. */
  private underWay: { cancel(): void; done: Promise<unknown> } | null = null;
  /** Settles when the commands that stop them are carried out. */
  private stopping: Promise<void> = Promise.resolve();
  private disposed = false;

  constructor(private readonly options: PlaygroundSessionOptions<D>) {
    const { channel } = options;
    this.current = atRest(options.conversation);
    // The page asks again if it is loaded again, when the prompt is in use and the model may have been released.
    let { prompt, loadAtOnce } = options;
    channel.onRequest(openPlaygroundPage, async () => {
      this.kept = await options.store.list();
      // What goes wrong is shown in the snapshot.
      if (loadAtOnce) void this.hold(this.current.model).catch(() => undefined);
      const opened = { snapshot: this.snapshot(), prompt };
      prompt = '';
      loadAtOnce = false;
      return opened;
    });
    channel.onRequest(fetchTokens, ({ turn, column, from }) => this.tokens.get(keyOf(turn, column))?.slice(from) ?? []);
    channel.onRequest(scoreAnswer, ({ turn, column, by }) => this.score(turn, column, by));
    channel.onRequest(commandPlayground, command => this.obey(command));
  }

  get conversation(): Conversation {
    return this.current;
  }

  /** Puts a prompt into the input. */
  propose(prompt: string): void {
    this.options.channel.notify(promptProposed, prompt);
  }

  /** Adds a column if there is room and none with the same parts. */
  addColumn(column: NewColumn): void {
    if (!this.has(column)) this.set(withColumn(this.current, column));
  }

  private has(column: NewColumn): boolean {
    const same = (each: NewColumn) => JSON.stringify([each.model, each.parts.map(({ path }) => path)]);
    return this.current.columns.some(each => same(each) === same(column));
  }

  /** Whether these columns are shown, or can be. */
  hasRoomFor(columns: readonly NewColumn[]): boolean {
    return this.current.columns.length + columns.filter(column => !this.has(column)).length <= MAX_COLUMNS;
  }

  /** Something that the host asks the window for, such as trust or the runs, has changed. */
  refresh(): void {
    this.changes.request();
  }

  dispose(): void {
    this.disposed = true;
    this.underWay?.cancel();
    this.changes.dispose();
    for (const { listening } of this.trainings.values()) listening.dispose();
    for (const session of this.loaded.values()) session.dispose();
    this.options.channel.dispose();
  }

  private async obey(command: PlaygroundCommand): Promise<string | null> {
    const said = await this.carryOut(command);
    this.changes.request();
    return said ?? null;
  }

  private carryOut(command: PlaygroundCommand): Promise<string | null | void> | string | null | void {
    const now = this.current;
    switch (command.do) {
      case 'send':
        return this.send(command.prompt);
      case 'stop':
        return this.stop();
      case 'regenerate':
        return this.again(command.turn, command.column);
      case 'edit':
        return this.again(command.turn, null, command.prompt);
      case 'clear':
        return this.clear();
      case 'setSystem':
        return this.set({ ...now, system: command.system });
      case 'setSampling':
        return this.set({ ...now, sampling: command.sampling });
      case 'setVariables':
        return this.set({ ...now, template_variables: command.variables });
      case 'setWeight':
        return this.set(withWeight(now, command.column, command.path, command.weight));
      case 'addColumn':
        return this.pickColumn();
      case 'removeColumn':
        return this.set(withoutColumn(now, command.column));
      case 'load':
        return this.load(command.base_weights);
      case 'correct':
        return this.correct(command);
      case 'vote':
        return this.vote(command);
      case 'chooseDataset':
        return this.chooseDataset(command.kind).then(() => undefined);
      case 'train':
        return this.train(command.column);
      case 'stopTraining':
        return this.trainings.get(command.folder)?.run.send({ type: 'stop' });
      case 'openRun':
        return this.options.openRun(command.folder);
      case 'showTrained':
        return this.showTrained(command.folder);
      case 'dismissTraining':
        return this.forgetTraining(command.folder);
      case 'newConversation':
        return this.switchTo(this.emptyLike(now));
      case 'openConversation':
        return this.options.store.read(command.id).then(read => this.switchTo(atRest(read)));
      case 'renameConversation':
        return this.rename(command.id, command.title);
      case 'deleteConversation':
        return this.delete(command.id);
      case 'export':
        return this.export();
      case 'import':
        return this.import();
    }
  }

  // Asking

  private send(prompt: string): Promise<void> {
    return this.afterStop(() => {
      this.set(asked(this.current, prompt, this.current.sampling.seed));
      this.answer(this.current.turns.at(-1)!.id, this.current.columns);
    });
  }

  private again(turn: number, column: string | null, prompt?: string): Promise<void> {
    return this.afterStop(() => {
      const columns = column === null ? this.current.columns : [columnOf(this.current, column)];
      this.set(askedAgain(this.current, turn, columns, prompt));
      this.answer(turn, columns);
    });
  }

  /** Asks all columns at once; their answers arrive in the snapshots. */
  private answer(turn: number, columns: readonly Column[]): void {
    const source = this.options.newCancellation();
    for (const { id } of columns) this.tokens.delete(keyOf(turn, id));
    const answers = Promise.all(columns.map(column => this.answerIn(column, turn, source.token)));
    const own = {
      cancel: () => source.cancel(),
      done: answers.then(async () => {
        source.dispose();
        if (this.underWay === own) this.underWay = null;
        await this.keep();
        await this.measure();
      }),
    };
    this.underWay = own;
  }

  /** Never rejects: what goes wrong is shown in the answer. */
  private async answerIn(column: Column, turn: number, token: vscode.CancellationToken): Promise<void> {
    const change = (how: (answer: PlaygroundAnswer) => PlaygroundAnswer) => {
      if (!this.disposed) this.set(withAnswer(this.current, turn, column.id, how));
    };
    const { sampling, template_variables } = this.current;
    const messages = messagesOf(this.current, turn, column.id);
    const { seed } = this.current.turns[indexOf(this.current, turn)]!;
    try {
      const session = await this.hold(column.model ?? this.current.model);
      for (const { path } of column.parts) await this.attach(session, path);
      const input: GenerationInput = {
        messages,
        adapters: mixtureOf(column),
        sampling: { ...sampling, seed },
        top_logprobs: NUM_ALTERNATIVES,
        template_variables,
      };
      if (token.isCancellationRequested) return change(ended);
      const key = keyOf(turn, column.id);
      this.inputs.set(key, input);
      const whole = await session.generate(input, {
        token,
        onPiece: piece => {
          if (token.isCancellationRequested) return;
          if (piece.logprobs) this.tokens.set(key, [...(this.tokens.get(key) ?? []), ...piece.logprobs]);
          change(answer => takePiece(answer, piece));
        },
      });
      if (whole.logprobs) this.tokens.set(key, whole.logprobs);
      change(answer => takeWhole(answer, whole));
    } catch (error) {
      if (token.isCancellationRequested) change(ended);
      else change(answer => ({ ...answer, status: 'failed', problem: (error as Error).message }));
    }
  }

  private async score(turn: number, column: string, by: string): Promise<TokenLogprob[]> {
    const key = keyOf(turn, column);
    const [tokens, input] = [this.tokens.get(key), this.inputs.get(key)];
    if (!tokens || !input || tokens.length === 0) return [];
    const { model, parts, name } = columnOf(this.current, by);
    const session = await this.hold(model ?? this.current.model);
    for (const { path } of parts) await this.attach(session, path);
    const adapters = mixtureOf({ parts });
    const scored = await session.score({
      ...input,
      adapters,
      token_ids: tokens.map(({ id }) => id),
      top_logprobs: 0,
    });
    if (scored.some(({ text }, index) => text !== tokens[index]!.text))
      throw new Error(`${name} has another tokenizer, so its probabilities can’t be compared.`);
    return scored;
  }

  private async stop(): Promise<void> {
    this.underWay?.cancel();
    await this.underWay?.done;
  }

  /** Stops the answers on their way, and then changes the conversation: one command after the other. */
  private afterStop(change: () => void): Promise<void> {
    const done = this.stopping.then(() => this.stop()).then(change);
    this.stopping = done.catch(() => undefined);
    return done;
  }

  // The models

  private async load(baseWeights: string | undefined): Promise<void> {
    if (baseWeights !== undefined) {
      await this.afterStop(() => {
        this.releaseAll();
        this.set({ ...this.current, base_weights: baseWeights });
      });
      await this.keep();
    }
    await this.hold(this.current.model);
  }

  private hold(model: string): Promise<ModelSession> {
    const holding = this.held.get(model) ?? this.open(model);
    this.held.set(model, holding);
    return holding;
  }

  private async open(model: string): Promise<ModelSession> {
    const { sessions, folder } = this.options;
    const { held } = this;
    const isWanted = () => held === this.held && !this.disposed;
    const show = (shown: PlaygroundModel) => {
      if (isWanted() && model === this.current.model) this.model = shown;
      this.changes.request();
    };
    show({ phase: 'loading', message: null, facts: null });
    try {
      const settings = sessionOptionsSchema.parse({
        model,
        folder,
        ...(this.current.base_weights === null ? {} : { base_weights: this.current.base_weights }),
        ...this.current.device,
      });
      const session = await sessions.open(settings, {
        onProgress: ({ message }) => show({ phase: 'loading', message: message ?? null, facts: null }),
      });
      if (!isWanted()) {
        session.dispose();
        throw new Error('Another model was opened.');
      }
      session.onDidEnd(() => {
        this.release(model);
        show({ phase: 'ended', message: null, facts: session.facts });
      });
      this.loaded.set(model, session);
      show({ phase: 'ready', message: null, facts: session.facts });
      await this.measure();
      for (const { parts, model: own } of this.current.columns)
        if ((own ?? this.current.model) === model)
          for (const { path } of parts) void this.attach(session, path).catch(() => undefined);
      return session;
    } catch (error) {
      held.delete(model);
      const smaller = tooLarge(error) ? smallerThan(this.current.base_weights) : undefined;
      show({ phase: 'failed', message: (error as Error).message, facts: null, smaller });
      throw error;
    }
  }

  /** An adapter that has been rewritten since is read again. */
  private async attach(session: ModelSession, path: string): Promise<void> {
    const facts = await session.load(path, path);
    this.adapters = { ...this.adapters, [path]: facts };
    this.changes.request();
  }

  private release(model: string): void {
    this.loaded.get(model)?.dispose();
    this.loaded.delete(model);
    this.held.delete(model);
    if (this.loaded.size === 0) this.memory = null;
  }

  private releaseAll(): void {
    for (const model of this.loaded.keys()) this.release(model);
    // What is still being loaded is released when it is there.
    this.held = new Map();
    this.adapters = {};
    this.model = { phase: 'none', message: null, facts: null };
  }

  private async measure(): Promise<void> {
    try {
      const parts = await Promise.all([...this.loaded.values()].map(session => session.memory()));
      const sum = (key: 'rss_bytes' | 'cache_bytes') => parts.reduce((total, part) => total + part[key], 0);
      const available = Math.min(...parts.map(part => part.available_bytes));
      this.memory =
        parts.length === 0
          ? null
          : { rss_bytes: sum('rss_bytes'), cache_bytes: sum('cache_bytes'), available_bytes: available };
    } catch {
      // The session has ended meanwhile, which is shown by itself.
      this.memory = null;
    }
    this.changes.request();
  }

  // Corrections

  private async correct(command: PlaygroundCommand & { do: 'correct' }): Promise<string | null> {
    const { turn, column, text, into } = command;
    const before = this.answerOf(turn, column);
    const original = before.original ?? before.text;
    const { id } = this.current;
    const prompt = messagesOf(this.current, turn, column);
    const answered = (content: string): ChatTurn[] => [{ role: 'assistant', content }];
    if (into === 'preference' && text === original)
      throw new Error('A preference pair needs an answer that differs from the model’s.');
    const dataset = into && (this.datasets.get(into) ?? (await this.chooseDataset(into)));
    if (into && !dataset) return null;
    let saved: PlaygroundAnswer['saved'] = null;
    if (dataset) {
      const { corrections } = this.options;
      if (into === 'conversation') {
        const { line, problems } = await corrections.appendConversation(dataset, [...prompt, ...answered(text)]);
        const added = [`Added as line ${count(line)} of ${corrections.nameOf(dataset)}`, ...problems].join('. ');
        saved = { kind: into, text: added };
      } else {
        const pair = { prompt, chosen: answered(text), rejected: answered(original) };
        const { line } = await corrections.appendPreference(dataset, pair);
        saved = { kind: 'preference', text: `Preferred in line ${count(line)} of ${corrections.nameOf(dataset)}` };
      }
    }
    await this.changeIfSame(id, turn, column, before, answer => ({ ...corrected(answer, text), saved }));
    return saved && saved.text;
  }

  /** Changes an answer, unless it was replaced or another conversation opened while its row was written. */
  private async changeIfSame(
    id: string,
    turn: number,
    column: string,
    before: PlaygroundAnswer,
    change: (answer: PlaygroundAnswer) => PlaygroundAnswer,
  ): Promise<void> {
    const isSame = ({ status, text }: PlaygroundAnswer) => status === before.status && text === before.text;
    if (id !== this.current.id) return;
    this.set(withAnswer(this.current, turn, column, answer => (isSame(answer) ? change(answer) : answer)));
    await this.keep();
  }

  private async vote({ turn, chosen, rejected }: PlaygroundCommand & { do: 'vote' }): Promise<string | null> {
    const [better, worse] = [this.answerOf(turn, chosen), this.answerOf(turn, rejected)];
    if (better.text === worse.text) throw new Error('Both answers are the same.');
    const { id } = this.current;
    const prompt = messagesOf(this.current, turn, chosen);
    const dataset = this.datasets.get('preference') ?? (await this.chooseDataset('preference'));
    if (!dataset) return null;
    const { corrections } = this.options;
    const { line } = await corrections.appendPreference(dataset, {
      prompt,
      chosen: [{ role: 'assistant', content: better.text }],
      rejected: [{ role: 'assistant', content: worse.text }],
    });
    const text = `Preferred in line ${count(line)} of ${corrections.nameOf(dataset)}`;
    const saved = { kind: 'preference' as const, text };
    await this.changeIfSame(id, turn, chosen, better, answer => ({ ...answer, saved }));
    return text;
  }

  private async chooseDataset(kind: DatasetKind): Promise<D | undefined> {
    const dataset = await this.options.corrections.pickDataset(kind);
    if (dataset) this.datasets.set(kind, dataset);
    return dataset;
  }

  private answerOf(turn: number, column: string): PlaygroundAnswer {
    const answer = this.current.turns[indexOf(this.current, turn)]!.answers[column];
    if (!answer || isUnderWay(answer)) throw new Error('There is no complete answer yet.');
    return answer;
  }

  private async train(id: string): Promise<string | null> {
    const column = columnOf(this.current, id);
    if (column.parts.length > 1)
      throw new Error('Training continues from one adapter, and this column mixes several. Choose a column with one.');
    const dataset = this.datasets.get('conversation') ?? (await this.chooseDataset('conversation'));
    if (!dataset) return null;
    const run = await this.options.corrections.trainOn(
      {
        model: column.model ?? this.current.model,
        adapter: column.parts[0]?.path ?? null,
        ...(column.run === null ? {} : { run: column.run }),
      },
      dataset,
    );
    if (!run) return null;
    const listening = run.onDidChange(() => this.changes.request());
    this.trainings.set(run.folder, { run, column: id, listening });
    return null;
  }

  private async showTrained(folder: string): Promise<void> {
    const training = this.trainings.get(folder);
    const column = training && this.options.columnOfRun(training.run);
    if (!column) throw new Error('This run has no adapter.');
    if (this.current.columns.length >= MAX_COLUMNS)
      throw new Error(`There are ${MAX_COLUMNS} columns already. Remove one to make room for the new adapter.`);
    const before = new Set(this.current.columns.map(({ id }) => id));
    this.set(withColumn(this.current, column, training.column));
    this.forgetTraining(folder);
    const added = this.current.columns.find(({ id }) => !before.has(id))!;
    const last = this.current.turns.at(-1);
    if (last) await this.again(last.id, added.id);
  }

  private forgetTraining(folder: string): void {
    this.trainings.get(folder)?.listening.dispose();
    this.trainings.delete(folder);
  }

  // Conversations

  private async pickColumn(): Promise<void> {
    const column = await this.options.pickColumn(this.current);
    if (!column) return;
    this.set(withColumn(this.current, column));
    const session = this.loaded.get(column.model ?? this.current.model);
    // Its facts say whether it has a strength. What is wrong with it is shown by the first answer.
    if (session) for (const { path } of column.parts) await this.attach(session, path).catch(() => undefined);
  }

  private emptyLike(conversation: Conversation): Conversation {
    const { model, base_weights, device, columns, system, sampling, template_variables } = conversation;
    const empty = newConversation({ id: this.options.newId(), model, base_weights, device, columns, system });
    return { ...empty, sampling, template_variables };
  }

  private async switchTo(conversation: Conversation): Promise<void> {
    await this.afterStop(() => {
      this.tokens.clear();
      this.inputs.clear();
      const { model, base_weights, device } = this.current;
      const isSame =
        conversation.model === model &&
        conversation.base_weights === base_weights &&
        isSameDevice(conversation.device, device);
      if (!isSame) this.releaseAll();
      this.set(conversation);
    });
    await this.keep();
  }

  private async clear(): Promise<void> {
    await this.switchTo(cleared(this.current));
    if (!this.options.isTrusted()) return;
    await this.options.store.delete(this.current.id);
    this.kept = await this.options.store.list();
  }

  private async rename(id: string, title: string): Promise<void> {
    if (id === this.current.id) this.set({ ...this.current, title });
    const renamed = id === this.current.id ? this.current : { ...(await this.options.store.read(id)), title };
    await this.options.store.write(renamed);
    this.kept = await this.options.store.list();
  }

  private async delete(id: string): Promise<void> {
    // First: answers that are stopped by it keep their conversation.
    if (id === this.current.id) await this.switchTo(this.emptyLike(this.current));
    await this.options.store.delete(id);
    this.kept = await this.options.store.list();
  }

  private async keep(): Promise<void> {
    if (this.disposed || this.current.turns.length === 0 || !this.options.isTrusted()) return;
    this.current = { ...this.current, updated_ms: this.options.nowMs() };
    await this.options.store.write(this.current);
    this.kept = await this.options.store.list();
    this.changes.request();
  }

  private async export(): Promise<string | null> {
    const rows = rowsOf(this.current);
    if (rows.length === 0) throw new Error('There is no answer to export yet.');
    const name = `${this.current.title.replaceAll(/[^\p{L}\p{N} _-]+/gu, '').trim() || 'conversation'}.jsonl`;
    const path = await this.options.saveFile(name, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
    return path && `Exported to ${path}`;
  }

  private async import(): Promise<string | null> {
    const text = await this.options.openFile();
    if (text === null) return null;
    const rows = text.split('\n').flatMap((line, index) => {
      if (line.trim() === '') return [];
      const row = conversationRowSchema.safeParse(jsonOf(line));
      if (!row.success) throw new Error(`Line ${index + 1} is no row with "messages".`);
      return [row.data];
    });
    const { conversation, leftOut } = fromRows(this.emptyLike(this.current), rows);
    await this.switchTo(conversation);
    return leftOut === 0
      ? null
      : `${count(leftOut)} of ${count(rows.length)} rows are other conversations, or have no column, and were left out.`;
  }

  // What is shown

  private set(conversation: Conversation): void {
    const { id, title } = this.current;
    this.current = conversation;
    if (id !== conversation.id || title !== conversation.title) this.options.onShown(conversation);
    this.changes.request();
  }

  private sendSnapshot(): void {
    this.options.channel.notify(playgroundChanged, this.snapshot());
  }

  private snapshot(): PlaygroundSnapshot {
    const nameOf = (kind: DatasetKind) => {
      const dataset = this.datasets.get(kind);
      return dataset === undefined ? null : this.options.corrections.nameOf(dataset);
    };
    return {
      conversation: this.current,
      busy: this.underWay !== null,
      model: this.model,
      memory: this.memory,
      adapters: this.adapters,
      datasets: { conversation: nameOf('conversation'), preference: nameOf('preference') },
      trainings: [...this.trainings.values()].map(({ run, column }) => this.trainingOf(run, column)),
      sharing: this.options.sessions.sharingNote(),
      kept: this.kept,
      trusted: this.options.isTrusted(),
    };
  }

  private trainingOf(run: Run, column: string): Training {
    const state = run.glance();
    const phase = runPhase(state, run.alive, run.detached);
    const step = currentStep(state);
    const total = state.started?.total_steps ?? 0;
    const loss = runFigure(state);
    const left = run.alive ? secondsLeft(state) : null;
    const done = this.options.columnOfRun(run) !== null;
    const parts = [
      PHASE_LABELS[phase],
      run.alive && total > 0 && `step ${count(step)} of ${count(total)}`,
      loss && longFigure(loss),
      left !== null && `${roughDuration(left)} left`,
      run.failure()?.message,
    ];
    return {
      folder: run.folder,
      name: run.name,
      column,
      phase: run.alive ? 'alive' : done ? 'done' : 'failed',
      text: parts.filter(Boolean).join(' · '),
      share: total === 0 ? 0 : Math.min(1, step / total),
    };
  }
}

function tooLarge(error: unknown): boolean {
  return error instanceof EngineInputError && error.record.code === 'out_of_memory';
}

function smallerThan(baseWeights: string | null): PlaygroundModel['smaller'] {
  if (baseWeights === 'int4') return undefined;
  return baseWeights === 'int8' ? 'int4' : 'int8';
}

function keyOf(turn: number, column: string): string {
  return `${turn} ${column}`;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
