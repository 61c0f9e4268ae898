// Names of adapters in requests, from the names of their runs. Pure. What a name may be is up to engine/serve/modelNames.ts.

const LONGEST = 100;

/**
 * Distinct names without the characters of NAME=PATH and of mixtures such as `a:0.7+b:0.3`.
 * @param model the base, whose name and `base` mean the model without adapters
 */
export function adapterNames(runNames: readonly string[], model: string): string[] {
  const taken = new Set(['base', model]);
  return runNames.map(runName => {
    const plain = runName.replace(/[^\p{L}\p{N}_.-]+/gu, '-').replace(/^[-.]+|-+$/g, '');
    const short = [...plain].slice(0, LONGEST).join('') || 'adapter';
    let name = short;
    for (let n = 2; taken.has(name); n++) name = `${short}-${n}`;
    taken.add(name);
    return name;
  });
}
