;; Vectors of 32-bit words mod 2^32: to[i] += from[i] and to[i] -= from[i], four words per SIMD lane group and
;; 64 bytes per turn, then word by word. Addresses and lengths in bytes, lengths a multiple of 4, no alignment needed.
;; Compiled by protocol/scripts/build-ring-wasm.js into ring-wasm.generated.ts.
(module
  (import "ring" "memory" (memory 1))

  (func (export "add") (param $to i32) (param $from i32) (param $bytes i32)
    (local $bulk i32) (local $end i32)
    (local.set $end (i32.add (local.get $from) (local.get $bytes)))
    (local.set $bulk (i32.add (local.get $from) (i32.and (local.get $bytes) (i32.const -64))))
    (block $words (loop $turn
      (br_if $words (i32.ge_u (local.get $from) (local.get $bulk)))
      (v128.store (local.get $to)
        (i32x4.add (v128.load (local.get $to)) (v128.load (local.get $from))))
      (v128.store offset=16 (local.get $to)
        (i32x4.add (v128.load offset=16 (local.get $to)) (v128.load offset=16 (local.get $from))))
      (v128.store offset=32 (local.get $to)
        (i32x4.add (v128.load offset=32 (local.get $to)) (v128.load offset=32 (local.get $from))))
      (v128.store offset=48 (local.get $to)
        (i32x4.add (v128.load offset=48 (local.get $to)) (v128.load offset=48 (local.get $from))))
      (local.set $to (i32.add (local.get $to) (i32.const 64)))
      (local.set $from (i32.add (local.get $from) (i32.const 64)))
      (br $turn)))
    (block $done (loop $word
      (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
      (i32.store (local.get $to) (i32.add (i32.load (local.get $to)) (i32.load (local.get $from))))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (br $word))))

  (func (export "subtract") (param $to i32) (param $from i32) (param $bytes i32)
    (local $bulk i32) (local $end i32)
    (local.set $end (i32.add (local.get $from) (local.get $bytes)))
    (local.set $bulk (i32.add (local.get $from) (i32.and (local.get $bytes) (i32.const -64))))
    (block $words (loop $turn
      (br_if $words (i32.ge_u (local.get $from) (local.get $bulk)))
      (v128.store (local.get $to)
        (i32x4.sub (v128.load (local.get $to)) (v128.load (local.get $from))))
      (v128.store offset=16 (local.get $to)
        (i32x4.sub (v128.load offset=16 (local.get $to)) (v128.load offset=16 (local.get $from))))
      (v128.store offset=32 (local.get $to)
        (i32x4.sub (v128.load offset=32 (local.get $to)) (v128.load offset=32 (local.get $from))))
      (v128.store offset=48 (local.get $to)
        (i32x4.sub (v128.load offset=48 (local.get $to)) (v128.load offset=48 (local.get $from))))
      (local.set $to (i32.add (local.get $to) (i32.const 64)))
      (local.set $from (i32.add (local.get $from) (i32.const 64)))
      (br $turn)))
    (block $done (loop $word
      (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
      (i32.store (local.get $to) (i32.sub (i32.load (local.get $to)) (i32.load (local.get $from))))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (br $word)))))
