// `npm start [-- RUN.json]`: sets up a fresh clone, then fine-tunes the embedded model (or runs the run file) and shows the effect.
import { resolve } from 'node:path';
import { root, setUp, tunewright } from './setUp.mjs';

const runFile = process.argv[2] ? resolve(process.argv[2]) : `${root}/media/examples/pirate.tune.json`;
setUp();
tunewright('train', runFile, ...process.argv.slice(3));
