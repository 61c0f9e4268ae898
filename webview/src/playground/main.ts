// Entry point of the playground's page (webviewHtml.ts): requests the conversation from the host, then shows every snapshot.
import '../shared/zodWithoutEval.js';
import './playground.css';
import {
  openPlaygroundPage,
  playgroundChanged,
  promptProposed,
} from '../../../extension/src/protocol/playgroundMessages.js';
import { inputJsonSchema } from '../../../extension/src/core/forms/zodSchema.js';
import { samplingSchema } from '../../../extension/src/protocol/sampling.js';
import { host, keepState, keptState } from '../shared/host.js';
import { ProblemBanner } from '../shared/schemaForm.js';
import { PlaygroundView, type KeptView } from './view.js';

const app = document.getElementById('app')!;

let view: PlaygroundView | null = null;
host.onNotification(promptProposed, prompt => view?.propose(prompt));
// Snapshots from before the reply are part of it.
host.onNotification(playgroundChanged, snapshot => view?.show(snapshot));

async function open(): Promise<void> {
  const { snapshot, prompt } = await host.request(openPlaygroundPage, undefined);
  view = new PlaygroundView(host, inputJsonSchema(samplingSchema), keptState() as KeptView | undefined, keepState);
  app.replaceChildren(view.element);
  view.show(snapshot);
  if (prompt) view.propose(prompt);
}

open().catch((error: Error) => {
  const problem = new ProblemBanner();
  problem.show(error.message);
  app.replaceChildren(problem.element);
});
