// `npm run screenshots`: runs the README's tours in a real workbench (test/e2e/workbench/tour.e2e.ts, playground.e2e.ts and
// judge.e2e.ts) and writes their pictures and recordings to media/screenshots. Run by hand after visible changes; needs ffmpeg, pngquant and gifsicle.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './build.mjs';

const TOURS = ['tour', 'playground', 'judge'].map(name => `test/e2e/workbench/${name}.e2e.ts`);
const PICTURES = [
  'dashboard',
  'run-panel',
  'dataset-editor',
  'dataset-preview',
  'playground',
  'race',
  'evaluation',
  'export',
];
const RECORDINGS = ['fine-tune', 'ask-correct-train'];
const MAX_BYTES = { png: 300_000, gif: 3_000_000 };
/** Width of the recording in pixels, frames per second, and speedup. */
const RECORDING = { width: 960, rate: 8, speed: 2.5 };

for (const tool of ['ffmpeg', 'pngquant', 'gifsicle'])
  if (spawnSync(tool, ['-version']).error)
    throw new Error(`${tool} is missing: sudo apt install ffmpeg pngquant gifsicle`);

const taken = mkdtempSync(join(tmpdir(), 'tunewright-screenshots-'));
const kept = join(root, 'media/screenshots');
mkdirSync(kept, { recursive: true });
try {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  run(process.execPath, [vitest, 'run', ...TOURS], {
    TUNEWRIGHT_SCREENSHOTS: taken,
  });
  for (const name of PICTURES) {
    const to = join(kept, `${name}.png`);
    run('pngquant', ['--force', '--strip', '--speed', '1', '--output', to, join(taken, `${name}.png`)]);
    check(to, MAX_BYTES.png);
  }
  const moving = join(taken, 'moving.gif');
  const { width, rate, speed } = RECORDING;
  const filter = `setpts=PTS/${speed},fps=${rate},scale=${width}:-1:flags=lanczos,split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=none`;
  for (const name of RECORDINGS) {
    const frames = ['-f', 'concat', '-safe', '0', '-i', join(taken, `frames-${name}`, 'frames.txt')];
    run('ffmpeg', ['-loglevel', 'error', '-y', ...frames, '-vf', filter, '-loop', '0', moving]);
    const gif = join(kept, `${name}.gif`);
    run('gifsicle', ['-O3', '--lossy=30', moving, '-o', gif]);
    check(gif, MAX_BYTES.gif);
  }
} finally {
  rmSync(taken, { recursive: true, force: true });
}

function run(program, args, env = {}) {
  const { status } = spawnSync(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${program} exited with code ${status}`);
}

function check(file, maxBytes) {
  const { size } = statSync(file);
  console.log(`${file}: ${Math.round(size / 1000)} kB`);
  if (size > maxBytes) throw new Error(`${file} has more than ${maxBytes / 1000} kB`);
}
