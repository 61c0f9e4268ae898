// Title and description of a key of the run file, as shown by forms, editors and `describe`: `.meta(about(...))` on every key of
// every schema.
export function about(title: string, description: string): { title: string; description: string } {
  return { title, description };
}
