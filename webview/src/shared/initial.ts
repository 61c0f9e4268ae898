// Data that the host embedded in the page for the first paint.
import type { ZodType } from 'zod';

/** null where there is none, or none that this version understands. */
export function initialData<T>(schema: ZodType<T>): T | null {
  const text = document.getElementById('initial')?.textContent;
  return text ? (schema.safeParse(JSON.parse(text)).data ?? null) : null;
}
