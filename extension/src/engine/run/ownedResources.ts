// Resources that are freed together, in reverse order. Used by prepareRun.ts and executeRun.ts.

export class OwnedResources {
  private readonly frees: (() => void)[] = [];

  /** Takes ownership of a resource; `free` is called once, by `dispose`. */
  own<T>(resource: T, free: (resource: T) => void): T {
    this.frees.push(() => free(resource));
    return resource;
  }

  dispose(): void {
    for (let free = this.frees.pop(); free; free = this.frees.pop()) free();
  }
}
