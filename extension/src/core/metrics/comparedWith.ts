// The baseline of an estimate: training the whole model. For the run panel, the dashboard and the message of the Estimate command.
import type { EstimateAnswer, MethodEstimate } from '../../protocol/answers.js';

/** The run itself if it trains the whole model; null if the baseline can't be estimated. */
export function baselineOf({ run, methods, baseline }: EstimateAnswer): MethodEstimate | null {
  const found = [run, ...methods].find(({ peft_type: peftType }) => peftType === baseline);
  return found && 'memory' in found ? found : null;
}
