// Entry point of the run panel's page (webviewHtml.ts): requests the initial state from the host, then shows it.
import '../shared/zodWithoutEval.js';
import './runPanel.css';
import {
  choicesChanged,
  dataChanged,
  draftShown,
  openPanel,
  trustGranted,
} from '../../../extension/src/protocol/runPanelMessages.js';
import { racesChanged } from '../../../extension/src/protocol/raceMessages.js';
import { host } from '../shared/host.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { RunPanelView } from './view.js';

const app = document.getElementById('app')!;

async function open(): Promise<void> {
  const state = await host.request(openPanel, undefined);
  const view = new RunPanelView(host, state);
  app.replaceChildren(view.element);
  host.onNotification(choicesChanged, choices => view.showChoices(choices));
  host.onNotification(dataChanged, () => view.refreshData());
  host.onNotification(draftShown, ({ draft, runFile }) => view.show(draft, runFile));
  host.onNotification(racesChanged, () => view.forgetMeasured());
  host.onNotification(trustGranted, () => view.trust(true));
}

open().catch((error: Error) => {
  const problem = new ProblemBanner();
  problem.show(error.message);
  app.replaceChildren(problem.element);
});
