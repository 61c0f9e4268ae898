// Whether SIGHUP, which a closing terminal sends, was ignored when the program was started, as `nohup` does. Node.js resets all
// signals when it starts, so what is left to see tells. Called once, by main.ts.
import { existsSync, fstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

/** Of `SigIgn` in /proc/PID/status. */
const HANGUP_BIT = 1n;
/** A shell, npm and its shell, and some more. */
const MAX_ANCESTORS = 16;
/** Access mode of an open file: for writing only. */
const WRITE_ONLY = 1;
const ACCESS_MODES = 3;

/**
 * Signs of `nohup`, of a script that it runs, and of a shell with `trap '' HUP`. Where a sign is missing, such as `nohup` in a script
 * of a shell that sets no `_`, with no terminal, the signal counts as usual: the run is saved and can be resumed.
 */
export function isHangupIgnored(): boolean {
  return isRunByNohup() || isIgnoredByAncestor();
}

function isRunByNohup(): boolean {
  // Shells name the command that they start, and `nohup` replaces itself by this program.
  if (basename(process.env['_'] ?? '') === 'nohup') return true;
  return readsNothing() || writesIntoNohupOut();
}

/** GNU's `nohup` replaces a terminal as standard input by a file that can't be read. */
function readsNothing(): boolean {
  try {
    const flags = parseInt(/^flags:\s*(\d+)/m.exec(readFileSync('/proc/self/fdinfo/0', 'latin1'))![1]!, 8);
    return (flags & ACCESS_MODES) === WRITE_ONLY && readlinkSync('/proc/self/fd/0') === '/dev/null';
  } catch {
    return false;
  }
}

/** `nohup` replaces a terminal as standard output or error by `nohup.out`, here or at home. */
function writesIntoNohupOut(): boolean {
  return ['.', homedir()].some(folder => {
    const path = join(folder, 'nohup.out');
    if (!existsSync(path)) return false;
    try {
      const { dev, ino } = statSync(path);
      return [1, 2].some(descriptor => {
        const open = fstatSync(descriptor);
        return open.dev === dev && open.ino === ino;
      });
    } catch {
      return false;
    }
  });
}

/** On Linux. Only those of the same session count: what a server of terminals ignores isn't meant for its shells. */
function isIgnoredByAncestor(): boolean {
  try {
    const session = sessionOf('self');
    let pid = process.ppid;
    for (let n = 0; n < MAX_ANCESTORS && pid > 1; n++) {
      const ancestor = sessionOf(pid);
      if (ancestor.session !== session.session) return false;
      const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]!;
      if ((BigInt(`0x${ignored}`) & HANGUP_BIT) !== 0n) return true;
      pid = ancestor.parent;
    }
  } catch {
    // No /proc, or the ancestor has just ended.
  }
  return false;
}

function sessionOf(pid: number | 'self'): { parent: number; session: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name before it may hold anything: state, parent, group, session.
  const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(parent), session: Number(session) };
}
