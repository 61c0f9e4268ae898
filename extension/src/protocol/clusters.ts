// Ray clusters by name: setting tunewright.clusters, or clusters.json of the command line.
import * as z from 'zod';
import { about } from './about.js';
import { engineConfigSchema } from './engineConfig.js';

const { address, num_workers, use_gpu, storage_path, strategy, runtime_env } = engineConfigSchema.shape;

export const clusterSchema = z.strictObject({
  name: z
    .string()
    .regex(/^(?!here$)(?!https?:)\S+$/, 'Expected a name without spaces that is not "here"')
    .meta(about('Name', 'By which runs are sent there')),
  address: address.unwrap().unwrap().meta(address.meta()!),
  num_workers,
  use_gpu,
  storage_path,
  strategy,
  runtime_env,
  threads: engineConfigSchema.shape.threads,
  price_per_hour: z
    .number()
    .nonnegative()
    .nullable()
    .default(null)
    .meta(about('Price per hour', 'Of all workers together, in any currency; estimates then say what a run costs')),
});
export type Cluster = z.infer<typeof clusterSchema>;

export const clustersSchema = z.array(clusterSchema).superRefine((clusters, context) => {
  for (const [i, { name }] of clusters.entries())
    if (clusters.findIndex(other => other.name === name) < i)
      context.addIssue({
        code: 'custom',
        path: [i, 'name'],
        message: `another cluster is named ${JSON.stringify(name)}`,
      });
});
