// What goes wrong on a GPU is reported beside the calls, not by them: a rejected dispatch leaves its output as zeros. So nothing that
// was read from the device counts until it is known that nothing went wrong before.
import { CodedError } from '../../core/codedError.js';

export class DeviceErrors {
  private first: CodedError | null = null;
  private closing = false;

  constructor(
    device: GPUDevice,
    private readonly name: string,
  ) {
    device.onuncapturederror = ({ error }) => this.note(error.constructor.name, error.message);
    void device.lost.then(({ message }) => {
      if (!this.closing) this.note('lost', message);
    });
  }

  get hasFailed(): boolean {
    return this.first !== null;
  }

  /** The device is about to be destroyed on purpose. */
  close(): void {
    this.closing = true;
  }

  note(kind: string, message: string): void {
    this.first ??= deviceError(this.name, kind, message);
  }

  /** @throws the first error that the device has reported; there is no way back from it */
  check(): void {
    if (this.first) throw this.first;
  }
}

/** @param kind `lost`, or the class of a GPUError */
export function deviceError(name: string, kind: string, message: string): CodedError {
  const said = message.trim().split('\n')[0]!;
  if (kind === 'GPUOutOfMemoryError')
    return new CodedError('out_of_memory', `the GPU ${name} has no memory left (${said})`, {
      hint: 'Use a smaller training.per_device_train_batch_size or dataset.max_length, training.gradient_checkpointing, or engine.base_weights "int8" or "int4".',
    });
  if (kind === 'lost')
    return new CodedError('device_lost', `the GPU ${name} was lost (${said})`, {
      hint: 'Its driver was reset or updated, or another program took it. A run is resumed from its last checkpoint: tunewright train --resume RUN',
    });
  return new CodedError('internal', `the GPU ${name} refused a command: ${said}`);
}
