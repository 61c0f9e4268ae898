// The export targets with their options, for `describe exports` and the Export view.
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import { exportSchemas } from '../../protocol/exportConfig.js';
import { optionsOf } from '../run/capabilities.js';
import { exportTargets } from './targets/registry.js';

export function describedExports() {
  return exportTargets.map(({ target, to, takes, writes }) => {
    const { title, description, properties } = inputJsonSchema(exportSchemas[target]);
    const { target: _, ...options } = properties!;
    return {
      target,
      to,
      takes,
      writes,
      title: title!,
      description: description!,
      options: optionsOf({ properties: options }),
    };
  });
}
