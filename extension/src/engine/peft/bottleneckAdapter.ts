// Bottleneck adapters: h + scale · U f(D h) on what a sublayer adds to the residual stream. Houlsby (arXiv:1902.00751)
// places one after attention and one after feed-forward, Pfeiffer (arXiv:2005.00247) only after feed-forward. PEFT has
// no such method; the files follow its conventions.
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import type { Architecture, SublayerKind } from '../models/architecture.js';
import { activate } from '../models/activations.js';
import { matMulTransposed } from '../models/ops.js';
import type { PeftMethod, TensorOf, TensorSpec } from './method.js';
import { PEFT_PREFIX } from './replacedParameters.js';

const schema = z.strictObject({
  placement: z
    .enum(['houlsby', 'pfeiffer'])
    .default('pfeiffer')
    .meta(about('Placement', 'houlsby: after attention and feed-forward; pfeiffer: only after feed-forward')),
  bottleneck_size: z.int().positive().max(65536).default(16).meta(about('Width', 'Width of the bottleneck')),
  non_linearity: z
    .enum(['relu', 'gelu_new', 'silu'])
    .default('relu')
    .meta(about('Non-linearity', 'Activation function in the bottleneck')),
  scaling: z.number().positive().default(1).meta(about('Scaling', 'Factor on the adapter’s output')),
});
type Config = z.infer<typeof schema>;

function kinds(config: Config): SublayerKind[] {
  return config.placement === 'houlsby' ? ['attention', 'feed_forward'] : ['feed_forward'];
}

function prefixOf(architecture: Architecture, layer: number, kind: SublayerKind): string {
  return `${PEFT_PREFIX}${architecture.blocks}.${layer}.${kind}_adapter`;
}

function apply(config: Config, prefix: string, h: tf.Tensor2D, tensorOf: TensorOf): tf.Tensor2D {
  const down = tf.add(matMulTransposed(h, tensorOf(`${prefix}.down.weight`)), tensorOf(`${prefix}.down.bias`));
  const narrow = activate(config.non_linearity, down as tf.Tensor2D);
  const up = tf.add(matMulTransposed(narrow, tensorOf(`${prefix}.up.weight`)), tensorOf(`${prefix}.up.bias`));
  return tf.add(h, tf.mul(up, config.scaling)) as tf.Tensor2D;
}

export const bottleneckAdapter: PeftMethod<Config> = {
  peftType: 'BOTTLENECK_ADAPTER',
  title: 'Bottleneck adapter',
  summary: 'Trains small two-layer networks after the sublayers of each block.',
  family: 'additive',
  learningRate: 1e-4,
  schema,
  identityAtStart: () => true,
  storage: 'adapter',
  plan: (config, architecture) =>
    architecture.layers.flatMap((_, layer) =>
      kinds(config).flatMap((kind): TensorSpec[] => {
        const prefix = prefixOf(architecture, layer, kind);
        const { hiddenSize } = architecture;
        const width = config.bottleneck_size;
        return [
          { key: `${prefix}.down.weight`, shape: [width, hiddenSize], init: { kind: 'normal', std: 0.02 } },
          { key: `${prefix}.down.bias`, shape: [width], init: { kind: 'zeros' } },
          { key: `${prefix}.up.weight`, shape: [hiddenSize, width], init: { kind: 'zeros' } },
          { key: `${prefix}.up.bias`, shape: [hiddenSize], init: { kind: 'zeros' } },
        ];
      }),
    ),
  hooks: (config, architecture, tensorOf) => {
    const placed = new Set(kinds(config));
    return {
      sublayer: (layer, kind, output) =>
        placed.has(kind) ? apply(config, prefixOf(architecture, layer, kind), output, tensorOf) : output,
    };
  },
  toAdapterConfig: config => ({ ...config }),
  fromAdapterConfig: json => schema.parse(Object.fromEntries(Object.keys(schema.shape).map(key => [key, json[key]]))),
};
