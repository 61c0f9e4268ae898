// Why a run ended without a result, from its events and the end of its log. Pure.
import type { EngineError } from '../../protocol/engineError.js';
import type { RunFailure } from '../../protocol/dashboardMessages.js';
import { currentStep, type RunState } from './runState.js';
import type { RunPhase } from './runStatus.js';

const ERROR = 'error: ';

type Said = Pick<EngineError, 'message' | 'hint' | 'file' | 'line' | 'key'>;

/** @param log last lines of the engine's log @returns null for runs that neither failed nor were interrupted */
export function runFailure(state: RunState, phase: RunPhase, log: () => string[]): RunFailure | null {
  if (phase !== 'failed' && phase !== 'interrupted') return null;
  const { message, hint, file, line, key }: Said = state.failed ??
    saidInLog(log()) ?? { message: withoutMessage(state) };
  return {
    message,
    hint: hint ?? null,
    file: file ?? null,
    line: line ?? null,
    key: key ?? null,
    refusedForMemory: isRefusedForMemory(state),
    wantsLogin: wantsClusterLogin(state),
    log: log(),
  };
}

/** Training itself never reports this here, where the system kills a process that takes too much; the workers of a cluster do. */
export function isRefusedForMemory({ failed, workers }: RunState): boolean {
  return failed?.code === 'out_of_memory' && workers === null;
}

/** Whether a cluster refused it for want of a login: the message then names the variable for it. */
export function wantsClusterLogin({ failed }: RunState): boolean {
  return failed !== null && `${failed.key} ${failed.hint}`.includes('RAY_AUTH_TOKEN');
}

/** For a process that left no `failed` event: how the command line ends with an error, and what is kept of a process that was killed. */
function saidInLog(lines: readonly string[]): Said | null {
  const at = lines.findLastIndex(line => line.startsWith(ERROR));
  if (at < 0) return null;
  const hint = lines[at + 1]?.startsWith('  ') ? lines[at + 1]!.trim() : undefined;
  return { message: lines[at]!.slice(ERROR.length), hint };
}

/** For a process that said nothing at all. */
function withoutMessage(state: RunState): string {
  return state.started
    ? `The process ended after step ${currentStep(state)} without a message. It may have been killed, for example because the machine ran out of memory.`
    : 'The process ended before the first step, without a message.';
}
