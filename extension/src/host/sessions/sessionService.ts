// The base models in memory, one process each, shared by everything that asks them. Created once by extension.ts.
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { SessionSettings } from '../../protocol/sessionMessages.js';
import {
  EngineInputError,
  type EngineService,
  type LoadedModel,
  type ModelSession,
  type RequestOptions,
  type RunService,
  type SessionService,
} from '../services.js';
import { BaseSession, type SessionProcessOptions } from './baseSession.js';

export class ProcessSessions implements SessionService, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  /** By model and weight settings. */
  private readonly bases = new Map<string, BaseSession>();

  constructor(
    private readonly runs: Pick<RunService, 'runs'>,
    private readonly engine: Pick<EngineService, 'ensureInstalled'>,
    private readonly options: SessionProcessOptions,
  ) {}

  get loaded(): readonly LoadedModel[] {
    return [...this.bases.values()].filter(({ running }) => running);
  }

  async open(settings: SessionSettings, options: RequestOptions = {}): Promise<ModelSession> {
    // Without, the engine would answer with wasm, about 8 times slower.
    if (!(await this.engine.ensureInstalled(settings)))
      throw new EngineInputError({
        code: 'engine_not_installed',
        message: `${settings.backend === 'webgpu' ? 'WebGPU' : 'The training engine, TensorFlow,'} is not installed, so the model was not loaded.`,
        hint: 'Try again and let it be installed.',
      });
    const found = withPath(settings);
    const { folder: _, ...identity } = found;
    const key = JSON.stringify(identity, Object.keys(identity).toSorted());
    const base = this.bases.get(key) ?? this.add(key, found);
    return base.hold(options);
  }

  sharingNote(): string | null {
    const training = this.runs.runs().filter(({ alive }) => alive);
    if (training.length === 0) return null;
    const who = training.length === 1 ? `“${training[0]!.name}” is` : `${training.length} runs are`;
    return `${who} training on the same cores and memory. Answers have priority; both are slower meanwhile.`;
  }

  /** Ends all processes, as after a change of settings; the next request starts another. */
  endAll(): void {
    for (const base of this.bases.values()) base.end();
  }

  dispose(): void {
    this.endAll();
    this.changed.dispose();
  }

  private add(key: string, settings: SessionSettings): BaseSession {
    const base = new BaseSession(settings, this.options, () => {
      if (base.unused) this.bases.delete(key);
      this.changed.fire();
    });
    this.bases.set(key, base);
    return base;
  }
}

/** One path for a model, from wherever it is named; hub ids and the embedded model have none. */
function withPath(settings: SessionSettings): SessionSettings {
  const { model, folder } = settings;
  if (isAbsolute(model)) return settings;
  const path = resolve(folder, model);
  return existsSync(path) ? { ...settings, model: path } : settings;
}
