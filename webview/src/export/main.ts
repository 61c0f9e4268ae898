// Entry point of the Export view's page (webviewHtml.ts): requests from the host what to show, then shows every snapshot, and keeps it
// for a reload of the window.
import '../shared/zodWithoutEval.js';
import './export.css';
import { exportChanged, openExport } from '../../../extension/src/protocol/exportMessages.js';
import { host, keepState } from '../shared/host.js';
import { ExportView } from './view.js';

const view = new ExportView(host, keepState);
document.getElementById('app')!.replaceChildren(view.element);
host.onNotification(exportChanged, snapshot => view.show(snapshot));
host
  .request(openExport, undefined)
  .then(snapshot => view.show(snapshot))
  .catch((error: Error) => view.showProblem(error.message));
