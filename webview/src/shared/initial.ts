// What the host has put into the page for its script to begin with.
import type { ZodType } from 'zod';

/** null where there is nothing, or nothing that this version understands. */
export function initialData<T>(schema: ZodType<T>): T | null {
  const text = document.getElementById('initial')?.textContent;
  return text ? (schema.safeParse(JSON.parse(text)).data ?? null) : null;
}
