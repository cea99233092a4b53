/** Pieces of WebAssembly text. Locals are named without their dollar sign. */
export const rows = (count, line) => Array.from({ length: count }, (_, row) => line(row)).join('\n');
export const locals = (type, ...names) => names.map((name) => `(local $${name} ${type})`).join(' ');
export const each = (names, count) =>
  Array.from({ length: count }, (_, row) => names.map((n) => `${n}${row}`)).flat();

/** (loop ...) over `$counter` from its value down to 0. */
export const countdown = (label, counter, body) => `
    (if (local.get $${counter}) (then (loop $${label}
      ${body}
      (br_if $${label} (local.tee $${counter} (i32.sub (local.get $${counter}) (i32.const 1)))))))`;

export const add = (name, by) => `(local.set $${name} (i32.add (local.get $${name}) ${by}))`;
export const NONE = '(v128.const f32x4 0 0 0 0)';
export const get = (name) => `(local.get $${name})`;
