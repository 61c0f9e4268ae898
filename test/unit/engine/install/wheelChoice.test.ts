import { describe, expect, it } from 'vitest';
import {
  chooseWheel,
  compareVersions,
  parseRequirement,
  type IndexFile,
} from '../../../../extension/src/engine/install/wheelChoice.js';

const hash = 'a'.repeat(64);
const file = (filename: string, more: Partial<IndexFile> = {}): IndexFile => ({
  filename,
  url: new URL(`https://files.example/${filename}`),
  sha256: hash,
  size: 1,
  yanked: false,
  ...more,
});
const choose = (files: IndexFile[], requirement: string, platforms = ['manylinux_2_27_x86_64']) =>
  chooseWheel(files, parseRequirement(requirement), platforms, 'https://index.example/simple/x/').filename;

describe('chooseWheel', () => {
  const tensorflow = [
    'tensorflow_cpu-2.20.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    'tensorflow_cpu-2.21.0-cp310-cp310-manylinux_2_27_x86_64.whl',
    'tensorflow_cpu-2.21.0-cp311-cp311-win_amd64.whl',
    'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    'tensorflow_cpu-2.21.0rc1-cp311-cp311-manylinux_2_27_x86_64.whl',
    'tensorflow_cpu-2.21.0.tar.gz',
  ].map(name => file(name));

  it('chooses the requested version, Python and platform', () => {
    expect(choose(tensorflow, 'tensorflow-cpu==2.21.0')).toBe(
      'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    );
  });

  it('chooses the latest release in a range, and the preferred platform', () => {
    const files = [
      'nvidia_cublas_cu12-12.5.3.2-py3-none-manylinux2014_x86_64.whl',
      'nvidia_cublas_cu12-12.10.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
      'nvidia_cublas_cu12-12.10.1.4-py3-none-manylinux_2_27_x86_64.whl',
      'nvidia_cublas_cu12-12.9.1.4-py3-none-manylinux_2_27_x86_64.whl',
      'nvidia_cublas_cu12-12.10.1.4-py3-none-manylinux_2_27_aarch64.whl',
      'nvidia_cublas_cu12-13.0.0.1-py3-none-manylinux_2_27_x86_64.whl',
      'nvidia_cublas_cu12-12.99.0rc1-py3-none-manylinux_2_27_x86_64.whl',
    ].map(name => file(name));
    const platforms = ['manylinux_2_17_x86_64', 'manylinux_2_27_x86_64'];
    expect(choose(files, 'nvidia-cublas-cu12<13.0,>=12.5.3.2', platforms)).toBe(files[1].filename);
    expect(choose(files, 'NVIDIA.cublas_cu12 (<13.0,>=12.5.3.2)', platforms.toReversed())).toBe(files[2].filename);
  });

  it.each([
    ['tensorflow-cpu==2.22.0', tensorflow, /no wheel of tensorflow-cpu==2\.22\.0 \(the latest is 2\.21\.0\)/],
    ['other==1.0', tensorflow, /no wheel of other==1\.0$/],
    ['tensorflow-cpu==2.21.0', tensorflow.slice(0, 3), /no wheel for manylinux_2_27_x86_64/],
    ['tensorflow-cpu==2.20.0', [{ ...tensorflow[0], yanked: true }], /yanked tensorflow-cpu==2\.20\.0/],
    ['tensorflow-cpu==2.20.0', [{ ...tensorflow[0], sha256: null }], /no SHA-256/],
  ])('says what %s lacks', (requirement, files, message) => {
    expect(() => choose(files, requirement)).toThrow(message);
  });
});

describe('parseRequirement', () => {
  it.each([
    ['a~=1.4.2', '1.4.9', true],
    ['a~=1.4.2', '1.5.0', false],
    ['a!=1.0', '1.0.0', false],
    ['a>1.0,<=2', '2.0', true],
    ['a[extra]>=1.10', '1.9', false],
    ['a', '1.0.dev1', false],
  ])('%s accepts %s: %s', (text, version, accepted) => {
    expect(parseRequirement(text).accepts(version)).toBe(accepted);
  });

  it('rejects unsupported requirements', () => {
    expect(() => parseRequirement('a===1.0')).toThrow(/a===1\.0/);
    expect(() => parseRequirement('a @ https://x')).toThrow(/invalid requirement/);
  });

  it('compares versions by their numbers', () => {
    expect(['1.10', '1.9.1', '1.9'].sort(compareVersions)).toEqual(['1.9', '1.9.1', '1.10']);
    expect(compareVersions('2', '2.0.0')).toBe(0);
  });
});
