// The sidebar's run panel: asks the host for what it starts with, then shows it. Loaded by the page of webviewHtml.ts.
import '../shared/zodWithoutEval.js';
import './runPanel.css';
import {
  choicesChanged,
  draftShown,
  openPanel,
  trustGranted,
} from '../../../extension/src/protocol/runPanelMessages.js';
import { host } from '../shared/host.js';
import { RunPanelView } from './view.js';

void host.request(openPanel, undefined).then(state => {
  const view = new RunPanelView(host, state);
  document.getElementById('app')!.replaceChildren(view.element);
  host.onNotification(choicesChanged, choices => view.showChoices(choices));
  host.onNotification(draftShown, ({ draft, runFile }) => view.show(draft, runFile));
  host.onNotification(trustGranted, () => view.trust(true));
});
