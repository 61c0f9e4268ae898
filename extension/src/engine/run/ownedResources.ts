// What a piece of work has opened, freed in reverse order on every way out. Used by prepareRun.ts and by commands.

export class OwnedResources {
  private readonly frees: (() => void)[] = [];

  /** Takes over a resource; `free` is called once, by `dispose`. */
  own<T>(resource: T, free: (resource: T) => void): T {
    this.frees.push(() => free(resource));
    return resource;
  }

  dispose(): void {
    for (let free = this.frees.pop(); free; free = this.frees.pop()) free();
  }
}
