/**
 * Writes the WebAssembly text of the training kernels: matrix products without packing, and what elementwise-wat.js
 * holds. All pointers and strides are bytes, all values float32. Blocks of R rows are unrolled for R = 1..5: ten
 * accumulators and three operands fit the sixteen vector registers of x86-64.
 */
import { elementwise } from './elementwise-wat.js';
import { add, countdown, each, get, locals, NONE, rows } from './wat-text.js';

const ROWS = 5;

/** C[R x n] = A[R x k] B[k x n], or += where `more` is 1; A(r, p) at a + r * rsa + p * csa, so that a transposed A costs nothing. */
function productRows(count) {
  const start = rows(
    count,
    (r) => `(local.set $a${r} (i32.add ${get('a')} (i32.mul (i32.const ${r}) ${get('rsa')})))`,
  );
  const begin = (sum, kept, none) => `(local.set $${sum} (select ${kept} ${none} ${get('more')}))`;
  const advance = rows(count, (r) => add(`a${r}`, get('csa')));
  const to = (r) => `(i32.add ${get('c')} (i32.mul (i32.const ${r}) ${get('ldc')}))`;
  const accumulate = (sum, operand) =>
    `(local.set $${sum} (f32x4.add ${get(sum)} (f32x4.mul ${get('x')} ${get(operand)})))`;
  const vectors = `
      ${start} ${rows(count, (r) => begin(`s${r}`, `(v128.load ${to(r)})`, NONE) + begin(`t${r}`, `(v128.load offset=16 ${to(r)})`, NONE))}
      (local.set $q ${get('b')}) (local.set $p ${get('k')})
      ${countdown(
        'inner',
        'p',
        `
        (local.set $u (v128.load ${get('q')})) (local.set $v (v128.load offset=16 ${get('q')}))
        ${rows(count, (r) => `(local.set $x (v128.load32_splat ${get(`a${r}`)})) ${accumulate(`s${r}`, 'u')} ${accumulate(`t${r}`, 'v')}`)}
        ${advance} ${add('q', get('ldb'))}`,
      )}
      ${rows(count, (r) => `(v128.store ${to(r)} ${get(`s${r}`)}) (v128.store offset=16 ${to(r)} ${get(`t${r}`)})`)}
      ${add('b', '(i32.const 32)')} ${add('c', '(i32.const 32)')}`;
  const scalars = `
      ${start} ${rows(count, (r) => begin(`f${r}`, `(f32.load ${to(r)})`, '(f32.const 0)'))}
      (local.set $q ${get('b')}) (local.set $p ${get('k')})
      ${countdown(
        'single',
        'p',
        `
        (local.set $g (f32.load ${get('q')}))
        ${rows(count, (r) => `(local.set $f${r} (f32.add ${get(`f${r}`)} (f32.mul (f32.load ${get(`a${r}`)}) ${get('g')})))`)}
        ${advance} ${add('q', get('ldb'))}`,
      )}
      ${rows(count, (r) => `(f32.store ${to(r)} ${get(`f${r}`)})`)}
      ${add('b', '(i32.const 4)')} ${add('c', '(i32.const 4)')}`;
  return `
  (func $product${count} (param $a i32) (param $rsa i32) (param $csa i32) (param $b i32) (param $ldb i32)
    (param $c i32) (param $ldc i32) (param $k i32) (param $n i32) (param $more i32)
    ${locals('i32', 'p', 'q', 'j', ...each(['a'], count))} ${locals('v128', 'u', 'v', 'x', ...each(['s', 't'], count))}
    ${locals('f32', 'g', ...each(['f'], count))}
    (local.set $j (i32.shr_u ${get('n')} (i32.const 3)))
    ${countdown('columns', 'j', vectors)}
    (local.set $j (i32.and ${get('n')} (i32.const 7)))
    ${countdown('rest', 'j', scalars)})`;
}

/** C[R x n] = A[R x k] B[n x k]^T: dot products along the contiguous k of both, two rows of B at a time. */
function dotRows(count) {
  const zero = rows(
    count,
    (r) => `(local.set $s${r} (v128.const f32x4 0 0 0 0)) (local.set $t${r} (v128.const f32x4 0 0 0 0))`,
  );
  const start = rows(
    count,
    (r) => `(local.set $a${r} (i32.add ${get('a')} (i32.mul (i32.const ${r}) ${get('lda')})))`,
  );
  const to = (r) => `(i32.add ${get('c')} (i32.mul (i32.const ${r}) ${get('ldc')}))`;
  const lanes = (v) =>
    [0, 1, 2, 3]
      .map((lane) => `(f32x4.extract_lane ${lane} ${get(v)})`)
      .reduce((sum, lane) => `(f32.add ${sum} ${lane})`);
  const accumulate = (sum, operand) =>
    `(local.set $${sum} (f32x4.add ${get(sum)} (f32x4.mul ${get('x')} ${get(operand)})))`;
  const dots = (second) => `
      ${start} ${zero}
      (local.set $q ${get('b')}) ${second ? `(local.set $q2 (i32.add ${get('b')} ${get('ldb')}))` : ''}
      (local.set $p (i32.shr_u ${get('k')} (i32.const 2)))
      ${countdown(
        'inner',
        'p',
        `
        (local.set $u (v128.load ${get('q')})) ${second ? `(local.set $v (v128.load ${get('q2')}))` : ''}
        ${rows(count, (r) => `(local.set $x (v128.load ${get(`a${r}`)})) ${accumulate(`s${r}`, 'u')} ${second ? accumulate(`t${r}`, 'v') : ''} ${add(`a${r}`, '(i32.const 16)')}`)}
        ${add('q', '(i32.const 16)')} ${second ? add('q2', '(i32.const 16)') : ''}`,
      )}
      ${rows(count, (r) => `(local.set $f${r} ${lanes(`s${r}`)}) ${second ? `(local.set $g${r} ${lanes(`t${r}`)})` : ''}`)}
      (local.set $p (i32.and ${get('k')} (i32.const 3)))
      ${countdown(
        'tail',
        'p',
        `
        ${rows(
          count,
          (
            r,
          ) => `(local.set $f${r} (f32.add ${get(`f${r}`)} (f32.mul (f32.load ${get(`a${r}`)}) (f32.load ${get('q')}))))
        ${second ? `(local.set $g${r} (f32.add ${get(`g${r}`)} (f32.mul (f32.load ${get(`a${r}`)}) (f32.load ${get('q2')}))))` : ''}
        ${add(`a${r}`, '(i32.const 4)')}`,
        )}
        ${add('q', '(i32.const 4)')} ${second ? add('q2', '(i32.const 4)') : ''}`,
      )}
      ${rows(count, (r) => `(f32.store ${to(r)} ${get(`f${r}`)}) ${second ? `(f32.store offset=4 ${to(r)} ${get(`g${r}`)})` : ''}`)}
      (local.set $b (i32.add ${get('b')} ${second ? `(i32.shl ${get('ldb')} (i32.const 1))` : get('ldb')}))
      ${add('c', `(i32.const ${second ? 8 : 4})`)}`;
  return `
  (func $dots${count} (param $a i32) (param $lda i32) (param $b i32) (param $ldb i32)
    (param $c i32) (param $ldc i32) (param $k i32) (param $n i32)
    ${locals('i32', 'p', 'q', 'q2', 'j', ...each(['a'], count))} ${locals('v128', 'u', 'v', 'x', ...each(['s', 't'], count))}
    ${locals('f32', ...each(['f', 'g'], count))}
    (local.set $j (i32.shr_u ${get('n')} (i32.const 1)))
    ${countdown('pairs', 'j', dots(true))}
    (if (i32.and ${get('n')} (i32.const 1)) (then ${dots(false)})))`;
}

/** Walks C in blocks of ROWS rows and hands the last, shorter one to the function unrolled for it. */
function dispatch(name, step, params) {
  const pass = params.map(get).join(' ');
  const call = (count) => `(call $${name}${count} ${pass})`;
  return `
  (func (export "${name}") ${[...params, 'm'].map((p) => `(param $${p} i32)`).join(' ')}
    (loop $blocks (if (i32.ge_u ${get('m')} (i32.const ${ROWS})) (then
      ${call(ROWS)}
      ${add('a', `(i32.mul (i32.const ${ROWS}) ${get(step)})`)}
      ${add('c', `(i32.mul (i32.const ${ROWS}) ${get('ldc')})`)}
      (local.set $m (i32.sub ${get('m')} (i32.const ${ROWS})))
      (br $blocks))))
    ${Array.from({ length: ROWS - 1 }, (_, at) => `(if (i32.eq ${get('m')} (i32.const ${at + 1})) (then ${call(at + 1)}))`).join('\n    ')})`;
}

export function trainWat() {
  const unrolled = Array.from({ length: ROWS }, (_, at) => productRows(at + 1) + dotRows(at + 1)).join('');
  return `(module
  (import "tfjs" "memory" (memory 1))
${unrolled}
${dispatch('product', 'rsa', ['a', 'rsa', 'csa', 'b', 'ldb', 'c', 'ldc', 'k', 'n', 'more'])}
${dispatch('dots', 'lda', ['a', 'lda', 'b', 'ldb', 'c', 'ldc', 'k', 'n'])}
${elementwise})`;
}
