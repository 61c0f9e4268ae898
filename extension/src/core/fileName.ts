/** Last part of a path, or of a model's name on the hub. Of either system: a page doesn't know on which one the path is. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}
