// Entry point of a race's page (webviewHtml.ts): requests what the race's files say from the host, then shows every snapshot.
import '../shared/zodWithoutEval.js';
import './race.css';
import { openRace, raceChanged } from '../../../extension/src/protocol/raceMessages.js';
import { host, keepState, keptState } from '../shared/host.js';
import { RaceView, type KeptRace } from './view.js';

const view = new RaceView(host, keptState() as KeptRace | undefined, keepState);
document.getElementById('app')!.replaceChildren(view.element);
host.onNotification(raceChanged, snapshot => view.show(snapshot));
host
  .request(openRace, undefined)
  .then(snapshot => view.show(snapshot))
  .catch((error: Error) => view.showProblem(error.message));
