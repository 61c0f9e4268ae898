// What the base of runs is called in kept reports: one model in different precisions gives different answers.

interface NamedBase {
  model: string;
  base_weights: string;
  precision: string;
}

/** `embedded:tiny, float32, float32` */
export function baseName({ model, base_weights, precision }: NamedBase): string {
  return [model, base_weights, precision].join(', ');
}
