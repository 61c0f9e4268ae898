// The buffers of tensors on the device. Freed ones are reused: commands run in the order of the queue, so a buffer may be written
// again as soon as the last command that reads it is recorded. Replaces tfjs's own manager, which searches lists, keeps a free list
// for each exact size, and asks for buffers of any size.
import { CodedError } from '../../core/codedError.js';
import { isWebgpu, webgpuBackend, type BufferManager } from './tfjsWebgpu.js';

/** Buffers that one or more recordings (recordedFunction.ts) use: nothing else may write to them. */
export class RecordingBuffers {
  /** Constants, inputs and uniforms of the recording that is being made: never reused. */
  pinned: GPUBuffer[] = [];
  readonly free = new Map<number, GPUBuffer[]>();
  readonly owned = new Set<GPUBuffer>();
}

export class GpuMemory implements BufferManager {
  numBytesUsed = 0;
  numBytesAllocated = 0;
  private readonly free = new Map<string, GPUBuffer[]>();
  private recording: RecordingBuffers | null = null;
  /** A new buffer is mapped, so that its values need no command. */
  private freshOnly = false;
  private readonly arena = new RecordingBuffers();

  constructor(
    private readonly device: GPUDevice,
    private readonly name: string,
  ) {}

  /** Bytes of the largest tensor that a shader can be given. */
  get largestBytes(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /**
   * @param size bytes
   * @throws CodedError if it is more than the device allows
   */
  acquireBuffer(size: number, usage: number, mappedAtCreation = false, reuse = true): GPUBuffer {
    const { recording } = this;
    const storage = (usage & GPUBufferUsage.STORAGE) !== 0;
    const bytes = storage ? Math.min(sizeClass(size), Math.max(size, this.largestBytes)) : size;
    if (storage) this.checkSize(size);
    if (recording) {
      const pinned = mappedAtCreation || !storage;
      const found = pinned ? undefined : recording.free.get(bytes)?.pop();
      const buffer = found ?? this.create(bytes, usage, mappedAtCreation);
      if (pinned) recording.pinned.push(buffer);
      else recording.owned.add(buffer);
      this.numBytesUsed += buffer.size;
      return buffer;
    }
    const found = reuse && !this.freshOnly ? this.free.get(keyOf(bytes, usage))?.pop() : undefined;
    const buffer = found ?? this.create(bytes, usage, mappedAtCreation);
    this.numBytesUsed += buffer.size;
    return buffer;
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    const { size, usage } = buffer;
    this.numBytesUsed -= size;
    if (this.arena.owned.has(buffer)) append(this.arena.free, size, buffer);
    else if (this.recording?.pinned.includes(buffer)) return;
    else if (reuse) append(this.free, keyOf(size, usage), buffer);
    else this.destroy(buffer);
  }

  /** Runs `f`, whose buffers belong to recordings. Returns those that only this recording uses. */
  record(f: () => void): GPUBuffer[] {
    this.recording = this.arena;
    this.arena.pinned = [];
    try {
      f();
      return this.arena.pinned;
    } finally {
      this.recording = null;
    }
  }

  /** In a recording: runs `f`, whose buffers don't belong to it. */
  outside(f: () => void): void {
    const { recording } = this;
    this.recording = null;
    this.freshOnly = true;
    try {
      f();
    } finally {
      this.recording = recording;
      this.freshOnly = false;
    }
  }

  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.numBytesAllocated -= buffer.size;
  }

  dispose(): void {
    for (const buffers of this.free.values()) for (const buffer of buffers) this.destroy(buffer);
    this.free.clear();
  }

  private create(size: number, usage: number, mappedAtCreation: boolean): GPUBuffer {
    const buffer = this.device.createBuffer({ size, usage, mappedAtCreation });
    this.numBytesAllocated += size;
    return buffer;
  }

  private checkSize(size: number): void {
    const most = this.largestBytes;
    if (size <= most) return;
    throw new CodedError(
      'out_of_memory',
      `a tensor of ${size.toLocaleString('en')} bytes is larger than the GPU ${this.name} allows (${most.toLocaleString('en')})`,
      { hint: 'Use a smaller training.per_device_train_batch_size or dataset.max_length, or engine.backend "auto".' },
    );
  }
}

/** Bytes of the largest tensor that the current backend can hold. */
export function largestTensorBytes(): number {
  return isWebgpu() ? (webgpuBackend().bufferManager as GpuMemory).largestBytes : Infinity;
}

function append<Key>(lists: Map<Key, GPUBuffer[]>, key: Key, buffer: GPUBuffer): void {
  const list = lists.get(key);
  if (list) list.push(buffer);
  else lists.set(key, [buffer]);
}

function keyOf(size: number, usage: number): string {
  return `${size} ${usage}`;
}

/** Sizes are rounded up to one of eight a power of two, so that sequences of other lengths find buffers to reuse. */
export function sizeClass(size: number): number {
  const step = Math.max(16, 2 ** (Math.floor(Math.log2(Math.max(size, 1))) - 3));
  return Math.ceil(Math.max(size, 1) / step) * step;
}
