// Names of adapters in requests, from the names of their runs. Pure.

/** Names that mean something else in a request. */
const RESERVED = ['base'];

/** Distinct names without the characters of NAME=PATH and of mixtures such as `a:0.7+b:0.3`. */
export function adapterNames(runNames: readonly string[]): string[] {
  const taken = new Set(RESERVED);
  return runNames.map(runName => {
    const plain = runName.replace(/[^\w.-]+/g, '-').replace(/^-+|-+$/g, '') || 'adapter';
    let name = plain;
    for (let n = 2; taken.has(name); n++) name = `${plain}-${n}`;
    taken.add(name);
    return name;
  });
}
