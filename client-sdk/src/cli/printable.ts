/**
 * Text that others wrote (plans, reasons, messages) may hold escape sequences, line breaks or direction marks, and so draw
 * over what a person is asked to approve. On a terminal each such character is shown as a replacement character; so are
 * letters that show nothing, such as U+3164, and more marks on one letter than any script needs, which pile up on other lines.
 */
export function printable(text: string): string {
  return text.replace(DRAWS, REPLACEMENT).replace(INVISIBLE, REPLACEMENT).replace(PILED, REPLACEMENT);
}

const REPLACEMENT = '\ufffd';
const DRAWS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** But for variation selectors: of emoji, and of letters in Mongolian and Japanese names. */
const INVISIBLE =
  /\u2800|(?![\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}])\p{Default_Ignorable_Code_Point}/gu;
/** Behind four of them (pointed Hebrew with accents has as many), or with no letter before. */
const PILED = /(?<=^|[\p{Mn}\p{Me}]{4})[\p{Mn}\p{Me}]+/gu;
