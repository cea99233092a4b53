/**
 * Where things lie in the vector that travels (PROTOCOL.md 6). Physical word i is a sentinel when i % 65536 == 0;
 * the other words are the payload, in order: the model's coordinates, then two limbs per scalar slot.
 */
import { TributaryError } from '../errors.ts';

/** Words from one sentinel to the next. */
const SPACING = 65_536;
const PER_BLOCK = SPACING - 1;

export interface Layout {
  readonly parameters: number;
  readonly scalars: number;
  /** Payload words: parameters + 2 x scalars. */
  readonly payload: number;
  /** Physical words: payload and sentinels. */
  readonly length: number;
}

/** @throws malformed unless there is at least one parameter. */
export function layoutOf(parameters: number, scalars: number): Layout {
  if (!Number.isSafeInteger(parameters) || parameters < 1)
    throw new TributaryError('malformed', `A vector has at least one parameter, not ${parameters}.`);
  if (!Number.isSafeInteger(scalars) || scalars < 0)
    throw new TributaryError('malformed', `A vector has zero or more scalar slots, not ${scalars}.`);
  const payload = parameters + 2 * scalars;
  return { parameters, scalars, payload, length: payload + Math.ceil(payload / PER_BLOCK) };
}

/** Physical word of a payload word; always above it, so payload can be compacted forwards in place. */
export function physicalIndex(payload: number): number {
  return payload + Math.floor(payload / PER_BLOCK) + 1;
}

/** Payload word of a physical word; undefined for a sentinel. */
export function payloadIndex(physical: number): number | undefined {
  if (physical % SPACING === 0) return undefined;
  return physical - Math.floor(physical / SPACING) - 1;
}

/** A run of payload without a sentinel inside; `length` words. */
export interface Block {
  readonly payload: number;
  readonly physical: number;
  readonly length: number;
}

/** The runs that hold the model's coordinates, in order. */
export function* parameterBlocks(layout: Layout): Generator<Block> {
  for (let payload = 0; payload < layout.parameters; payload += PER_BLOCK) {
    const length = Math.min(PER_BLOCK, layout.parameters - payload);
    yield { payload, physical: physicalIndex(payload), length };
  }
}

/** Each member puts a 1 at every sentinel, so that the sum counts the members. */
export function writeSentinels(words: Uint32Array): void {
  for (let at = 0; at < words.length; at += SPACING) words[at] = 1;
}

/**
 * Masks that do not cancel, or a vector missing, counted twice or damaged, leave some sentinel unequal to the number of
 * survivors: each one alone misses noise with chance 2^-32.
 * @throws sum-corrupt naming the first wrong sentinel.
 */
export function checkSentinels(words: Uint32Array, survivors: number): void {
  for (let at = 0; at < words.length; at += SPACING)
    if (words[at] !== survivors)
      throw new TributaryError(
        'sum-corrupt',
        `Sentinel ${at / SPACING} (word ${at}) counts ${words[at]} members, not the ${survivors} survivors.`,
      );
}
