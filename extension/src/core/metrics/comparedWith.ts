// What an estimate compares its run with: training all of the model. For the run panel, the dashboard and the message of the
// Estimate command.
import type { EstimateAnswer, MethodEstimate } from '../../protocol/answers.js';

/** The run itself where it trains all; null where that can't be estimated. */
export function baselineOf({ run, methods, baseline }: EstimateAnswer): MethodEstimate | null {
  const found = [run, ...methods].find(({ peft_type: peftType }) => peftType === baseline);
  return found && 'memory' in found ? found : null;
}
