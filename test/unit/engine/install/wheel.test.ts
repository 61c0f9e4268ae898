import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { provideFromWheel } from '../../../../extension/src/engine/install/wheel.js';
import { listen, useOwnSettings, type Loopback } from '../../../support/loopback.js';
import { makeZip, type ZipEntry } from '../../../support/zipFile.js';

const platform = 'manylinux_2_27_x86_64';
const plan = { requirement: 'tensorflow==2.21.0', sha256: '', platforms: [platform], uvPlatform: '', diskBytes: 0 };

let folder: string;
let index: Loopback;
let served: Record<string, Buffer>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-wheels-'));
  useOwnSettings(folder);
  served = {};
  index = await listen((request, response) => {
    const body = served[request.url!];
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(body);
  });
  vi.stubEnv('PIP_INDEX_URL', index.url);
  vi.stubEnv('PATH', folder);
});

afterEach(() => {
  index.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function serve(project: string, version: string, tags: string, entries: ZipEntry[]) {
  const filename = `${project.replaceAll('-', '_')}-${version}-${tags}-${platform}.whl`;
  const wheel = makeZip(entries);
  const sha256 = createHash('sha256').update(wheel).digest('hex');
  if (project === 'tensorflow') plan.sha256 = sha256;
  const files = [{ filename, url: `/files/${filename}`, hashes: { sha256 }, size: wheel.length }];
  served[`/${project}/`] = Buffer.from(JSON.stringify({ files }));
  served[`/files/${filename}`] = wheel;
}

const metadata = `Name: tensorflow
Requires-Dist: numpy>=1.26.0
Requires-Dist: nvidia-cuda-nvcc-cu12<13.0,>=12.5.82; extra == "and-cuda"
Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"
`;

describe('provideFromWheel', () => {
  beforeEach(() => {
    serve('tensorflow', '2.21.0', 'cp311-cp311', [
      { name: 'tensorflow/libtensorflow_cc.so.2', content: 'library' },
      { name: 'tensorflow-2.21.0.dist-info/METADATA', content: metadata },
    ]);
    serve('nvidia-cuda-nvcc-cu12', '12.9.86', 'py3-none', [
      { name: 'nvidia/cuda_nvcc/bin/ptxas', content: 'program', mode: 0o755 },
      { name: 'nvidia/cuda_nvcc/include/x.h', content: 'header' },
    ]);
  });

  it('downloads the CUDA wheels in TensorFlow’s METADATA', async () => {
    serve('nvidia-cublas-cu12', '12.9.1.4', 'py3-none', [
      { name: 'nvidia/cublas/lib/libcublas.so.12', content: 'library' },
    ]);
    await provideFromWheel(folder, plan, true, { onProgress: () => {} });
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
    expect(files.map(({ name }) => name).sort()).toEqual([
      'METADATA',
      'libcublas.so.12',
      'libtensorflow_cc.so.2',
      'ptxas',
    ]);
    expect(statSync(join(folder, 'nvidia/cuda_nvcc/bin/ptxas')).mode & 0o777).toBe(0o755);
  });

  it('says which wheel can’t be downloaded, and leaves no staging folder', async () => {
    await expect(provideFromWheel(folder, plan, true, { onProgress: () => {} })).rejects.toMatchObject({
      message: `nvidia-cublas-cu12<13.0,>=12.5.3.2 with Node: ${index.url}/nvidia-cublas-cu12/ responded with status 404`,
      hint: expect.stringContaining('PIP_INDEX_URL'),
    });
    expect(readdirSync(folder).filter(name => name.startsWith('.staging'))).toEqual([]);
  });
});
