/** WebAssembly text of the kernels that go over values one by one. Pointers and steps are bytes, all values float32. */
import { add, countdown, get, locals } from './wat-text.js';

const set = (name, value) => `(local.set $${name} ${value})`;
const params = (type, ...names) => names.map((name) => `(param $${name} ${type})`).join(' ');
const on = (pointers, bytes) => pointers.map((name) => add(name, `(i32.const ${bytes})`)).join(' ');
/** `vector` on four values at a time, `scalar` on the rest; both move the pointers themselves. */
const values = (label, count, vector, scalar) => `
    ${set('j', `(i32.shr_u ${get(count)} (i32.const 2))`)}
    ${countdown(`${label}4`, 'j', vector)}
    ${set('j', `(i32.and ${get(count)} (i32.const 3))`)}
    ${countdown(`${label}1`, 'j', scalar)}`;

/** to = from - rate * gradient, `count` values. */
const descend = `
  (func (export "descend") (param $to i32) (param $from i32) (param $gradient i32) (param $rate f32) (param $count i32)
    (local $j i32) (local $r v128)
    (local.set $r (f32x4.splat ${get('rate')}))
    (local.set $j (i32.shr_u ${get('count')} (i32.const 2)))
    ${countdown(
      'vectors',
      'j',
      `
      (v128.store ${get('to')} (f32x4.sub (v128.load ${get('from')}) (f32x4.mul ${get('r')} (v128.load ${get('gradient')}))))
      ${['to', 'from', 'gradient'].map((name) => add(name, '(i32.const 16)')).join(' ')}`,
    )}
    (local.set $j (i32.and ${get('count')} (i32.const 3)))
    ${countdown(
      'rest',
      'j',
      `
      (f32.store ${get('to')} (f32.sub (f32.load ${get('from')}) (f32.mul ${get('rate')} (f32.load ${get('gradient')}))))
      ${['to', 'from', 'gradient'].map((name) => add(name, '(i32.const 4)')).join(' ')}`,
    )})`;

/** `count` times: out[i] += a[i] * b[i] for n values, then each pointer takes its step. */
const spread = `
  (func (export "spread") ${params('i32', 'out', 'outStep', 'a', 'aStep', 'b', 'bStep', 'n', 'count')}
    ${locals('i32', 'j', 'o', 'p', 'q')}
    ${countdown(
      'outer',
      'count',
      `
      ${set('o', get('out'))} ${set('p', get('a'))} ${set('q', get('b'))}
      ${values(
        'spread',
        'n',
        `(v128.store ${get('o')} (f32x4.add (v128.load ${get('o')}) (f32x4.mul (v128.load ${get('p')}) (v128.load ${get('q')}))))
        ${on(['o', 'p', 'q'], 16)}`,
        `(f32.store ${get('o')} (f32.add (f32.load ${get('o')}) (f32.mul (f32.load ${get('p')}) (f32.load ${get('q')}))))
        ${on(['o', 'p', 'q'], 4)}`,
      )}
      ${add('out', get('outStep'))} ${add('a', get('aStep'))} ${add('b', get('bStep'))}`,
    )})`;

/** Walks one window of rows x columns positions; `dx` lies as far from x as the two images do. */
const window = (hit) => `
      ${set('line', get('x'))} ${set('r', get('rows'))}
      ${countdown(
        'down',
        'r',
        `
        ${set('p', get('line'))} ${set('c', get('columns'))}
        ${countdown('along', 'c', `${set('d', `(i32.add ${get('p')} ${get('apart')})`)} ${hit} ${add('p', get('step'))}`)}
        ${add('line', get('skip'))}`,
      )}`;

/** One window of a max pooling: dy of each channel is added to dx where x first equals y. */
const poolGradient = `
  (func (export "poolGradient") ${params('i32', 'x', 'y', 'dy', 'apart', 'rows', 'columns', 'skip', 'step', 'n')}
    ${locals('i32', 'j', 'line', 'p', 'd', 'r', 'c', 'found')} ${locals('v128', 'best', 'slope', 'open', 'hit')}
    ${values(
      'pool',
      'n',
      `
      ${set('best', `(v128.load ${get('y')})`)} ${set('slope', `(v128.load ${get('dy')})`)}
      ${set('open', '(v128.const i32x4 -1 -1 -1 -1)')}
      ${window(
        `${set('hit', `(v128.and ${get('open')} (f32x4.eq (v128.load ${get('p')}) ${get('best')}))`)}
          ${set('open', `(v128.andnot ${get('open')} ${get('hit')})`)}
          (v128.store ${get('d')} (f32x4.add (v128.load ${get('d')}) (v128.and ${get('slope')} ${get('hit')})))`,
      )}
      ${on(['x', 'y', 'dy'], 16)}`,
      `
      ${set('found', '(i32.const 0)')}
      ${window(
        `(if (i32.and (i32.eqz ${get('found')}) (f32.eq (f32.load ${get('p')}) (f32.load ${get('y')}))) (then
            ${set('found', '(i32.const 1)')}
            (f32.store ${get('d')} (f32.add (f32.load ${get('d')}) (f32.load ${get('dy')})))))`,
      )}
      ${on(['x', 'y', 'dy'], 4)}`,
    )})`;

/** Kingma and Ba 2015, algorithm 1: m2 = beta1 m + rest1 g, v2 = beta2 v + rest2 g^2, w2 = w - size m2 / (spread sqrt(v2) + epsilon). */
function adamOf(kind, load, store, constant, bytes) {
  const at = (name) => `(${load} ${get(name)})`;
  const times = (a, b) => `(${kind}.mul ${a} ${b})`;
  const plus = (a, b) => `(${kind}.add ${a} ${b})`;
  const [g, m2, v2] = [at('g'), at('m2'), at('v2')];
  const [b1, r1, b2, r2, size, wide, tiny] = [
    'beta1',
    'rest1',
    'beta2',
    'rest2',
    'size',
    'wide',
    'epsilon',
  ].map(constant);
  return `
      (${store} ${get('m2')} ${plus(times(b1, at('m')), times(r1, g))})
      (${store} ${get('v2')} ${plus(times(b2, at('v')), times(r2, times(g, g)))})
      (${store} ${get('w2')} (${kind}.sub ${at('w')} (${kind}.div ${times(size, m2)} ${plus(times(wide, `(${kind}.sqrt ${v2})`), tiny)})))
      ${on(['w', 'g', 'm', 'v', 'w2', 'm2', 'v2'], bytes)}`;
}
const adam = `
  (func (export "adam") ${params('i32', 'w', 'g', 'm', 'v', 'w2', 'm2', 'v2', 'count')}
    ${params('f32', 'beta1', 'rest1', 'beta2', 'rest2', 'size', 'wide', 'epsilon')} ${locals('i32', 'j')}
    ${values(
      'adam',
      'count',
      adamOf('f32x4', 'v128.load', 'v128.store', (name) => `(f32x4.splat ${get(name)})`, 16),
      adamOf('f32', 'f32.load', 'f32.store', get, 4),
    )})`;

export const elementwise = descend + spread + poolGradient + adam;
