// The command `tunewright`. Results go to standard output, everything else to standard error. Exit code 0, 1 (failure) or 2 (bad
// usage or input); with --json a failure ends standard output with an error record.
import { reportFailure } from './failure.js';
import { tunewrightProgram } from './program.js';

try {
  await tunewrightProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
