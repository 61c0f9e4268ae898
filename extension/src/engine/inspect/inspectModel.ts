// Describes a pretrained model on disk, without reading weights. Called by the `inspect` command and the resident engine.
import { InputError } from '../../core/inputError.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { withinTime } from '../../system/boundedWork.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { readsTools } from '../generation/prompt.js';
import { countParameters, type DefaultTargets } from '../models/architecture.js';
import { architectureOfFiles, findTensors, modelWarnings } from '../models/loadModel.js';
import { ropeKey } from '../models/rotaryFrequencies.js';
import { collapseLayers, type TensorGroup } from './collapse.js';

export interface ModelDescription {
  kind: 'model';
  reference: string;
  path: string;
  format: ModelFiles['format'];
  modelType: string;
  parameters: number;
  /** Bytes of the stored weights. */
  diskBytes: number;
  /** Bytes by stored type. */
  dtypes: Record<string, number>;
  numLayers: number;
  hiddenSize: number;
  /** This, the numbers of heads and their size are those of the first layer. */
  intermediateSize: number;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vocabSize: number;
  contextLength: number;
  slidingWindow: number | null;
  /** Number of layers with that window. */
  slidingLayers: number;
  /** rope_theta and scaling from the config; null with learned positions. */
  rope: { theta: number | null; scaling: unknown } | null;
  tieWordEmbeddings: boolean;
  tokenizer: { vocabSize: number; specialTokens: Readonly<Record<string, string>> } | null;
  hasChatTemplate: boolean;
  /** Whether its chat template has a place for tools. */
  readsTools: boolean;
  defaultTargets: DefaultTargets;
  tensors: TensorGroup[];
  /** What is ignored in its config.json and weights, and similar. */
  warnings: string[];
}

/** @throws InputError if the model can't be used */
export function inspectModel(files: ModelFiles): ModelDescription {
  const architecture = architectureOfFiles(files);
  const stored = [...files.tensors.values()];
  if (stored.length === 0) throw new InputError('the model has no weights', { file: files.path });
  findTensors(files, architecture);
  const dtypes: Record<string, number> = {};
  for (const { dtype, byteLength } of stored) dtypes[dtype] = (dtypes[dtype] ?? 0) + byteLength;
  const tokenizer = files.tokenizer && createTokenizer(files.tokenizer, withinTime);
  const { config } = files;
  const scaling = (config[ropeKey(config)] ?? null) as { rope_theta?: number } | null;
  const rope = {
    theta: scaling?.rope_theta ?? (config['rope_theta'] as number | undefined) ?? null,
    scaling,
  };
  const { layers } = architecture;
  const { attention, mlp } = layers[0]!;
  const windows = layers.flatMap(layer => layer.attention.window ?? []);
  return {
    kind: 'model',
    reference: files.reference,
    path: files.path,
    format: files.format,
    modelType: architecture.modelType,
    parameters: countParameters(architecture),
    diskBytes: stored.reduce((sum, { byteLength }) => sum + byteLength, 0),
    dtypes,
    numLayers: layers.length,
    hiddenSize: architecture.hiddenSize,
    intermediateSize: mlp.width,
    numHeads: attention.heads,
    numKeyValueHeads: attention.keyValueHeads,
    headDim: attention.headDim,
    vocabSize: architecture.vocabSize,
    contextLength: architecture.maxPositions,
    slidingWindow: windows[0] ?? null,
    slidingLayers: windows.length,
    rope: architecture.positionEmbedding ? null : rope,
    tieWordEmbeddings: architecture.tieWordEmbeddings,
    tokenizer: tokenizer && { vocabSize: tokenizer.vocabSize, specialTokens: tokenizer.specialTokens },
    hasChatTemplate: tokenizer !== null && tokenizer.chatTemplate !== null,
    readsTools: tokenizer !== null && readsTools(tokenizer),
    defaultTargets: architecture.defaultTargets,
    tensors: collapseLayers(stored),
    warnings: modelWarnings(files).map(({ message }) => message),
  };
}
