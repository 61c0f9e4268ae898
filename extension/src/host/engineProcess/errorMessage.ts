// The reason of a failure in what the engine wrote to standard error, among progress and warnings.

const START = 'error: ';

/** From the last `error:` on; the last lines where there is none. */
export function errorMessage(stderr: string): string {
  const text = stderr.trimEnd();
  const start = text.lastIndexOf(`\n${START}`) + 1;
  if (!text.startsWith(START, start))
    return text.split('\n').slice(-3).join('\n') || 'The engine ended without saying why.';
  return text.slice(start + START.length).replace(/\n\s*TUNEWRIGHT_DEBUG=1 .*$/, '');
}

/** The model that the engine, told to stay --offline, hasn't found; null where something else is wrong. */
export function missingModel(message: string): string | null {
  return /^(.+?): there is no such model on this machine/.exec(message)?.[1] ?? null;
}
