// What a key of the run file is called and what it is for, as forms, editors and `describe` show it: `.meta(about(...))` on
// every key of every schema.
export function about(title: string, description: string): { title: string; description: string } {
  return { title, description };
}
