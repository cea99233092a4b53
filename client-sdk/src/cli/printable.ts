/**
 * Text that others wrote (plans, reasons, messages) may hold escape sequences, line breaks or direction marks, and so draw
 * over what a person is asked to approve. On a terminal each such character is shown as a replacement character.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
