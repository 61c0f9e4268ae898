// The servers of this window: starts them, knows which are listening, and offers to start one again that has ended by itself. They
// end with the window. Created once by register.ts.
import * as vscode from 'vscode';
import { guarded } from '../commands/guarded.js';
import type { EngineProgram } from '../engineProcess/engineProgram.js';
import { showWarningMessage, withProgress } from '../window.js';
import { Server, type Served } from './serverProcess.js';

export class Servers implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private listening: Server[] = [];
  private channel: vscode.OutputChannel | undefined;

  constructor(
    /** @throws UntrustedWorkspaceError */
    private readonly program: () => Promise<EngineProgram>,
    private readonly output: vscode.LogOutputChannel,
  ) {}

  list(): readonly Server[] {
    return this.listening;
  }

  /**
   * The server of these adapters: the one that is listening, else a new one.
   * @throws as `Server.start`
   */
  async serve(served: Served): Promise<Server> {
    const same = this.listening.find(server => JSON.stringify(server.served) === JSON.stringify(served));
    return same ?? (await this.start(served));
  }

  showLog(): void {
    this.log.show();
  }

  dispose(): void {
    for (const server of this.listening) server.stop();
    this.changed.dispose();
    this.channel?.dispose();
  }

  private async start(served: Served): Promise<Server> {
    const program = await this.program();
    const title = `Starting a server of ${titleOf(served)}`;
    const server = await withProgress(
      { location: vscode.ProgressLocation.Notification, title, cancellable: true },
      (_progress, token) =>
        Server.start(served, { program, port: this.port(), log: line => this.log.appendLine(line), token }),
    );
    this.listening = [...this.listening, server];
    this.output.info(`${titleOf(served)} is served at ${server.url}`);
    void server.ended.then(byItself => this.onEnd(server, byItself));
    this.changed.fire();
    return server;
  }

  private onEnd(server: Server, byItself: boolean): void {
    this.listening = this.listening.filter(each => each !== server);
    this.changed.fire();
    this.output.info(`The server at ${server.url} has ended`);
    if (byItself) void guarded(this.output, 'serve', () => this.offerRestart(server));
  }

  private async offerRestart({ served, address }: Server): Promise<void> {
    const restart = 'Restart';
    const showLog = 'Open Log';
    const message = `The server of ${titleOf(served)} at ${address} has ended unexpectedly.`;
    const answer = await showWarningMessage(message, restart, showLog);
    if (answer === restart) await this.start(served);
    if (answer === showLog) this.showLog();
  }

  /** The port of the setting; any other for further servers. */
  private port(): number {
    const port = vscode.workspace.getConfiguration('tunewright').get('serverPort', 0);
    return this.listening.some(({ url }) => new URL(url).port === String(port)) ? 0 : port;
  }

  private get log(): vscode.OutputChannel {
    return (this.channel ??= vscode.window.createOutputChannel('Tunewright Server'));
  }
}

/** Names of the adapters, or the base. */
export function titleOf({ model, adapters }: Served): string {
  return adapters.length > 0 ? adapters.map(({ name }) => name).join(', ') : model;
}
