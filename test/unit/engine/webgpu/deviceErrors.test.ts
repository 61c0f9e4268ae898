import { describe, expect, it } from 'vitest';
import { deviceError, DeviceErrors } from '../../../../extension/src/engine/webgpu/deviceErrors.js';

/** A device whose errors and loss the test decides. */
function fakeDevice() {
  let lose: (info: { message: string }) => void = () => {};
  const device = {
    lost: new Promise(resolve => (lose = resolve)),
    onuncapturederror: null as null | ((event: object) => void),
  };
  return {
    device: device as unknown as GPUDevice,
    lose,
    report: (error: object) => device.onuncapturederror!({ error }),
  };
}

class GPUOutOfMemoryError {
  message = 'allocation failed\n - While calling CreateBuffer';
}

describe('DeviceErrors', () => {
  it('throws the first error that the device has reported, and nothing before', () => {
    const { device, report } = fakeDevice();
    const errors = new DeviceErrors(device, 'Arc');
    errors.check();
    report(new GPUOutOfMemoryError());
    report({ message: 'a later one' });
    expect(() => errors.check()).toThrow('the GPU Arc has no memory left (allocation failed)');
  });

  it('throws if the device was lost, unless it was closed on purpose', async () => {
    const lost = fakeDevice();
    const errors = new DeviceErrors(lost.device, 'Arc');
    lost.lose({ message: 'driver reset' });
    await lost.device.lost;
    expect(() => errors.check()).toThrow('the GPU Arc was lost (driver reset)');
    const closed = fakeDevice();
    const others = new DeviceErrors(closed.device, 'Arc');
    others.close();
    closed.lose({ message: 'destroyed' });
    await closed.device.lost;
    others.check();
  });

  it('has a code by kind, and says what to change', () => {
    expect(deviceError('Arc', 'GPUOutOfMemoryError', 'x')).toMatchObject({ code: 'out_of_memory' });
    expect(deviceError('Arc', 'lost', 'x').hint).toContain('--resume');
    expect(deviceError('Arc', 'GPUValidationError', 'bad\nrest').message).toBe('the GPU Arc refused a command: bad');
  });
});
