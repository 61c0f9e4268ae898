// vscode.tests for unit tests, which have no vscode: items, profiles, and what a test run was told.

export class FakeItems {
  private items = new Map<string, FakeItem>();
  constructor(private readonly parent?: FakeItem) {}
  get size(): number {
    return this.items.size;
  }
  get = (id: string) => this.items.get(id);
  delete = (id: string) => void this.items.delete(id);
  add(item: FakeItem): void {
    item.parent = this.parent;
    this.items.set(item.id, item);
  }
  replace(items: readonly FakeItem[]): void {
    this.items = new Map();
    for (const item of items) this.add(item);
  }
  [Symbol.iterator] = () => this.items.entries();
}

export class FakeItem {
  readonly children = new FakeItems(this);
  parent: FakeItem | undefined;
  error: string | undefined;
  range: { start: { line: number } } | undefined;
  constructor(
    readonly id: string,
    readonly label: string,
    readonly uri: { fsPath: string },
  ) {}
}

export interface FakeMessage {
  message: string;
  expected?: string;
  actual?: string;
}

type Handler = (request: object, token: object) => Promise<void>;

/** What a run was told, as `passed a`; the name first. */
export class FakeController {
  readonly items = new FakeItems();
  readonly runs: string[][] = [];
  readonly messages: FakeMessage[] = [];
  output = '';
  resolveHandler: (item?: FakeItem) => Promise<void> = async () => {};

  /** @throws Error for the separator of VS Code's own ids, as VS Code does */
  createTestItem(id: string, label: string, uri: { fsPath: string }): FakeItem {
    if (id.includes('\0')) throw new Error('Test IDs may not include the separator');
    return new FakeItem(id, label, uri);
  }

  createRunProfile = (_label: string, _kind: number, runHandler: Handler) => ({ runHandler });
  dispose = () => {};

  createTestRun(_request: object, name: string): object {
    const said = [name];
    this.runs.push(said);
    const say = (verdict: string) => (item: FakeItem, message?: FakeMessage | FakeMessage[]) => {
      said.push(`${verdict} ${item.label}`);
      if (typeof message === 'object') this.messages.push(...[message].flat());
    };
    return {
      ...{ enqueued: () => {}, started: () => {}, passed: say('passed'), failed: say('failed') },
      ...{ errored: say('errored'), skipped: say('skipped'), end: () => said.push('end') },
      appendOutput: (text: string) => (this.output += text),
    };
  }
}
