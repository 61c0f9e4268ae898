// Preloaded by costs.mjs into a process of the program: prints the process's peak memory at its end.
import { readFileSync } from 'node:fs';

process.on('exit', () => {
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  process.stderr.write(`peak ${Number(kilobytes) * 1024}\n`);
});
