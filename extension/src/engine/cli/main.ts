// The command `tunewright`. Results go to standard output, everything else to standard error. Exit code 0, 1 (failure) or 2 (bad
// usage or input); with --json a failure ends standard output with an error record.
import { endWithNamedParent } from '../../system/endWithParent.js';
import { reportFailure, reportInterruptions } from './failure.js';
import { tunewrightProgram } from './program.js';

/** 128 + SIGPIPE, as a shell reports it. */
const SIGPIPE_EXIT_CODE = 141;

// `tunewright ... | head` closes the pipe: the program ends then, as others do by SIGPIPE.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(SIGPIPE_EXIT_CODE);
  });

endWithNamedParent();
reportInterruptions();
// An error that no caller waits for, such as the second of two that happen at once, is reported like any other.
const endWith = (error: unknown) => process.exit(process.exitCode || reportFailure(error));
process.on('uncaughtException', endWith);
process.on('unhandledRejection', endWith);

try {
  await tunewrightProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
