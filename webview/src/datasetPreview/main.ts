// Entry point of the Dataset Preview's page (webviewHtml.ts): shows the embedded first rows, then requests the summary
// from the host and follows its changes.
import './datasetPreview.css';
import {
  initialPreviewSchema,
  openPreview,
  previewChanged,
} from '../../../extension/src/protocol/datasetPreviewMessages.js';
import { host, keepState, keptState } from '../shared/host.js';
import { initialData } from '../shared/initial.js';
import { PreviewPage } from './previewPage.js';

const page = new PreviewPage(host, keptState(), keepState);
document.getElementById('app')!.replaceChildren(page.element);
const initial = initialData(initialPreviewSchema);
if (initial) page.show(initial.summary, initial.rows);
host.onNotification(previewChanged, summary => page.show(summary));
host.request(openPreview, undefined).then(
  summary => page.show(summary),
  (error: Error) => page.fail(error.message),
);
