/** Makes an input that shows a fault smaller, as long as it still shows it. */
import type { Json } from './target.ts';

/** Replays are slow where a whole round is played. */
const TRIES = 60;

/** @param shows plays an input. @returns the smallest that was found */
export async function smaller(
  input: Json,
  shows: (input: Json) => Promise<boolean>,
  tries = TRIES,
): Promise<Json> {
  let best = input;
  for (let left = tries, again = true; again && left > 0; ) {
    again = false;
    for (const candidate of cuts(best)) {
      if (left-- <= 0) break;
      if (!(await shows(candidate))) continue;
      best = candidate;
      again = true;
      break;
    }
  }
  return best;
}

/** The value with one thing less: an item, a member, or half of a text; outermost first. */
export function* cuts(value: Json): Generator<Json> {
  if (typeof value === 'string' && value.length > 1) {
    yield value.slice(0, value.length >> 1);
    yield value.slice(value.length >> 1);
  }
  if (Array.isArray(value)) {
    for (const at of value.keys()) yield value.filter((_, index) => index !== at);
    for (const [at, item] of value.entries())
      for (const cut of cuts(item)) yield value.map((other, index) => (index === at ? cut : other));
  } else if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value);
    for (const [name] of members) yield Object.fromEntries(members.filter(([other]) => other !== name));
    for (const [name, member] of members)
      for (const cut of cuts(member)) yield Object.fromEntries([...members, [name, cut]]);
  }
}
