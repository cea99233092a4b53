/** Validation of everything that enters: one schema gives the check, the static type and the API document. */
import { type Static, type TSchema, Type, Value } from '@tributary/protocol/typebox';
import { type ErrorCode, TributaryError } from './errors.ts';
import { LIMITS } from './limits.ts';

const closed = { additionalProperties: false } as const;

/** An object that refuses unknown members: a typing error must not be silently ignored. */
export const Closed = <P extends Record<string, TSchema>>(properties: P) => Type.Object(properties, closed);

/** 32-byte key as base64url. */
export const Key = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
/** 64-byte signature as base64url. */
export const Signature = Type.String({ pattern: '^[A-Za-z0-9_-]{86}$' });
/** SHA-256 as lower-case hex. */
export const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
export const Bytes = (maxBytes: number) =>
  Type.String({ pattern: '^[A-Za-z0-9_-]*$', maxLength: Math.ceil((maxBytes * 4) / 3) });
/** A name that people choose; safe in file names, logs and URLs. */
export const Name = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  description: '1 to 100 letters (a to z), digits, ".", "_" or "-", beginning with a letter or digit',
});
export const Reason = Type.String({ maxLength: LIMITS.reason });
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Milliseconds since 1970 that are a date, up to the year 275760 (ECMA-262, time values): it is shown to people. */
export const Time = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 });

/**
 * @returns `value`, known to fit `schema`.
 * @throws `code` naming the first offending path, its rule and its value.
 */
export function validate<S extends TSchema>(
  schema: S,
  value: unknown,
  what: string,
  code: ErrorCode = 'malformed',
): Static<S> {
  if (Value.Check(schema, value)) return value as Static<S>;
  throw new TributaryError(code, `${what}: ${explain(schema, value)}`);
}

function explain(schema: TSchema, value: unknown, at: readonly string[] = []): string {
  const branch = branchOf(schema, value);
  if (typeof branch === 'string') return [...at, branch].join('.');
  const inside = branch ?? memberOf(schema, value);
  if (inside) return explain(inside.schema, inside.value, [...at, ...inside.step]);
  const wanted = wantedBy(schema, value);
  if (wanted) return `${at.join('.') || 'the whole'} must be ${wanted}, got ${preview(value)}`;
  const errors = [...Value.Errors(schema, value)];
  // A failed union reports every branch; an error about an unknown or missing member says most.
  const error = errors.find((e) => e.keyword === 'additionalProperties') ?? errors[0];
  if (!error) return 'does not fit its schema';
  const path = [...at, ...error.instancePath.split('/').slice(1)].join('.') || 'the whole';
  if (error.keyword === 'additionalProperties') {
    const names = (error.params as { additionalProperties: string[] }).additionalProperties;
    return `${path} has unknown field ${names.map((name) => JSON.stringify(name.slice(0, 60))).join(', ')}`;
  }
  return `${path} ${error.message}, got ${preview(Value.Pointer.Get(value, error.instancePath))}`;
}

/** What a choice of words, or a text with a description, allows. */
function wantedBy(schema: TSchema, value: unknown): string | undefined {
  const { anyOf, const: only, enum: words, pattern, description } = schema as Nested;
  if (pattern !== undefined && typeof value === 'string') return description;
  if (words) return `one of ${words.join(', ')}`;
  if (!anyOf || (typeof value === 'object' && value !== null))
    return only === undefined ? undefined : `${only}`;
  const branches = anyOf.map((one) => wantedBy(one, value) ?? SORTS[(one as Nested).type ?? '']);
  return branches.every((branch) => branch !== undefined) ? branches.join(' or ') : undefined;
}

const SORTS: Readonly<Record<string, string>> = { array: 'a list', object: 'a map' };

interface Inside {
  readonly schema: TSchema;
  readonly value: unknown;
  readonly step: readonly string[];
}

/**
 * The branch of a union that a literal member (`kind`) chooses, or what is wrong with that member. Without such a member:
 * the only branch that knows all that was given, or the only list.
 */
function branchOf(schema: TSchema, value: unknown): Inside | string | undefined {
  const branches = ((schema as Nested).anyOf ?? []).map((one) => (one as Nested).properties ?? {});
  const literal = Object.keys(branches[0] ?? {}).find((name) =>
    branches.every((members) => members[name] && 'const' in members[name]),
  );
  if (typeof value !== 'object' || value === null) return undefined;
  if (literal === undefined) {
    const fits = ((schema as Nested).anyOf ?? []).filter((one, at) =>
      Array.isArray(value)
        ? (one as Nested).items
        : Object.keys(value).every((name) => Object.hasOwn(branches[at]!, name)),
    );
    return fits.length === 1 ? { schema: fits[0]!, value, step: [] } : undefined;
  }
  const given = (value as Members)[literal];
  const known = branches.map((members) => (members[literal] as { const?: unknown }).const);
  const chosen = (schema as Nested).anyOf![known.indexOf(given)];
  return chosen
    ? // Defaults were not filled in where no branch fits as a whole: a missing one is not the fault.
      { schema: chosen, value: Value.Default(chosen, structuredClone(value)), step: [] }
    : `${literal} must be one of ${known.join(', ')}, got ${preview(given)}`;
}

/** The first member or item that does not fit; an unknown member of the object itself comes before. */
function memberOf(schema: TSchema, value: unknown): Inside | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const members = value as Members;
  const { properties = {}, items } = schema as Nested;
  if (!items && Object.keys(members).some((name) => !Object.hasOwn(properties, name))) return undefined;
  for (const name of Object.keys(members)) {
    const member = items ?? properties[name]!;
    if (!Value.Check(member, members[name])) return { schema: member, value: members[name], step: [name] };
  }
  return undefined;
}

type Members = Readonly<Record<string, unknown>>;

interface Nested {
  readonly anyOf?: readonly TSchema[];
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly items?: TSchema;
  readonly const?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly type?: string;
  readonly description?: string;
}

function preview(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = textOf(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** What is nested thousands of levels deep can be parsed, but not written: that would call itself for each level. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'something that is nested too deep';
  }
}
