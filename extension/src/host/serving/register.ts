// Commands that serve results of runs to other programs, and what can be done with a server that is listening. The servers are in
// servers.ts.
import * as vscode from 'vscode';
import { registerGuarded } from '../commands/guarded.js';
import { pickRuns, runOf } from '../commands/pickRun.js';
import { baseFlags } from '../commands/baseFlags.js';
import type { CommandLineEngine } from '../engineProcess/engineService.js';
import type { FolderRun } from '../runs/folderRun.js';
import { deviceOf } from '../runs/runSettings.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import type { FolderRunService } from '../runs/runService.js';
import { EngineInputError } from '../services.js';
import { requireTrust } from '../trustedActions.js';
import { showQuickPick, tellBriefly } from '../window.js';
import { apiOf, chatLanguageModels, chatSettings, curlCommand, pythonCode, type Endpoint } from './clientCode.js';
import { adapterNames } from './adapterNames.js';
import { Server, type Served } from './serverProcess.js';
import { registerServerStatusBar } from './serverStatusBar.js';
import { Servers, titleOf } from './servers.js';

export function registerServing(
  engine: CommandLineEngine,
  runs: FolderRunService,
  output: vscode.LogOutputChannel,
): vscode.Disposable {
  const servers = new Servers(() => engine.program(), output);
  return vscode.Disposable.from(
    servers,
    registerServerStatusBar(servers),
    // The arguments of a menu: an element and, if several are selected, all of them. @returns the address
    registerGuarded(output, 'tunewright.serveAdapter', async (argument, selected) => {
      requireTrust();
      const chosen = await chosenRuns(runs, argument, selected);
      if (chosen.length === 0 || !(await engine.ensureInstalled(deviceOf(chosen[0]!.config)))) return undefined;
      const server = await servers.serve(servedBy(chosen));
      tellBriefly('broadcast', `${titleOf(server.served)} is served at ${server.address}`);
      return server.url;
    }),
    registerGuarded(output, 'tunewright.stopServer', async argument => (await pickServer(servers, argument))?.stop()),
    registerGuarded(output, 'tunewright.serverActions', async argument => {
      const server = await pickServer(servers, argument);
      if (server) await act(server, servers, engine);
    }),
  );
}

async function chosenRuns(runs: FolderRunService, argument: unknown, selected: unknown): Promise<FolderRun[]> {
  const elements = Array.isArray(selected) && selected.length > 0 ? selected : [argument];
  const named = elements.map(each => runOf(runs, each)).filter(run => run !== undefined);
  if (named.length > 0) return named;
  const hasResult = (run: FolderRun) => resultOf(run) !== null;
  return (await pickRuns(runs, 'Serve Adapters of One Model', hasResult)) ?? [];
}

/** @throws EngineInputError if one has no result, or one server can't have all of them */
export function servedBy(runs: readonly FolderRun[]): Served {
  const results = runs.map(run => ({ run, path: resultOf(run) }));
  const bad = (message: string, hint: string) => new EngineInputError({ code: 'bad_input', message, hint });
  const without = results.find(({ path }) => path === null);
  if (without) throw bad(`“${without.run.name}” has no adapter yet.`, 'Wait until it has completed.');
  const bases = results.map(({ run, path }): Served => {
    const whole = isWholeModel(path!);
    return {
      model: whole ? path! : (run.config as { model: string }).model,
      baseFlags: baseFlags(run.config),
      adapters: whole ? [] : [{ name: run.name, path: path! }],
    };
  });
  const other = bases.findIndex(base => baseOf(base) !== baseOf(bases[0]!));
  if (other > 0)
    throw bad(
      `“${runs[0]!.name}” and “${runs[other]!.name}” have different base models, weights or devices.`,
      'Serve them one after the other: each base has its own server.',
    );
  const adapters = bases.flatMap(base => base.adapters);
  const names = adapterNames(
    adapters.map(({ name }) => name),
    bases[0]!.model,
  );
  return { ...bases[0]!, adapters: adapters.map(({ path }, i) => ({ name: names[i]!, path })) };
}

const baseOf = ({ model, baseFlags }: Served) => JSON.stringify([model, baseFlags]);

async function pickServer(servers: Servers, argument: unknown): Promise<Server | undefined> {
  if (argument instanceof Server) return argument;
  const listening = servers.list();
  if (listening.length === 0) tellBriefly('info', 'No server is running');
  if (listening.length < 2) return listening[0];
  const items = listening.map(server => ({
    icon: 'broadcast',
    label: server.address,
    description: titleOf(server.served),
    detail: server.served.model,
    server,
  }));
  return (await showQuickPick(items, { title: 'Servers', placeHolder: 'Choose a server' }))?.server;
}

async function act(server: Server, servers: Servers, engine: CommandLineEngine): Promise<void> {
  const copying = (label: string, detail: string, text: (endpoint: Endpoint) => string) => ({
    ...{ icon: 'copy', label: `Copy ${label}`, detail },
    act: async () => {
      const { contextLength, readsTools } = await engine.inspectModel(server.served.model);
      await vscode.env.clipboard.writeText(text({ url: server.url, names: server.names, contextLength, readsTools }));
      tellBriefly('check', `Copied ${label}`);
    },
  });
  const actions = [
    copying('Address', apiOf(server), apiOf),
    copying('as curl', 'A command for a terminal', curlCommand),
    copying('as Python', 'With the package openai', pythonCode),
    copying('as settings.json', 'VS Code’s chat: github.copilot.chat.customOAIModels', chatSettings),
    copying('for chatLanguageModels.json', 'VS Code’s chat since 2026: a custom endpoint', chatLanguageModels),
    { icon: 'output', label: 'Open Log', act: () => servers.showLog() },
    { icon: 'debug-stop', label: 'Stop Server', act: () => server.stop() },
  ];
  const title = `${titleOf(server.served)} at ${server.address}`;
  await (await showQuickPick<(typeof actions)[number]>(actions, { title }))?.act();
}
