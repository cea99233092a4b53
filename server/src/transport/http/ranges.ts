/** Conditional and partial downloads of immutable bytes (RFC 9110, 13.1.2 and 14). */

export type Range = { readonly start: number; readonly end: number } | 'whole' | 'unsatisfiable';

/** True when If-None-Match names the entity: the weak comparison of RFC 9110, 8.8.3.2. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => {
    const trimmed = tag.trim();
    return trimmed === '*' || trimmed.replace(/^W\//, '') === etag;
  });
}

/**
 * The one range that a Range header asks for; `end` is exclusive. Several ranges, other units, nonsense, and an If-Range
 * that names other bytes give the whole, as RFC 9110 allows.
 */
export function parseRange(
  header: string | undefined,
  ifRange: string | undefined,
  etag: string,
  size: number,
): Range {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (!match || (ifRange !== undefined && ifRange !== etag)) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return 'whole';
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= size ? 'unsatisfiable' : { start, end };
}
