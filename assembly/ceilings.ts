/**
 * ceilings: as many multiply-adds on registers as the machine makes, for benchmarks to compare kernels with; nobody wants the sums.
 *
 * Shapes: x [8], y [96]. `wide`: twelve pairs of accumulators, which V8 turns into twelve of 256 bits where it pairs vectors
 *         (tile16.ts); else twelve of 128 bits. Each round makes 192 or 96 flops.
 */
import { madd } from './simd'

export function ceiling(x: usize, y: usize, rounds: u32, wide: u32): void {
  if (wide) ceilingWide(x, y, rounds)
  else ceilingNarrow(x, y, rounds)
}

function ceilingWide(x: usize, y: usize, rounds: u32): void {
  const a = v128.load(x), b = v128.load(x, 16)
  let p0 = a, p1 = a, p2 = a, p3 = a, p4 = a, p5 = a, p6 = a, p7 = a, p8 = a, p9 = a, p10 = a, p11 = a
  let q0 = b, q1 = b, q2 = b, q3 = b, q4 = b, q5 = b, q6 = b, q7 = b, q8 = b, q9 = b, q10 = b, q11 = b
  for (let i: u32 = 0; i < rounds; i++) {
    p0 = madd(p0, a, a); q0 = madd(q0, b, b)
    p1 = madd(p1, a, a); q1 = madd(q1, b, b)
    p2 = madd(p2, a, a); q2 = madd(q2, b, b)
    p3 = madd(p3, a, a); q3 = madd(q3, b, b)
    p4 = madd(p4, a, a); q4 = madd(q4, b, b)
    p5 = madd(p5, a, a); q5 = madd(q5, b, b)
    p6 = madd(p6, a, a); q6 = madd(q6, b, b)
    p7 = madd(p7, a, a); q7 = madd(q7, b, b)
    p8 = madd(p8, a, a); q8 = madd(q8, b, b)
    p9 = madd(p9, a, a); q9 = madd(q9, b, b)
    p10 = madd(p10, a, a); q10 = madd(q10, b, b)
    p11 = madd(p11, a, a); q11 = madd(q11, b, b)
  }
  v128.store(y, p0); v128.store(y, q0, 16)
  v128.store(y, p1, 32); v128.store(y, q1, 48)
  v128.store(y, p2, 64); v128.store(y, q2, 80)
  v128.store(y, p3, 96); v128.store(y, q3, 112)
  v128.store(y, p4, 128); v128.store(y, q4, 144)
  v128.store(y, p5, 160); v128.store(y, q5, 176)
  v128.store(y, p6, 192); v128.store(y, q6, 208)
  v128.store(y, p7, 224); v128.store(y, q7, 240)
  v128.store(y, p8, 256); v128.store(y, q8, 272)
  v128.store(y, p9, 288); v128.store(y, q9, 304)
  v128.store(y, p10, 320); v128.store(y, q10, 336)
  v128.store(y, p11, 352); v128.store(y, q11, 368)
}

function ceilingNarrow(x: usize, y: usize, rounds: u32): void {
  const a = v128.load(x)
  let s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a
  for (let i: u32 = 0; i < rounds; i++) {
    s0 = madd(s0, a, a)
    s1 = madd(s1, a, a)
    s2 = madd(s2, a, a)
    s3 = madd(s3, a, a)
    s4 = madd(s4, a, a)
    s5 = madd(s5, a, a)
    s6 = madd(s6, a, a)
    s7 = madd(s7, a, a)
    s8 = madd(s8, a, a)
    s9 = madd(s9, a, a)
    s10 = madd(s10, a, a)
    s11 = madd(s11, a, a)
  }
  v128.store(y, s0)
  v128.store(y, s1, 16)
  v128.store(y, s2, 32)
  v128.store(y, s3, 48)
  v128.store(y, s4, 64)
  v128.store(y, s5, 80)
  v128.store(y, s6, 96)
  v128.store(y, s7, 112)
  v128.store(y, s8, 128)
  v128.store(y, s9, 144)
  v128.store(y, s10, 160)
  v128.store(y, s11, 176)
}
