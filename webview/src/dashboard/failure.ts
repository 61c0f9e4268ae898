// Why a run has no result: the engine's message and hint, where the problem is, the end of its log, and what to do next.
// Hidden for other runs. Part of the dashboard.
import type { RunAction, RunFailure, RunSnapshot } from '../../../extension/src/protocol/dashboardMessages.js';
import { fileName } from '../../../extension/src/core/fileName.js';
import { h } from '../shared/dom.js';
import { placeLabel, reasonBlock } from '../shared/reasonBlock.js';
import { actionLink } from '../shared/schemaForm.js';
import { button } from '../shared/toolkit.js';

export interface FailureOptions {
  onAct(action: RunAction): void;
  onResume(): void;
}

export class FailureView {
  readonly element = h('section', { class: 'failure', 'aria-label': 'Why it ended', hidden: true });
  private shownFor = '';

  constructor(private readonly options: FailureOptions) {}

  show({ failure, resumeStep, status }: RunSnapshot): void {
    this.element.hidden = failure === null;
    const key = JSON.stringify([failure, resumeStep]);
    if (key === this.shownFor) return;
    this.shownFor = key;
    if (!failure) return this.element.replaceChildren();
    const { onAct } = this.options;
    this.element.replaceChildren(
      reasonBlock(
        failure.message,
        [this.hint(failure), this.place(failure)],
        status === 'interrupted' ? 'debug-disconnect' : 'error',
      ),
      h(
        'div',
        { class: 'actions' },
        ...(failure.refusedForMemory ? [startAnywayButton(() => onAct('startAnyway'))] : []),
        ...(failure.wantsLogin
          ? [button({ label: 'Set Cluster Token...', icon: 'key', onClick: () => onAct('setClusterToken') })]
          : []),
        ...(resumeStep === null ? [] : [resumeButton(resumeStep, false, this.options.onResume)]),
        button({
          label: 'Edit in Run Panel',
          icon: 'settings',
          secondary: resumeStep !== null || failure.wantsLogin,
          onClick: () => onAct('editInPanel'),
        }),
        button({ label: 'Edit Run File', icon: 'json', secondary: true, onClick: () => onAct('editRunFile') }),
        button({ label: 'Start Again', icon: 'debug-rerun', secondary: true, onClick: () => onAct('startAgain') }),
      ),
      ...this.logOf(failure),
    );
  }

  private hint({ hint }: RunFailure): HTMLElement | null {
    return hint === null ? null : h('p', { class: 'muted' }, hint);
  }

  private place({ file, line, key }: RunFailure): HTMLElement | null {
    if (file === null && key === null) return null;
    const name = file ? fileName(file) : 'run.json';
    const label = placeLabel(name, line);
    return h(
      'p',
      { class: 'place' },
      this.link(label, 'openPlace', file ?? ''),
      key === null ? null : h('code', {}, key),
    );
  }

  private logOf({ log }: RunFailure): HTMLElement[] {
    if (log.length === 0) return [];
    const head = h('h2', {}, 'Log of the engine');
    return [
      h('div', { class: 'log-head' }, head, this.link('Open Log', 'openLog', 'engine.log')),
      h('pre', { class: 'engine-log', tabindex: 0, 'aria-label': 'Last lines of the log' }, log.join('\n')),
    ];
  }

  private link(label: string, action: RunAction, title: string): HTMLElement {
    const link = actionLink({ label, run: () => this.options.onAct(action) });
    link.title = title;
    return link;
  }
}

function startAnywayButton(onClick: () => void): HTMLElement {
  const start = button({ label: 'Start Anyway', icon: 'play', secondary: true, onClick });
  start.title = 'Start although the estimate exceeds the free memory; the system may slow down or end the process';
  return start;
}

/** For a run that has ended. @param step of its last checkpoint */
export function resumeButton(step: number, secondary: boolean, onClick: () => void): HTMLElement {
  const resume = button({ label: 'Resume Run', icon: 'debug-restart', secondary, onClick });
  resume.title = `Resume from the checkpoint of step ${step}`;
  return resume;
}

/** For a run whose job on a cluster goes on while nothing follows it here. */
export function followButton(onClick: () => void): HTMLElement {
  const follow = button({ label: 'Resume Run', icon: 'debug-restart', onClick });
  follow.title = 'Follow its job on the cluster again; if that has ended, go on from the last checkpoint';
  return follow;
}
