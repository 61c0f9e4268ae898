// The command `tunewright`. Results go to standard output, everything else to standard error. Exit code 0, 1 (failure) or 2 (bad
// usage or input); with --json a failure ends standard output with an error record.
import { endWithNamedParent } from '../../system/endWithParent.js';
import { reportFailure, reportInterruptions } from './failure.js';
import { watchOutput } from './print.js';
import { tunewrightProgram } from './program.js';

endWithNamedParent();
reportInterruptions();
// An error that no caller waits for, such as the second of two that happen at once, is reported like any other.
const endWith = (error: unknown) => process.exit(process.exitCode || reportFailure(error));
watchOutput(endWith);
process.on('uncaughtException', endWith);
process.on('unhandledRejection', endWith);

try {
  await tunewrightProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
