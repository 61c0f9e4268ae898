// The run panel: model, data, method, trained parameters, memory, training options, Start. Holds the draft, notifies
// the host of every change, and shows the engine's answers. Wired up by main.ts.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { measuredMethods } from '../../../extension/src/core/race/measuredMethods.js';
import { baselineOf } from '../../../extension/src/core/metrics/comparedWith.js';
import { estimatedTime } from '../../../extension/src/core/metrics/estimatedTime.js';
import { isEqual, reproposed } from '../../../extension/src/core/runs/proposeRun.js';
import { block } from '../../../extension/src/core/runs/runFileKeys.js';
import { gpuMemoryNote, type KnownGpu } from '../../../extension/src/core/gpuMemory.js';
import { wantedBackend } from '../../../extension/src/core/wantedBackend.js';
import { engineConfigSchema } from '../../../extension/src/protocol/engineConfig.js';
import { CLUSTER_KEYS, engineHere, engineOn, LOCAL_KEYS } from '../../../extension/src/core/runs/runPlace.js';
import { roughCount } from '../../../extension/src/core/units.js';
import {
  describeData,
  draftChanged,
  estimateDraft,
  inspectModel,
  listGpus,
  openData,
  pick,
  propose,
  pullModel,
  startDraft,
  type Choices,
  type Draft,
  type ModelFacts,
  type PanelState,
  type Problem,
  type TrainingData,
} from '../../../extension/src/protocol/runPanelMessages.js';
import type { EstimateAnswer, MethodEstimate } from '../../../extension/src/protocol/answers.js';
import { findRaces } from '../../../extension/src/protocol/raceMessages.js';
import type { LowRank } from '../../../extension/src/protocol/methodFacts.js';
import { ChannelClosedError, type WebviewChannel } from '../../../extension/src/protocol/webviewChannel.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { h, icon, setText } from '../shared/dom.js';
import { memoryBars } from '../shared/memoryBars.js';
import {
  ProblemBanner,
  SchemaForm,
  type FieldAction,
  type ProblemAction,
  type SchemaFormOptions,
  type Values,
} from '../shared/schemaForm.js';
import { button, dropdown, fold, type DropdownChoice } from '../shared/toolkit.js';
import { methodsOf, quickCount, text, withBlock, type MethodChoice } from './draft.js';
import { DataFactsView } from './dataFacts.js';
import { MethodCards } from './methodCards.js';
import { chosenGpu, GpuChoice } from './gpuChoice.js';
import { ModelNote } from './modelNote.js';
import { SavingsPicture } from './savingsPicture.js';

/** Pause after a change before the estimate is requested. */
const ESTIMATE_DELAY_MS = 400;
/** How long a start waits for the facts of a large file. */
const LONGEST_READING_MS = 5000;

/** Values of the choice where to run, beside names and addresses of clusters. */
const PLACE = { here: '\u0000here', other: '\u0000other' } as const;
const PICK = { folder: '\u0000folder', file: '\u0000file', id: '\u0000id', dataset: '\u0000dataset' } as const;
/** Keys of the schema that have a form. */
const BLOCKS = ['dataset', 'training', 'samples', 'engine'] as const;

const deviceSchema = engineConfigSchema.pick({ backend: true, adapter: true }).strip();

export class RunPanelView {
  readonly element: HTMLElement;
  private draft: Draft = {};
  /** What was proposed for the draft's model, dataset and method. */
  private proposal: Draft = {};
  private facts: ModelFacts | null = null;
  private estimate: EstimateAnswer | null = null;
  /** The draft that the estimate is for. */
  private estimated: Draft = {};
  /** What is known of the draft's datasets. */
  private data: TrainingData | null = null;
  private dataTimer: ReturnType<typeof setTimeout> | undefined;
  /** What the facts were last requested for. */
  private dataFor = '';
  private dataPath = '';
  /** The request of the facts, while they aren't known. */
  private reading: Promise<void> | null = null;
  private estimateTimer: ReturnType<typeof setTimeout> | undefined;
  /** What the engine refuses in the draft. */
  private refusal: Problem | null = null;
  /** Number of the latest estimate request; answers to earlier ones are outdated. */
  private asked = 0;
  /** The same for proposals. */
  private proposed = 0;
  private starting = false;

  private readonly methods: readonly MethodChoice[];
  /** What the user has set of the methods chosen before, restored when one is chosen again. */
  private readonly optionsOf = new Map<string, Values>();
  private methodForm: SchemaForm;
  private lowRank: LowRank | null = null;
  private readonly forms = new Map<string, SchemaForm>();
  private readonly cards: MethodCards;
  private measuredFor = '';
  private readonly picture: SavingsPicture;
  private readonly models = dropdown({ label: 'Model', onChange: value => void this.chooseModel(value) });
  private readonly datasets = dropdown({ label: 'Training data', onChange: value => void this.chooseDataset(value) });
  private readonly places = dropdown({ label: 'Where to run', onChange: value => void this.choosePlace(value) });
  private readonly placeNote = h('p', { class: 'help', hidden: true });
  private readonly modelFacts = h('p', { class: 'help number' });
  private readonly modelProblem = new ProblemBanner();
  private readonly modelNote = new ModelNote(model => this.pull(model));
  private readonly dataFacts = new DataFactsView(line => this.openLine(line));
  private readonly problem = new ProblemBanner();
  private readonly methodHolder = h('div');
  private readonly memory = h('div');
  private readonly memoryBusy = h(
    'span',
    { class: 'busy', hidden: true },
    icon('loading', 'codicon-modifier-spin'),
    'estimating...',
  );
  /** Those of WebGPU; null: not asked for yet. */
  private gpus: readonly KnownGpu[] | null = null;
  private readonly gpuChoice = new GpuChoice(adapter => {
    const engine = without(block(this.draft, 'engine'), 'adapter');
    this.change(withBlock(this.draft, 'engine', adapter === null ? engine : { ...engine, adapter }));
  });
  private readonly gpuNote = h('p', { class: 'muted', hidden: true });
  private readonly time = h('p', { class: 'muted number', hidden: true });
  private readonly runFileLine = h('p', { class: 'muted run-file', hidden: true });
  private readonly restricted = h(
    'p',
    { class: 'muted', hidden: true },
    'Restricted Mode: trust this workspace to estimate, train and save run files. ',
    h('a', { href: 'command:workbench.trust.manage' }, 'Manage Workspace Trust'),
  );
  private readonly start = button({ label: 'Start Fine-Tuning', icon: 'play', onClick: () => void this.startRun() });

  constructor(
    private readonly channel: WebviewChannel,
    private readonly state: PanelState,
  ) {
    const schema = state.schema as JsonSchema;
    this.methods = methodsOf(schema);
    this.cards = new MethodCards(this.methods, peftType => this.chooseMethod(peftType));
    this.picture = new SavingsPicture(rank => this.methodForm.change(this.lowRank!.rank, rank));
    this.methodForm = this.makeMethodForm(this.methods[0]!);
    this.addForms(schema);
    this.element = this.layout();
    this.showChoices(state.choices);
    this.trust(state.trusted);
    this.show(state.shown.draft, state.shown.runFile);
  }

  private addForms({ properties = {} }: JsonSchema): void {
    const form = (
      key: (typeof BLOCKS)[number],
      options: Omit<SchemaFormOptions, 'schema' | 'onChange'>,
      words = (schema: JsonSchema) => schema,
    ) =>
      this.forms.set(
        key,
        new SchemaForm({
          ...options,
          schema: words(properties[key] ?? {}),
          onChange: values => this.changeBlock(key, values),
        }),
      );
    form('dataset', {
      important: [],
      omit: ['train'],
      moreTitle: 'Validation, length and more',
      actions: { validation: this.browse('validation', 'Choose a file') },
    });
    form('training', {
      important: ['num_train_epochs', 'learning_rate', 'per_device_train_batch_size'],
      moreTitle: 'More training options',
    });
    form('samples', { important: 9, moreTitle: '' });
    form('engine', { important: 99, moreTitle: '', omit: ['adapter'] }, clusterWords);
    // An empty name means the suggested one.
    const name: JsonSchema = { ...properties['name'], anyOf: [{ type: 'string' }, { type: 'null' }], default: null };
    const general = new SchemaForm({
      schema: { properties: { name } },
      important: ['name'],
      moreTitle: '',
      onChange: ({ name }) => this.change(name === undefined ? without(this.draft, 'name') : { ...this.draft, name }),
    });
    this.forms.set('', general);
  }

  private layout(): HTMLElement {
    const form = (key: string) => this.forms.get(key)!.element;
    return h(
      'div',
      { class: 'panel' },
      h(
        'div',
        { class: 'sections' },
        h('h1', { class: 'visually-hidden' }, 'Fine-tune a model'),
        this.restricted,
        this.runFileLine,
        section('Model', this.models.element, this.modelFacts, this.modelProblem.element, this.modelNote.element),
        section('Training data', this.datasets.element, this.dataFacts.element, form('dataset')),
        section('Method', this.cards.element, this.methodHolder),
        section('Trained parameters', this.picture.element),
        section('Where to run', this.places.element, this.placeNote, this.engineFold(form('engine'))),
        section(['Memory', this.memoryBusy], this.memory, this.gpuNote, this.time),
        section('Training', form('training')),
        section('More', fold('Run name', form('')), fold('Sample answers', form('samples'))),
      ),
      h('div', { class: 'footer' }, this.problem.element, this.start),
    );
  }

  /** Shows a draft from the host. */
  show(draft: Draft, runFile: string | null): void {
    this.draft = draft;
    this.optionsOf.clear();
    this.proposal = {};
    const isNew = Object.keys(draft).length === 0;
    this.showDraft();
    this.forms.get('')!.values = 'name' in draft ? { name: draft['name'] } : {};
    void this.propose(proposal => (isNew ? reproposed(this.draft, {}, proposal) : this.draft));
    setText(this.runFileLine, runFile ?? '');
    this.runFileLine.hidden = runFile === null;
    this.runFileLine.title = runFile ?? '';
    void this.learnModel();
    this.refresh();
  }

  /** Shows the draft in the controls. */
  private showDraft(): void {
    const { peft_type: peftType, ...options } = block(this.draft, 'method');
    const method = this.methods.find(each => each.peftType === peftType) ?? this.methods[0]!;
    if (this.cards.value !== method.peftType) this.useMethod(method);
    this.methodForm.values = options;
    this.draft = { ...this.draft, method: { peft_type: method.peftType, ...options } };
    for (const key of BLOCKS)
      this.forms.get(key)!.values = without(without(block(this.draft, key), 'train'), 'adapter');
    this.showChoices(this.state.choices);
  }

  /** Asks for the run proposed for the draft's choices; `take` gives the draft with it. The latest choices win. */
  private async propose(take: (proposal: Draft) => Draft): Promise<void> {
    const asked = ++this.proposed;
    const choice = {
      model: text(this.draft['model']) || null,
      train: text(block(this.draft, 'dataset')['train']) || null,
      peft_type: text(block(this.draft, 'method')['peft_type']),
    };
    try {
      const proposal = await this.channel.request(propose, choice);
      if (asked !== this.proposed) return;
      const draft = take(proposal);
      this.proposal = proposal;
      if (draft === this.draft) return this.refresh();
      this.draft = draft;
      this.showDraft();
      this.change(this.draft);
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) this.problem.show((error as Error).message);
    }
  }

  /** Takes another model, dataset or method, and replaces what was proposed before with what is proposed for it. */
  private choose(draft: Draft, own: Values = {}): Promise<void> {
    this.change(draft);
    return this.propose(proposal => {
      const next = reproposed(this.draft, this.proposal, proposal);
      return { ...next, method: { ...block(next, 'method'), ...own } };
    });
  }

  showChoices(choices: Choices): void {
    this.state.choices = choices;
    const model = text(this.draft['model']);
    const train = text(block(this.draft, 'dataset')['train']);
    const known = choices.models.map(({ id, label, group, detail }) => ({
      value: id,
      label: [label, group, detail].filter(Boolean).join(' · '),
    }));
    const files = choices.datasets.map(({ path, label, group }) => ({ value: path, label: `${label} · ${group}` }));
    this.models.choices = [
      ...withCurrent(known, model, 'Choose a model'),
      { value: PICK.id, label: 'Hugging Face ID...' },
      { value: PICK.folder, label: 'Model folder...' },
      { value: PICK.file, label: 'GGUF file...' },
    ];
    this.models.value = model;
    this.datasets.choices = [
      ...withCurrent(files, train, 'Choose a dataset'),
      { value: PICK.dataset, label: 'Browse...' },
    ];
    this.datasets.value = train;
    this.showPlace();
  }

  /** Where the draft runs, and the settings that count there. */
  private showPlace(): void {
    const { clusters } = this.state.choices;
    const { backend, address } = block(this.draft, 'engine');
    const isHere = backend !== 'ray';
    const named = clusters.find(cluster => cluster.address === address)?.name;
    const place = isHere ? PLACE.here : (named ?? text(address));
    const known = [
      { value: PLACE.here, label: 'This machine' },
      ...clusters.map(({ name, address: at }) => ({ value: name, label: `${name} · ${at}` })),
    ];
    this.places.choices = [
      ...withCurrent(known, place, 'Choose a cluster'),
      { value: PLACE.other, label: 'Ray cluster...' },
    ];
    this.places.value = place;
    this.forms.get('engine')!.hide(isHere ? CLUSTER_KEYS : LOCAL_KEYS);
    this.placeNote.hidden = isHere;
    setText(
      this.placeNote,
      isHere
        ? ''
        : 'The rows are sent there as token ids, and Python’s PyTorch and PEFT train. Checkpoints and the adapter come back here.',
    );
  }

  private async choosePlace(value: string): Promise<void> {
    const engine = block(this.draft, 'engine');
    const address = value === PLACE.other ? await this.channel.request(pick, 'cluster') : value;
    if (value === PLACE.here) this.takeEngine(engineHere(engine));
    else if (address !== null && address !== '') {
      const named = this.state.choices.clusters.find(({ name }) => name === address);
      if (named || address !== engine['address']) this.takeEngine(engineOn(engine, named ?? { address }));
    }
    this.showPlace();
  }

  private takeEngine(engine: Values): void {
    this.forms.get('engine')!.values = engine;
    this.change(withBlock(this.draft, 'engine', engine));
  }

  trust(trusted: boolean): void {
    this.state.trusted = trusted;
    this.restricted.hidden = trusted;
    this.start.disabled = !trusted;
    if (!trusted || !this.element.isConnected) return;
    void this.learnModel();
    this.refresh();
  }

  /** All changes by the user go through here. */
  private change(draft: Draft): void {
    this.draft = draft;
    this.channel.notify(draftChanged, draft);
    this.refresh();
  }

  private changeBlock(key: string, values: Values): void {
    // These have controls of their own outside the forms.
    const { train, adapter } = block(this.draft, key);
    const outside = { ...(train === undefined ? {} : { train }), ...(adapter === undefined ? {} : { adapter }) };
    this.change(withBlock(this.draft, key, { ...outside, ...values }));
    if (key === 'engine') this.showPlace();
  }

  private async chooseModel(value: string): Promise<void> {
    const kinds: Record<string, 'model_folder' | 'model_file' | 'model_id'> = {
      [PICK.folder]: 'model_folder',
      [PICK.file]: 'model_file',
      [PICK.id]: 'model_id',
    };
    const kind = kinds[value];
    const model = kind ? await this.channel.request(pick, kind) : value;
    if (model !== null) {
      void this.choose({ ...this.draft, model });
      void this.learnModel();
    }
    this.showChoices(this.state.choices);
  }

  private async chooseDataset(value: string): Promise<void> {
    const train = value === PICK.dataset ? await this.channel.request(pick, 'dataset') : value;
    if (train !== null) void this.choose(withBlock(this.draft, 'dataset', { ...block(this.draft, 'dataset'), train }));
    this.showChoices(this.state.choices);
  }

  private chooseMethod(peftType: string): void {
    const { peft_type: before, ...options } = block(this.draft, 'method');
    const proposed = block(this.proposal, 'method');
    const own = Object.entries(options).filter(([key, value]) => !isEqual(value, proposed[key]));
    this.optionsOf.set(text(before), Object.fromEntries(own));
    this.useMethod(this.methods.find(each => each.peftType === peftType)!);
    void this.choose({ ...this.draft, method: { peft_type: peftType } }, this.optionsOf.get(peftType));
  }

  private useMethod(method: MethodChoice): void {
    this.methodForm = this.makeMethodForm(method);
    this.lowRank = method.lowRank;
    this.cards.value = method.peftType;
    this.methodHolder.replaceChildren(this.methodForm.element);
  }

  private makeMethodForm(method: MethodChoice): SchemaForm {
    return new SchemaForm({
      schema: method.schema,
      important: 4,
      moreTitle: 'More method options',
      actions: { init_from: this.browse('adapter', 'Choose an adapter folder') },
      onChange: values => this.change({ ...this.draft, method: { peft_type: method.peftType, ...values } }),
    });
  }

  private browse(what: 'validation' | 'adapter', label: string): FieldAction {
    return { icon: 'folder-opened', label, run: () => this.channel.request(pick, what) };
  }

  private async learnModel(): Promise<void> {
    const model = text(this.draft['model']);
    this.facts = null;
    this.modelProblem.show(null);
    this.modelNote.show('', null);
    if (model === '' || !this.state.trusted) return this.showFacts();
    this.modelFacts.hidden = false;
    setText(this.modelFacts, 'Reading the model...');
    try {
      const answer = await this.channel.request(inspectModel, model);
      if (model !== this.draft['model']) return;
      if (answer.ok) this.facts = answer.value;
      else this.showProblem(answer.problem);
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) this.modelProblem.show((error as Error).message);
    }
    this.showFacts();
  }

  private showFacts(): void {
    const { facts } = this;
    this.modelFacts.hidden = !facts && text(this.draft['model']) !== '';
    setText(
      this.modelFacts,
      facts
        ? `${roughCount(facts.parameters)} parameters · ${facts.modelType} · ${facts.contextLength.toLocaleString('en-US')} tokens`
        : text(this.draft['model']) === ''
          ? 'Choose a model to fine-tune. The embedded model needs no download.'
          : '',
    );
    this.picture.showMatrices(facts?.matrices ?? [], facts?.loraTargets[0] ?? null);
    this.showSavings();
  }

  /** Pulls the model, then asks again for what is only known of models on this machine. */
  private async pull(model: string): Promise<void> {
    try {
      const isPulled = await this.channel.request(pullModel, model);
      if (!isPulled || model !== this.draft['model']) return;
      await this.learnModel();
      this.refresh();
      this.refreshData();
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) this.modelProblem.show((error as Error).message);
    }
  }

  private openLine(line: number): void {
    this.channel.notify(openData, { path: text(block(this.draft, 'dataset')['train']), line });
  }

  /** Asks again what the datasets hold. */
  refreshData(): void {
    this.dataFor = '';
    this.showData();
  }

  /** Shows what the datasets hold, and asks for it if something that it depends on has changed. */
  private showData(): void {
    const { model, dataset, method } = this.draft;
    const key = JSON.stringify([model, dataset, method]);
    if (key === this.dataFor) return;
    this.dataFor = key;
    clearTimeout(this.dataTimer);
    const train = text(block(this.draft, 'dataset')['train']);
    // While a file is read again, its last facts stay.
    if (train !== this.dataPath) this.data = null;
    this.dataPath = train;
    this.dataFacts.show(this.data?.train ?? null, train !== '');
    if (train === '') return void (this.reading = null);
    this.reading = new Promise(resolve => {
      this.dataTimer = setTimeout(() => resolve(this.askData(key)), ESTIMATE_DELAY_MS);
    });
  }

  private async askData(key: string): Promise<void> {
    let data: TrainingData | null = null;
    try {
      data = await this.channel.request(describeData, this.draft);
    } catch {
      // The start says what is wrong.
    }
    if (key !== this.dataFor) return;
    const before = this.data?.validation?.end;
    // A refused start has shown the problem above Start, too.
    if (this.data?.train.end && !data?.train.end) this.problem.show(null);
    this.data = data;
    this.reading = null;
    this.dataFacts.show(data?.train ?? null, false);
    const end = data?.validation?.end;
    if (before || end) this.forms.get('dataset')!.showProblem('validation', end?.text ?? null);
  }

  /** Asks for the races on the draft's model and dataset, once for each pair. */
  private async showMeasured(): Promise<void> {
    const [model, train] = [text(this.draft['model']), text(block(this.draft, 'dataset')['train'])];
    const key = JSON.stringify([model, train]);
    if (key === this.measuredFor) return;
    this.measuredFor = key;
    const isComplete = model !== '' && train !== '';
    // What isn't known isn't shown; the panel works without it.
    const races = isComplete ? await this.channel.request(findRaces, this.draft).catch(() => []) : [];
    if (key === this.measuredFor) this.cards.showMeasured(measuredMethods(races));
  }

  /** Other races may have ended. */
  forgetMeasured(): void {
    this.measuredFor = '';
    void this.showMeasured();
  }

  private engineFold(form: HTMLElement): HTMLElement {
    const element = fold('Engine', form, h('div', { class: 'fields' }, this.gpuChoice.element));
    element.addEventListener('toggle', () => element.open && void this.askGpus());
    return element;
  }

  /** Lists the GPUs, once there are any. */
  private async askGpus(): Promise<void> {
    if (this.gpus?.length || !this.state.trusted) return;
    // The choice of a name by hand stays possible in the run file.
    this.gpus = await this.channel.request(listGpus, undefined).catch(() => []);
    this.showGpu();
  }

  /** The choice of the GPU, and what is known of its memory. */
  private showGpu(): void {
    const device = deviceSchema.safeParse(block(this.draft, 'engine')).data ?? deviceSchema.parse({});
    const isOnGpu = wantedBackend(device) === 'webgpu';
    if (isOnGpu && this.gpus === null) void this.askGpus();
    this.gpuChoice.show(device, this.gpus);
    if (device.backend === 'ray') this.gpuChoice.element.hidden = true;
    const gpu = chosenGpu(this.gpus ?? [], device.adapter);
    this.gpuNote.hidden = !isOnGpu || !gpu || !this.estimate;
    if (gpu && this.estimate) setText(this.gpuNote, gpuMemoryNote(this.estimate.run.memory.total, gpu));
  }

  /** Updates what follows from the draft immediately, and requests the estimate. */
  private refresh(): void {
    this.showData();
    void this.showMeasured();
    this.showGpu();
    this.forms.get('')!.hint('name', text(this.proposal['name']));
    this.showSavings();
    this.problem.show(null);
    clearTimeout(this.estimateTimer);
    this.refusal = null;
    this.asked++;
    const complete = text(this.draft['model']) !== '' && this.state.trusted && !this.hasOwnProblems();
    this.memoryBusy.hidden = !complete;
    if (!complete) return this.showEstimate(null);
    this.estimateTimer = setTimeout(() => void this.askEstimate(), ESTIMATE_DELAY_MS);
  }

  /** @returns false if another request was made meanwhile, whose answer counts */
  private async askEstimate(): Promise<boolean> {
    clearTimeout(this.estimateTimer);
    const asked = ++this.asked;
    const { draft } = this;
    try {
      const answer = await this.channel.request(estimateDraft, draft);
      if (asked !== this.asked) return false;
      this.estimated = draft;
      this.showEstimate(answer.ok ? answer.value : null);
      if (!answer.ok) this.showProblem((this.refusal = answer.problem));
      // Such a run can be started: PEFT ignores these names, too.
      else for (const { key, message } of answer.value.unmatched) this.showProblem({ field: key, message });
    } catch (error) {
      if (error instanceof ChannelClosedError) return true;
      if (asked !== this.asked) return false;
      this.showEstimate(null);
      this.problem.show((error as Error).message);
    }
    this.memoryBusy.hidden = true;
    return true;
  }

  private showEstimate(estimate: EstimateAnswer | null): void {
    this.estimate = estimate;
    this.cards.showEstimate(estimate);
    this.showGpu();
    this.showSavings();
    const time = estimate && (estimate.workers === null ? estimatedTime(estimate) : this.priceText());
    this.time.hidden = !time;
    setText(this.time, time ?? '');
    if (!estimate) {
      const message = this.toSee('the memory that a training step takes');
      return this.memory.replaceChildren(h('p', { class: 'help' }, message));
    }
    const full = baselineOf(estimate);
    const { workers } = estimate;
    const who = workers === null ? '' : workers === 1 ? 'In the worker:' : `In each of the ${workers} workers:`;
    this.memory.replaceChildren(
      ...(who === '' ? [] : [h('p', { class: 'help' }, who)]),
      memoryBars({
        bars: [
          { label: this.titleOf(estimate.run), memory: estimate.run.memory },
          ...(full && full !== estimate.run ? [{ label: this.titleOf(full), memory: full.memory }] : []),
          { label: 'Inference', memory: estimate.inference_bytes },
        ],
        availableBytes: estimate.available_bytes,
      }),
    );
  }

  /** Of a cluster. */
  private priceText(): string {
    const { address } = block(this.draft, 'engine');
    const price = this.state.choices.clusters.find(cluster => cluster.address === address)?.price_per_hour ?? null;
    const later = 'known after the first steps';
    return price === null ? `Time: ${later}` : `${price} per hour; time and cost: ${later}`;
  }

  private titleOf({ peft_type: wanted }: MethodEstimate): string {
    return this.methods.find(({ peftType }) => peftType === wanted)?.title ?? wanted;
  }

  private showSavings(): void {
    const method = block(this.draft, 'method');
    const { lowRank } = this;
    const rank = lowRank && this.methodForm.value(lowRank.rank);
    const factors = lowRank && typeof rank === 'number' ? { rank, pairs: lowRank.pairs } : null;
    this.picture.showFactors(factors);
    const { facts, estimate } = this;
    const current = estimate && estimate.run.peft_type === method['peft_type'] ? estimate.run : null;
    const { model, method: counted } = this.estimated;
    // What the engine has counted for this very method is right in any case.
    const isExact = current !== null && model === this.draft['model'] && isEqual(counted, method);
    const quick = !isExact && facts && lowRank && factors ? quickCount(lowRank, method, factors.rank, facts) : null;
    if (quick !== null) this.picture.showTotals(quick, facts!.parameters + quick);
    else if (current) this.picture.showTotals(current.trainable_parameters, current.total_parameters);
    else this.picture.showNoTotals(this.toSee('the number of trained parameters'));
  }

  /** Says what is needed to see something that isn't known yet. */
  private toSee(what: string): string {
    if (!this.state.trusted) return `Trust this workspace to see ${what}.`;
    if (text(this.draft['model']) === '') return `Choose a model to see ${what}.`;
    if (this.hasOwnProblems()) return `Fix the highlighted fields to see ${what}.`;
    return `The estimate will show ${what}.`;
  }

  private hasOwnProblems(): boolean {
    return [this.methodForm, ...this.forms.values()].some(form => form.ownProblems.size > 0);
  }

  /** Shows a problem at its field if it names one, else above Start. */
  private showProblem({ field, message, pull }: Problem, action?: ProblemAction): void {
    const [head = '', ...rest] = field?.split('.') ?? [];
    const form = head === 'method' ? this.methodForm : this.forms.get(rest.length > 0 ? head : '');
    if (field === 'model' && pull !== undefined) this.modelNote.show(message, pull);
    else if (field === 'model') this.modelProblem.show(message);
    else if (!form?.showProblem(rest[0] ?? head, message))
      this.problem.show(field ? `${field}: ${message}` : message, action);
  }

  /** Why the datasets would end the run, once they are read; null also if that takes long: a start reads them, too. */
  private async endOfData(): Promise<{ problem: Problem; action?: ProblemAction } | null> {
    if (this.reading) await Promise.race([this.reading, pause(LONGEST_READING_MS)]);
    const { reading, data } = this;
    if (reading || !data) return null;
    const { end } = data.train;
    if (end) return { problem: { field: null, message: end.text }, action: this.dataFacts.opening(end) };
    const ofValidation = data.validation?.end;
    return ofValidation ? { problem: { field: 'dataset.validation', message: ofValidation.text } } : null;
  }

  private async startRun(): Promise<void> {
    if (this.starting) return;
    const missing =
      text(this.draft['model']) === ''
        ? this.models
        : text(block(this.draft, 'dataset')['train']) === ''
          ? this.datasets
          : null;
    if (missing) {
      this.problem.show(missing === this.models ? 'Choose a model first.' : 'Choose a dataset first.');
      return missing.element.focus();
    }
    if (this.hasOwnProblems()) {
      this.problem.show('Fix the highlighted fields first.');
      this.element.querySelector<HTMLElement>('.has-problem vscode-text-field')?.focus();
      return;
    }
    this.starting = true;
    this.start.disabled = true;
    this.problem.show(null);
    try {
      // What would end the run is known before the start: rows, and what the engine refuses in the draft.
      const end = await this.endOfData();
      if (end) return this.showProblem(end.problem, end.action);
      while (!this.memoryBusy.hidden && !(await this.askEstimate())) continue;
      if (this.refusal && this.refusal.pull === undefined) return this.showProblem(this.refusal);
      const answer = await this.channel.request(startDraft, { name: this.proposal['name'], ...this.draft });
      if (!answer.ok) this.showProblem(answer.problem);
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) this.problem.show((error as Error).message);
    } finally {
      this.starting = false;
      this.start.disabled = !this.state.trusted;
    }
  }
}

/** The keys that are only shown for a cluster needn't say so. */
function clusterWords(engine: JsonSchema): JsonSchema {
  const shortened = CLUSTER_KEYS.map(key => {
    const { title = '', description = '', ...schema } = engine.properties?.[key] ?? {};
    const words = [title.replace(/^Ray /, ''), description.replace(/^With ray: /, '')];
    const [name, help] = words.map(text => text.charAt(0).toUpperCase() + text.slice(1));
    return [key, { ...schema, title: name, description: help }];
  });
  return { ...engine, properties: { ...engine.properties, ...Object.fromEntries(shortened) } };
}

/** Settles after this time. */
function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

function section(title: string | [string, HTMLElement], ...content: HTMLElement[]): HTMLElement {
  const [name, note] = Array.isArray(title) ? title : [title, null];
  return h('section', { class: 'section', 'aria-label': name }, h('h2', {}, name, note && ' ', note), ...content);
}

function without(values: Values, key: string): Record<string, unknown> {
  const { [key]: _, ...others } = values;
  return others;
}

/** Adds the current value if it isn't among the choices, so that the dropdown can show it. */
function withCurrent(choices: DropdownChoice[], current: string, invitation: string): DropdownChoice[] {
  if (current === '') return [{ value: '', label: invitation }, ...choices];
  const known = choices.some(({ value }) => value === current);
  if (known) return choices;
  const isPath = /^([./~\\]|[A-Za-z]:)/.test(current);
  return [{ value: current, label: isPath ? fileName(current) : current }, ...choices];
}
