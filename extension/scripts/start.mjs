// `npm start [-- RUN.json]`: the main job on a fresh machine. Sets up, then fine-tunes the embedded model (or what the run
// file says) and shows what that changed.
import { resolve } from 'node:path';
import { root, setUp, tunewright } from './setUp.mjs';

const runFile = process.argv[2] ? resolve(process.argv[2]) : `${root}/media/examples/pirate.tune.json`;
setUp();
tunewright('train', runFile, ...process.argv.slice(3));
