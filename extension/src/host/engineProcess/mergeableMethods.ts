// Which methods' results can be folded into their model, as `describe` says. For context menus, which can't wait: the first
// question asks the engine, and listeners are told when the answer has come.
import * as vscode from 'vscode';
import type { EngineService } from '../services.js';

export class MergeableMethods implements vscode.Disposable {
  private readonly learnt = new vscode.EventEmitter<void>();
  readonly onDidLearn = this.learnt.event;
  private known: ReadonlySet<string> | null = null;
  private asking = false;

  constructor(private readonly engine: EngineService) {}

  /** False as long as nobody knows. */
  has(peftType: string): boolean {
    if (!this.known && !this.asking && vscode.workspace.isTrusted) void this.ask();
    return this.known?.has(peftType) ?? false;
  }

  dispose(): void {
    this.learnt.dispose();
  }

  private async ask(): Promise<void> {
    this.asking = true;
    try {
      const described = await this.engine.capabilities();
      const { methods } = described as unknown as { methods: { peft_type: string; mergeable: boolean }[] };
      this.known = new Set(methods.filter(({ mergeable }) => mergeable).map(({ peft_type }) => peft_type));
      this.learnt.fire();
    } catch {
      // The engine service has logged why; the next question asks again.
    } finally {
      this.asking = false;
    }
  }
}
