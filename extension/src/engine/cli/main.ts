// The command `tunewright`. Results go to standard output, everything else to standard error; exit 0, 1 (failed) or
// 2 (bad usage or input). With --json the last line of standard output is then the error as data.
import { reportFailure } from './failure.js';
import { tunewrightProgram } from './program.js';

try {
  await tunewrightProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
