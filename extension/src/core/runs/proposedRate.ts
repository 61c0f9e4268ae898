// The learning rate that is proposed for a method, by the size of the model: small models, which were measured here, need higher rates than
// the large ones of the methods' papers. Pure.
import measuredRates from './measuredRates.json' with { type: 'json' };

interface RateOfSize {
  /** Of the model. */
  parameters: number;
  rate: number;
}

/** Written by `npm run claims`, by peft_type, from the smallest model to the largest. */
const MEASURED: Readonly<Record<string, readonly RateOfSize[]>> = measuredRates;

/** The rates of papers and of PEFT's examples are for models of this size and larger ones. */
const LARGE_MODEL_PARAMETERS = 1e9;

/**
 * Between two sizes, on the straight line between the logarithms of their rates.
 * @param usual that of the method's facts, for large models
 * @param parameters of the model; null if unknown
 */
export function proposedRate(peftType: string, usual: number, parameters: number | null): number {
  if (parameters === null) return usual;
  const points = [...(MEASURED[peftType] ?? []), { parameters: LARGE_MODEL_PARAMETERS, rate: usual }];
  const above = points.findIndex(point => point.parameters >= parameters);
  if (above === -1) return usual;
  const [low, high] = [points[Math.max(0, above - 1)]!, points[above]!];
  if (low === high) return high.rate;
  const share = Math.log(parameters / low.parameters) / Math.log(high.parameters / low.parameters);
  return Number((low.rate * (high.rate / low.rate) ** share).toPrecision(2));
}
