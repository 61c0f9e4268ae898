// What tells a process from every other that had, has or will have its pid: when it was started, as the operating system says. Used
// for claims of files (fileClaim.ts), by engine and host alike. Signals nothing.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';

export interface ProcessIdentity {
  /** When it was started, and on Linux in which boot of the machine; compared as a whole, never parsed. */
  start: string;
  /** Its command line, in parts. */
  args: readonly string[];
}

/** Time for `ps` and PowerShell to answer. */
const ASK_MS = 10_000;

/** Where a pid means the same process: the machine, on Linux since its last boot and within one container. */
export function pidSpace(): string {
  return (ownSpace ??= findSpace());
}

let ownSpace: string | null = null;

function findSpace(): string {
  if (process.platform !== 'linux') return hostname();
  try {
    return `${bootId()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Some sandboxes hide it.
    return hostname();
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** Null if there is no such process, it has ended, or the operating system doesn't say. */
export function identify(pid: number): ProcessIdentity | null {
  try {
    if (process.platform === 'linux') return identifyByProc(pid);
    return process.platform === 'win32' ? parseCim(askCim(pid)) : identifyByPs(pid);
  } catch {
    return null;
  }
}

/** Whether a command line is that of a training engine: `node .../tunewright.mjs train ...`, or `tunewright train ...`. */
export function isTrainingEngine(args: readonly string[]): boolean {
  const program = args.findIndex(arg => /^tunewright(\.mjs|\.exe)?$/.test(basename(arg.replaceAll('\\', '/'))));
  return program >= 0 && args.includes('train', program + 1);
}

/**
 * Whether the process has a file open whose name contains `text`. Where the operating system doesn't say (not on Linux, or a
 * process of another user, which can't be signalled either), true.
 */
export function mayHoldOpen(pid: number, text: string): boolean {
  if (process.platform !== 'linux') return true;
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some(name => targetOf(`${folder}/${name}`).includes(text));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // Closed in the meantime.
    return '';
  }
}

function identifyByProc(pid: number): ProcessIdentity | null {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the name in parentheses, which may contain spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ticks] = [fields[0]!, fields[19]!];
  // Ended, but not yet collected by its parent.
  if (state === 'Z' || state === 'X') return null;
  return { start: `${bootId()} ${ticks}`, args: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') };
}

/** For macOS and BSD. */
export function identifyByPs(pid: number): ProcessIdentity | null {
  const args = ['-ww', '-o', 'lstart=', '-o', 'command=', '-p', String(pid)];
  // The time in words, the same in every locale and time zone.
  return parsePs(ask('ps', args, { ...process.env, LC_ALL: 'C', TZ: 'UTC' }));
}

/** @param line such as `Sun Nov 29 00:14:23 2026 node tunewright.mjs train` */
export function parsePs(line: string): ProcessIdentity | null {
  const [, start, command] = /^\s*(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(\S.*?)\s*$/.exec(line) ?? [];
  return start && command ? { start: start.replace(/\s+/g, ' '), args: command.split(/\s+/) } : null;
}

function askCim(pid: number): string {
  const script =
    `Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}' | ` +
    `ForEach-Object { $_.CreationDate.ToUniversalTime().ToString('o'); $_.CommandLine }`;
  return ask('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script], process.env);
}

/** @param text a line with the time, and one with the command line, in which parts with spaces are in double quotes */
export function parseCim(text: string): ProcessIdentity | null {
  const [start, command] = text.split(/\r?\n/);
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(start ?? '') || !command) return null;
  return { start: start!, args: [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!) };
}

function ask(program: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  return execFileSync(program, args, {
    env,
    encoding: 'utf8',
    timeout: ASK_MS,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
