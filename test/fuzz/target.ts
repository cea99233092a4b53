/** What is fuzzed: each target makes inputs, and plays them against the real thing. */
import { ERRORS, type ErrorCode, TributaryError } from '@tributary/protocol';
import type { Dice } from '../chaos/random.ts';

/** Inputs are JSON, so that a finding can be printed, made smaller, kept and replayed. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface Target {
  readonly name: string;
  /** Its part of the cases. */
  readonly share: number;
  generate(dice: Dice): Json;
  /** @returns what is wrong with the answer, or null */
  play(input: Json): Promise<string | null>;
}

/** Whether `code` is a refusal that may travel: one of the table, and no fault of ours. */
export function complaintAbout(code: unknown): string | null {
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code))
    return `untyped refusal: ${String(code).slice(0, 80)}`;
  return code === 'internal' ? 'answered with internal' : null;
}

/** Of what was thrown on purpose. */
export function complaintAboutThrown(thrown: unknown): string | null {
  if (thrown instanceof TributaryError) return complaintAbout(thrown.code);
  return `threw ${thrown instanceof Error ? (thrown.stack ?? thrown.message).slice(0, 500) : String(thrown)}`;
}

const CLOSE_CODES: ReadonlySet<number> = new Set([
  // Of RFC 6455: broken frames, text that is no UTF-8, too long; and what has no code: the socket ended.
  ...[1000, 1002, 1005, 1006, 1007, 1008, 1009],
  ...(Object.keys(ERRORS) as ErrorCode[])
    .filter((code) => code !== 'internal')
    .map((code) => ERRORS[code].close),
]);
const INTERNAL = /^(internal|An unexpected)/;

export function complaintAboutClose(code: number, reason: string): string | null {
  if (INTERNAL.test(reason)) return `closed with ${reason}`;
  return CLOSE_CODES.has(code) ? null : `closed with ${code} ${reason}`;
}

/** Stands for lists within lists, so deep that what calls itself for each of them runs out of stack. */
export const DEEP = '$deep';

/** As JSON, with the names of facts filled in. */
export function written(value: Json, facts: Readonly<Record<string, string>> = {}, levels = 15_000): string {
  return filled(JSON.stringify(value), facts, levels);
}

export function filled(text: string, facts: Readonly<Record<string, string>> = {}, levels = 15_000): string {
  const nested = () => '['.repeat(levels) + ']'.repeat(levels);
  // Where a value may stand: as a name, or behind a quote within a text, it would be no JSON.
  return text
    .replace(/(?<!\\)"\$deep"(?!\s*:)/g, nested)
    .replace(/\$(\w+)/g, (whole, name) => facts[name] ?? whole);
}
