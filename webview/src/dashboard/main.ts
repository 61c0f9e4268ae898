// Entry point of the dashboard's page (webviewHtml.ts): requests the runs to show from the host, then shows every
// snapshot.
import '../shared/zodWithoutEval.js';
import './dashboard.css';
import { dashboardChanged, openDashboard } from '../../../extension/src/protocol/dashboardMessages.js';
import { host, keepState, keptState } from '../shared/host.js';
import { DashboardView, type KeptView } from './view.js';

const kept = keptState() as KeptView | undefined;
const view = new DashboardView(host, { folders: [], smoothing: kept?.smoothing ?? 0 }, keepState);
document.getElementById('app')!.replaceChildren(view.element);
host.onNotification(dashboardChanged, snapshot => view.show(snapshot));
host
  .request(openDashboard, undefined)
  .then(snapshot => view.show(snapshot))
  .catch((error: Error) => view.showProblem(error.message));
