// Entry point of an evaluation's page (webviewHtml.ts): requests from the host what to show, then shows every snapshot, and keeps it
// for a reload of the window.
import '../shared/zodWithoutEval.js';
import './evaluation.css';
import { evaluationChanged, openEvaluation } from '../../../extension/src/protocol/evaluationMessages.js';
import { host, keepState } from '../shared/host.js';
import { EvaluationView } from './view.js';

const view = new EvaluationView(host, keepState);
document.getElementById('app')!.replaceChildren(view.element);
host.onNotification(evaluationChanged, snapshot => view.show(snapshot));
host
  .request(openEvaluation, undefined)
  .then(snapshot => view.show(snapshot))
  .catch((error: Error) => view.showProblem(error.message));
