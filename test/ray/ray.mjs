// `npm run test:ray`: starts a real Ray cluster on this machine (2 CPUs, on loopback) and trains the embedded model on it. Installs what it
// needs at the first run (Ray, PyTorch, Transformers, PEFT: 6 GB). Takes about 15 minutes.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { importEngineModule } from '../../extension/scripts/embedded/engineModule.mjs';
import { root, setUp } from '../../extension/scripts/setUp.mjs';
import { installPeer } from '../bench/peer.mjs';

const PACKAGES = ['ray[default,train]>=2.51', 'torch', 'transformers==5.24.0', 'peft==0.21.2'];

setUp();
const { cacheFolder } = await importEngineModule('engine/install/paths.ts');
const python = process.env.TUNEWRIGHT_RAY_PYTHON ?? installPeer(join(cacheFolder(), 'peers', 'ray'), PACKAGES);
const port = await freePort();
const dashboard = await freePort();
const agent = await freePort();
const temporary = mkdtempSync(join(tmpdir(), 'tw-ray-'));
const cluster = spawn(
  join(dirname(python), 'ray'),
  [
    ...[
      'start',
      '--head',
      '--block',
      '--num-cpus',
      '2',
      '--port',
      port,
      '--temp-dir',
      temporary,
      '--disable-usage-stats',
    ],
    ...[
      '--dashboard-host',
      '127.0.0.1',
      '--dashboard-port',
      dashboard,
      '--dashboard-agent-listen-port',
      agent,
      '--node-ip-address',
      '127.0.0.1',
    ],
  ].map(String),
  {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      // Jobs find Python by it.
      PATH: `${dirname(python)}${delimiter}${process.env.PATH}`,
      TUNEWRIGHT_RAY_CACHE: join(temporary, 'cache'),
    },
  },
);
const address = `http://127.0.0.1:${dashboard}`;
let failed = 1;
try {
  await answers(`${address}/api/version`);
  const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url));
  const vitest = spawn(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', config, ...process.argv.slice(2)],
    { stdio: 'inherit', cwd: root, env: { ...process.env, TUNEWRIGHT_RAY_ADDRESS: address } },
  );
  failed = await new Promise(resolve => vitest.on('close', resolve));
} finally {
  cluster.kill('SIGTERM');
  await Promise.race([new Promise(resolve => cluster.on('close', resolve)), setTimeout(20_000)]);
  cluster.kill('SIGKILL');
  rmSync(temporary, { recursive: true, force: true });
}
process.exit(failed);

async function answers(url) {
  for (let tries = 0; tries < 120; tries++) {
    if (cluster.exitCode !== null) throw new Error('the Ray cluster did not start');
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await setTimeout(500);
  }
  throw new Error('the Ray cluster does not answer');
}

function freePort() {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
}
