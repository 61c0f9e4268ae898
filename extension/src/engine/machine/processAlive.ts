// Whether the process named by a lock or a run folder is still running. Called before taking either over.

/** Also true for a process of another user, which can't be signalled. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
