// A file system that loses what wasn't synced, played from a journal of faultyFiles.mjs: what is on the disk after a power loss at
// any moment. Pure except for `writeTo`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

export type Operation =
  | { op: 'create' | 'folder' | 'remove'; path: string }
  | { op: 'open'; path: string; descriptor: number }
  | { op: 'write'; descriptor: number; data: string }
  | { op: 'sync' | 'truncate'; descriptor: number; size: number }
  | { op: 'link' | 'rename'; from: string; to: string }
  | { op: 'end'; count: number };

/** `now` is what programs see, `kept` what survives. */
class FileNode {
  now: Buffer = Buffer.alloc(0);
  kept: Buffer = Buffer.alloc(0);
}

class FolderNode {
  now = new Map<string, Node>();
  kept = new Map<string, Node>();
}

type Node = FileNode | FolderNode;

/**
 * `synced`: only what was synced survives. `names`: names and renames survive before the content of files does, as on ext4.
 * `some`: of what wasn't synced, some survives, and files end in zeros.
 */
export const LOSSES = ['synced', 'names', 'some'] as const;
export type Loss = (typeof LOSSES)[number];

export class PlayedDisk {
  private readonly top = new FolderNode();
  private readonly open = new Map<number, Node>();

  /** @param root a folder that existed before */
  constructor(private readonly root: string) {}

  apply(operation: Operation): void {
    switch (operation.op) {
      case 'create':
        return this.put(operation.path, new FileNode());
      case 'folder':
        return this.put(operation.path, new FolderNode());
      case 'remove':
        return this.take(operation.path);
      case 'open': {
        const node = this.at(operation.path);
        if (node) this.open.set(operation.descriptor, node);
        return;
      }
      case 'write': {
        const file = this.open.get(operation.descriptor) as FileNode;
        file.now = Buffer.concat([file.now, Buffer.from(operation.data, 'base64')]);
        return;
      }
      case 'truncate': {
        const file = this.open.get(operation.descriptor) as FileNode;
        file.now = file.now.subarray(0, operation.size);
        return;
      }
      case 'sync': {
        const node = this.open.get(operation.descriptor)!;
        if (node instanceof FileNode) node.kept = node.now;
        else node.kept = new Map(node.now);
        return;
      }
      case 'link':
        return this.put(operation.to, this.at(operation.from)!);
      case 'rename': {
        const node = this.at(operation.from)!;
        this.take(operation.from);
        return this.put(operation.to, node);
      }
      case 'end':
    }
  }

  /** Writes what is left after a power loss now. @param chance from 0 to 1, for `some` */
  writeTo(folder: string, loss: Loss, chance: () => number): void {
    write(this.top, folder, loss, chance);
  }

  private parts(path: string): string[] {
    return relative(this.root, path).split(sep);
  }

  private at(path: string): Node | undefined {
    if (path === this.root) return this.top;
    return this.parts(path).reduce<Node | undefined>(
      (node, name) => (node instanceof FolderNode ? node.now.get(name) : undefined),
      this.top,
    );
  }

  private put(path: string, node: Node): void {
    this.parentOf(path).now.set(this.parts(path).at(-1)!, node);
  }

  private take(path: string): void {
    this.parentOf(path).now.delete(this.parts(path).at(-1)!);
  }

  private parentOf(path: string): FolderNode {
    const parent = this.at(join(path, '..'));
    if (parent instanceof FolderNode) return parent;
    throw new Error(`the journal has ${path} in a folder that isn’t there`);
  }
}

function write(node: Node, path: string, loss: Loss, chance: () => number): void {
  if (node instanceof FolderNode) {
    mkdirSync(path, { recursive: true });
    const survives = loss === 'names' || (loss === 'some' && chance() < 0.5);
    for (const [name, inner] of survives ? node.now : node.kept) write(inner, join(path, name), loss, chance);
    return;
  }
  if (loss !== 'some' || node.now.equals(node.kept)) return writeFileSync(path, node.kept);
  // The size is often kept before the content is.
  const unsynced = Math.max(0, node.now.length - node.kept.length);
  const survived = node.now.length - Math.ceil(chance() * unsynced);
  writeFileSync(path, Buffer.concat([node.now.subarray(0, survived), Buffer.alloc(node.now.length - survived)]));
}
