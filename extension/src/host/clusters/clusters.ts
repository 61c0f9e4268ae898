// Ray clusters for the host: those of the setting `tunewright.clusters`, what the user has agreed to send where, and the tokens. A token is
// kept in the editor's secret storage by address, and leaves it only in the environment of a process that trains there.
import * as vscode from 'vscode';
import { withoutLogins } from '../../core/withoutLogins.js';
import { block } from '../../core/runs/runFileKeys.js';
import { clusterSchema, type Cluster } from '../../protocol/clusters.js';
import { keptAddresses } from '../keptValues.js';
import { EngineInputError } from '../services.js';
import { requireTrust } from '../trustedActions.js';
import { showWarningMessage } from '../window.js';
import { sentToCluster } from './sentToCluster.js';

const AGREED = 'clusters.agreed';
const WITH_TOKEN = 'clusters.withToken';
const SEND = 'Send';

/** What a process of the engine gets in addition, to train somewhere. */
export interface Sending {
  flags: readonly string[];
  env: Readonly<Record<string, string>>;
}

export class Clusters {
  constructor(private readonly context: Pick<vscode.ExtensionContext, 'globalState' | 'secrets'>) {}

  /** Those of the setting; what isn't a cluster is left out, as VS Code shows what is wrong with it. */
  named(): Cluster[] {
    const values = vscode.workspace.getConfiguration('tunewright').get<unknown>('clusters', []);
    return (Array.isArray(values) ? values : []).flatMap(value => clusterSchema.safeParse(value).data ?? []);
  }

  /** Of all workers together; null if it isn't known. */
  priceOf(config: object): number | null {
    const address = addressOf(config);
    const found = this.named().find(cluster => address !== null && sameAddress(cluster.address, address));
    return found?.price_per_hour ?? null;
  }

  /** Addresses of the setting, and others that something was sent to or has a token. */
  addresses(): string[] {
    const { globalState } = this.context;
    const kept = [AGREED, WITH_TOKEN].flatMap(key => keptAddresses(globalState.get(key)));
    return [...new Set([...this.named().map(({ address }) => plain(address)), ...kept])];
  }

  /**
   * Asks whether the run may be sent, unless it trains here or the user has agreed for its address.
   * @param on where a resumed run goes on: `here`, an address or the name of a cluster; undefined: where its settings say
   * @throws vscode.CancellationError if it may not, EngineInputError for an unknown name, UntrustedWorkspaceError
   */
  async sending(config: object, on?: string): Promise<Sending> {
    requireTrust();
    const address = on === undefined ? addressOf(config) : this.addressOf(on);
    const flags = on === undefined ? [] : ['--on', on];
    if (address === null) return { flags, env: {} };
    await this.agree(address, config);
    return { flags: [...flags, '--yes'], env: await this.environment(address) };
  }

  /** For a job that was sent already: nobody is asked. @throws UntrustedWorkspaceError */
  async following(config: object): Promise<Sending> {
    requireTrust();
    const address = addressOf(config);
    if (address === null) return { flags: [], env: {} };
    return { flags: this.hasAgreed(address) ? ['--yes'] : [], env: await this.environment(address) };
  }

  async setToken(address: string, token: string): Promise<void> {
    await this.context.secrets.store(secretOf(address), token);
    await this.remember(WITH_TOKEN, address);
  }

  async clearToken(address: string): Promise<void> {
    const { secrets, globalState } = this.context;
    await secrets.delete(secretOf(address));
    const others = keptAddresses(globalState.get(WITH_TOKEN)).filter(each => each !== plain(address));
    await globalState.update(WITH_TOKEN, others);
  }

  /** Addresses with a token. */
  async withToken(): Promise<string[]> {
    const found = await Promise.all(
      this.addresses().map(async address => ((await this.tokenOf(address)) ? [address] : [])),
    );
    return found.flat();
  }

  private addressOf(place: string): string | null {
    if (place === 'here') return null;
    if (/^https?:/.test(place)) return place;
    const found = this.named().find(({ name }) => name === place);
    if (found) return found.address;
    throw new EngineInputError({
      code: 'bad_input',
      message: `No cluster is named ${place}.`,
      key: 'tunewright.clusters',
      hint: 'Add it in the settings.',
    });
  }

  private hasAgreed(address: string): boolean {
    return keptAddresses(this.context.globalState.get(AGREED)).includes(plain(address));
  }

  private async agree(address: string, config: object): Promise<void> {
    if (this.hasAgreed(address)) return;
    const detail = [...sentToCluster(config).map(each => `• ${each}`), '', 'You are asked once for this address.'].join(
      '\n',
    );
    const answer = await showWarningMessage(`Send to ${withoutLogins(address)}?`, { modal: true, detail }, SEND);
    if (answer !== SEND) throw new vscode.CancellationError();
    await this.remember(AGREED, address);
  }

  private async remember(key: string, address: string): Promise<void> {
    const { globalState } = this.context;
    const kept = keptAddresses(globalState.get(key));
    if (!kept.includes(plain(address))) await globalState.update(key, [...kept, plain(address)]);
  }

  private async environment(address: string): Promise<Record<string, string>> {
    const token = await this.tokenOf(address);
    return {
      TUNEWRIGHT_CLUSTERS: JSON.stringify(this.named()),
      ...(token ? { RAY_AUTH_TOKEN: token } : {}),
    };
  }

  private tokenOf(address: string): Thenable<string | undefined> {
    return this.context.secrets.get(secretOf(address));
  }
}

/** Of the cluster that a run file names; null: it is trained on this machine. */
export function addressOf(config: object): string | null {
  const { backend, address } = block(config as Record<string, unknown>, 'engine');
  // One without an address is refused by the engine.
  return backend === 'ray' && typeof address === 'string' ? address : null;
}

export function isOnCluster(config: object): boolean {
  return block(config as Record<string, unknown>, 'engine')['backend'] === 'ray';
}

function sameAddress(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

function plain(address: string): string {
  return address.replace(/\/+$/, '');
}

function secretOf(address: string): string {
  return `tunewright.clusterToken:${plain(address)}`;
}
