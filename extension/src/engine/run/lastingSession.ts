// A session that outlives its GPU: a device that has failed (lost, out of memory) answers nothing any more, so the next request opens
// the device, the model and the adapters again. For `session`, `serve` and `chat`, which answer many requests.
import { webgpuHasFailed } from '../backend/webgpuBackend.js';
import type { Session } from '../generation/session.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import type { SessionSettings } from '../../protocol/sessionMessages.js';
import { openSession, type NamedAdapter } from './openSession.js';
import type { Reporter } from './reporter.js';

type Parts = 'facts' | 'adapters' | 'templateFacts' | 'loadFolder' | 'unload' | 'generate' | 'score' | 'countTokens';

/** @throws as `openSession` */
export async function openLastingSession(
  settings: SessionSettings & Partial<Pick<EngineConfig, 'adapter'>>,
  adapters: readonly NamedAdapter[],
  reporter: Reporter,
): Promise<LastingSession> {
  const open = (wanted: readonly NamedAdapter[]) => openSession(settings, wanted, reporter);
  return new LastingSession(await open(adapters), open, reporter);
}

export class LastingSession implements Pick<Session, Parts | 'memory' | 'dispose'> {
  private reopening: Promise<void> | null = null;
  /** Adapters of the session that is gone, until there is another one. */
  private lost: readonly NamedAdapter[] | null = null;
  private isDisposed = false;

  constructor(
    private session: Session,
    private readonly open: (adapters: readonly NamedAdapter[]) => Promise<Session>,
    private readonly reporter: Pick<Reporter, 'warn'>,
  ) {}

  get facts(): Session['facts'] {
    return this.session.facts;
  }

  adapters: Session['adapters'] = () => this.session.adapters();
  templateFacts: Session['templateFacts'] = adapters => this.session.templateFacts(adapters);
  unload: Session['unload'] = name => this.session.unload(name);
  countTokens: Session['countTokens'] = input => this.session.countTokens(input);
  memory: Session['memory'] = () => this.session.memory();

  loadFolder: Session['loadFolder'] = async (name, folder) => (await this.usable()).loadFolder(name, folder);
  generate: Session['generate'] = async (input, calls) => (await this.usable()).generate(input, calls);
  score: Session['score'] = async (input, calls) => (await this.usable()).score(input, calls);

  dispose(): void {
    this.isDisposed = true;
    if (this.lost === null) this.session.dispose();
  }

  private async usable(): Promise<Session> {
    const hasFailed = this.session.facts.backend === 'webgpu' && webgpuHasFailed();
    if (hasFailed || this.lost !== null) this.reopening ??= this.reopen();
    await this.reopening;
    return this.session;
  }

  /** If it fails, this request gets the error and the next one tries again. */
  private async reopen(): Promise<void> {
    try {
      this.reporter.warn('gpu_reopened', 'the GPU failed: the model is opened again');
      if (this.lost === null) {
        this.lost = this.session.adapters();
        this.session.dispose();
      }
      this.session = await this.open(this.lost);
      this.lost = null;
      if (this.isDisposed) this.session.dispose();
    } finally {
      this.reopening = null;
    }
  }
}
