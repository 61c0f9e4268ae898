// The parameters and linear modules that follow from a model's description, in the same order for all families. Called
// by registry.ts; knows no family.
import type {
  Architecture,
  LinearModule,
  LinearSpec,
  ModelDescription,
  NormSpec,
  ParameterSpec,
} from './architecture.js';

/** The complete architecture of a description. */
export function withParameters(description: ModelDescription): Architecture {
  const { hiddenSize, vocabSize, maxPositions, embedding, positionEmbedding, blocks, layers, finalNorm } = description;
  const parameters: ParameterSpec[] = [];
  const linears: LinearModule[] = [];
  const table = (name: string, rows: number) =>
    parameters.push({ name: `${name}.weight`, shape: [rows, hiddenSize], kind: 'embedding', layer: null });
  const norm = ({ kind, name }: NormSpec, width: number, layer: number | null) => {
    const block = layer === null ? '' : `${blocks}.${layer}.`;
    for (const part of kind === 'rms' ? ['weight'] : ['weight', 'bias'])
      parameters.push({ name: `${block}${name}.${part}`, shape: [width], kind: 'norm', layer });
  };

  table(embedding, vocabSize);
  if (positionEmbedding) table(positionEmbedding, maxPositions);
  layers.forEach(({ attentionNorm, attention, mlpNorm, mlp }, layer) => {
    const linear = ({ name: within, hasBias, conv1d }: LinearSpec, inFeatures: number, outFeatures: number) => {
      const name = `${blocks}.${layer}.${within}`;
      linears.push({ name, inFeatures, outFeatures, hasBias, conv1d, layer });
      const shape = conv1d ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
      parameters.push({ name: `${name}.weight`, shape, kind: 'linear', layer });
      if (hasBias) parameters.push({ name: `${name}.bias`, shape: [outFeatures], kind: 'linear', layer });
    };
    const { projections, headNorms, output, headDim } = attention;
    const [queries, keyValues] = [attention.heads * headDim, attention.keyValueHeads * headDim];
    if (projections.length === 1) linear(projections[0], hiddenSize, queries + 2 * keyValues);
    else projections.forEach((projection, i) => linear(projection, hiddenSize, i === 0 ? queries : keyValues));
    linear(output, queries, hiddenSize);
    if (headNorms) for (const spec of [headNorms.queries, headNorms.keys]) norm(spec, headDim, layer);
    if (mlp.gate) linear(mlp.gate, hiddenSize, mlp.width);
    linear(mlp.up, hiddenSize, mlp.width);
    linear(mlp.down, mlp.width, hiddenSize);
    for (const spec of [attentionNorm, mlpNorm]) norm(spec, hiddenSize, layer);
  });
  norm(finalNorm, hiddenSize, null);

  const { head, tieWordEmbeddings } = description;
  linears.push({
    name: head,
    inFeatures: hiddenSize,
    outFeatures: vocabSize,
    hasBias: false,
    conv1d: false,
    layer: null,
  });
  if (!tieWordEmbeddings)
    parameters.push({ name: `${head}.weight`, shape: [vocabSize, hiddenSize], kind: 'linear', layer: null });
  return { ...description, parameters, linears };
}
