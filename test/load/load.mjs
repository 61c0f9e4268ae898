// `npm run load [-- part [size]]`: what many of something cost, as figures of time and memory. Prints a table; the figures that were
// found are in extension/docs/measurements/load.md. Times of the host are CPU time. Parts, of which each has a usual size:
//   server [seconds [clients]]  clients of one server (server.mjs)
//   steps [steps]               a long run of the embedded model; then its dashboard
//   pauses [minutes]            a run that is paused, resumed, saved and edited all the time
//   events, runs, fixes [count] the extension host (host.ts): events of a run, run folders, rows with a quick fix
//   preview FILE                the preview of a dataset
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manySteps, pauses } from './training.mjs';

const [part = 'host', size] = process.argv.slice(2);
const root = fileURLToPath(new URL('../..', import.meta.url));
const bundle = join(root, 'dist/test/loadHost.mjs');

async function host(...args) {
  await build({
    absWorkingDir: root,
    entryPoints: ['test/load/host.ts'],
    outfile: bundle,
    alias: { vscode: './test/load/vscodeStub.ts' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    mainFields: ['module', 'main'],
    logLevel: 'error',
    banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  });
  const text = execFileSync(process.execPath, ['--expose-gc', bundle, ...args.map(String)], { cwd: root });
  return JSON.parse(text.toString());
}

async function inFolder(measure) {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-load-'));
  try {
    return await measure(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const PARTS = {
  steps: () =>
    inFolder(async folder => {
      const { isGood, out, figures } = await manySteps(folder, Number(size ?? 50_000));
      return { isGood, figures: { ...figures, dashboard: await host('folder', out) } };
    }),
  pauses: () => inFolder(folder => pauses(folder, Number(size ?? 30))),
  events: async () => ({ figures: await host('events', size ?? 100_000) }),
  runs: async () => ({ figures: await host('runs', size ?? 1000) }),
  fixes: async () => ({ figures: await host('fixes', size ?? 10_000) }),
  preview: async () => ({ figures: await host('preview', size) }),
};

if (part === 'server') {
  // It reads its own arguments.
  process.argv.splice(2, 1);
  await import('./server.mjs');
} else {
  const parts = part === 'host' ? ['events', 'runs', 'fixes'] : [part];
  for (const name of parts) {
    const { isGood = true, figures } = await PARTS[name]();
    console.log(name, figures);
    if (!isGood) process.exitCode = 1;
  }
}
