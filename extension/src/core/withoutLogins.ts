// Addresses in messages without the login that people put into them (http://user:password@host). Called wherever a message quotes a
// setting with an address, or the output of a program that does.

/** Bounded, so that a long line without a login takes a time linear in its length. The scheme may be missing. */
const LOGIN = /(?:(?<=\/\/)[^\s/'"]{1,400}|(?<=^|[\s/'"])[^\s/'"@:]{1,200}:[^\s/'"]{0,200})@(?=[\w[])/g;

export function withoutLogins(text: string): string {
  return text.replace(LOGIN, '');
}
