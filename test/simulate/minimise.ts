/** The fewest faults that still break something (delta debugging; Zeller and Hildebrandt 2002, without the complements). */
import type { Fault } from './faults/faults.ts';

/** @param fails whether these faults still do it */
export async function minimise(
  faults: readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let left = faults;
  if (left.length > 0 && (await fails([]))) return [];
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < left.length; ) {
      const fewer = [...left.slice(0, at), ...left.slice(at + size)];
      if (fewer.length > 0 && (await fails(fewer))) left = fewer;
      else at += size;
    }
  return left;
}
