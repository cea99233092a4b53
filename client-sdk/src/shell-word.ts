/** A path as a POSIX shell takes it back: in quotes where it holds more than letters, digits and a few signs. */
export function shellWord(text: string): string {
  return /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
