/**
 * pairs: functions of four floats as V8 pairs them into eight (tile16.ts says when): multiply-adds, comparisons and integer
 * additions, no conversion between kinds, constants from a table in memory, for V8 makes one in the code anew at every use.
 *
 * A kernel fills the table in its scratch memory and calls each function for two neighbouring vectors before it stores both.
 */
import { bound, madd } from './simd'

/** Bytes of the table. */
export const TABLE_BYTES: usize = 256

/** Fills the table. Offsets are spelt out where they are read. */
export function fillTable(table: usize): void {
  // exp: bounds, log2 e, 1.5 * 2^23, -ln 2 in two parts, the polynomial
  store<f32>(table, -87.3)
  store<f32>(table, 88, 4)
  store<f32>(table, 1.44269504088896341, 8)
  store<f32>(table, 12582912, 12)
  store<f32>(table, -0.693359375, 16)
  store<f32>(table, 2.12194440e-4, 20)
  store<f32>(table, 1.9875691500e-4, 24)
  store<f32>(table, 1.3981999507e-3, 28)
  store<f32>(table, 8.3334519073e-3, 32)
  store<f32>(table, 4.1665795894e-2, 36)
  store<f32>(table, 1.6666665459e-1, 40)
  store<f32>(table, 5.0000001201e-1, 44)
  store<f32>(table, 1, 48)
  // erf: bounds, numerator, denominator
  store<f32>(table, -4, 52)
  store<f32>(table, 4, 56)
  store<f32>(table, -2.72614225801306e-10, 60)
  store<f32>(table, 2.77068142495902e-08, 64)
  store<f32>(table, -2.10102402082508e-06, 68)
  store<f32>(table, -5.69250639462346e-05, 72)
  store<f32>(table, -7.34990630326855e-04, 76)
  store<f32>(table, -2.95459980854025e-03, 80)
  store<f32>(table, -1.60960333262415e-02, 84)
  store<f32>(table, -1.45660718464996e-05, 88)
  store<f32>(table, -2.13374055278905e-04, 92)
  store<f32>(table, -1.68282697438203e-03, 96)
  store<f32>(table, -7.37332916720468e-03, 100)
  store<f32>(table, -1.42647390514189e-02, 104)
  // tanh: bounds, numerator, denominator
  store<f32>(table, -7.90531110763549805, 108)
  store<f32>(table, 7.90531110763549805, 112)
  store<f32>(table, -2.76076847742355e-16, 116)
  store<f32>(table, 2.00018790482477e-13, 120)
  store<f32>(table, -8.60467152213735e-11, 124)
  store<f32>(table, 5.12229709037114e-08, 128)
  store<f32>(table, 1.48572235717979e-05, 132)
  store<f32>(table, 6.37261928875436e-04, 136)
  store<f32>(table, 4.89352455891786e-03, 140)
  store<f32>(table, 1.19825839466702e-06, 144)
  store<f32>(table, 1.18534705686654e-04, 148)
  store<f32>(table, 2.26843463243900e-03, 152)
  store<f32>(table, 4.89352518554385e-03, 156)
  // 1/2, sqrt(1/2), 1/6, 0
  store<f32>(table, 0.5, 160)
  store<f32>(table, 0.70710678118654752, 164)
  store<f32>(table, 0.16666666666666666, 168)
  store<f32>(table, 0, 172)
}

/**
 * exp for x <= 88 (larger ones count as 88), 0 below -87.3, NaN stays: x = n ln 2 + r, a polynomial in r, times 2^n by an addition
 * to the exponent's bits. n comes from adding 1.5 * 2^23, whose low bits then are the integer. Source: Cephes, expf.
 */
// @ts-ignore: decorator
@inline
export function expPair(x: v128, table: usize): v128 {
  const magic = v128.load32_splat(table, 12)
  const v = bound(x, v128.load32_splat(table), v128.load32_splat(table, 4))
  const m = madd(v, v128.load32_splat(table, 8), magic)
  const n = f32x4.sub(m, magic)
  let r = madd(n, v128.load32_splat(table, 16), v)
  r = madd(n, v128.load32_splat(table, 20), r)
  let p = madd(v128.load32_splat(table, 24), r, v128.load32_splat(table, 28))
  p = madd(p, r, v128.load32_splat(table, 32))
  p = madd(p, r, v128.load32_splat(table, 36))
  p = madd(p, r, v128.load32_splat(table, 40))
  p = madd(p, r, v128.load32_splat(table, 44))
  p = madd(p, r, v128.load32_splat(table, 48))
  p = madd(p, r, v128.load32_splat(table, 48))
  const y = i32x4.add(p, i32x4.shl(m, 23))
  const low = f32x4.lt(x, v128.load32_splat(table))
  return v128.or(v128.andnot(y, low), f32x4.ne(x, x))
}

/** x P(x^2) / Q(x^2) on [-4, 4], beyond which erf is +-1 in float32. Source: Eigen, generic_fast_erf_float. */
// @ts-ignore: decorator
@inline
export function erfPair(x: v128, table: usize): v128 {
  const t = bound(x, v128.load32_splat(table, 52), v128.load32_splat(table, 56))
  const z = f32x4.mul(t, t)
  let p = madd(v128.load32_splat(table, 60), z, v128.load32_splat(table, 64))
  p = madd(p, z, v128.load32_splat(table, 68))
  p = madd(p, z, v128.load32_splat(table, 72))
  p = madd(p, z, v128.load32_splat(table, 76))
  p = madd(p, z, v128.load32_splat(table, 80))
  p = madd(p, z, v128.load32_splat(table, 84))
  let q = madd(v128.load32_splat(table, 88), z, v128.load32_splat(table, 92))
  q = madd(q, z, v128.load32_splat(table, 96))
  q = madd(q, z, v128.load32_splat(table, 100))
  q = madd(q, z, v128.load32_splat(table, 104))
  return f32x4.div(f32x4.mul(t, p), q)
}

/** x P(x^2) / Q(x^2) on [-7.9, 7.9], beyond which tanh is +-1 in float32. Source: Eigen, generic_fast_tanh_float. */
// @ts-ignore: decorator
@inline
export function tanhPair(x: v128, table: usize): v128 {
  const t = bound(x, v128.load32_splat(table, 108), v128.load32_splat(table, 112))
  const z = f32x4.mul(t, t)
  let p = madd(v128.load32_splat(table, 116), z, v128.load32_splat(table, 120))
  p = madd(p, z, v128.load32_splat(table, 124))
  p = madd(p, z, v128.load32_splat(table, 128))
  p = madd(p, z, v128.load32_splat(table, 132))
  p = madd(p, z, v128.load32_splat(table, 136))
  p = madd(p, z, v128.load32_splat(table, 140))
  let q = madd(v128.load32_splat(table, 144), z, v128.load32_splat(table, 148))
  q = madd(q, z, v128.load32_splat(table, 152))
  q = madd(q, z, v128.load32_splat(table, 156))
  return f32x4.div(f32x4.mul(t, p), q)
}

// @ts-ignore: decorator
@inline
export function sigmoidPair(x: v128, table: usize): v128 {
  const one = v128.load32_splat(table, 48)
  return f32x4.div(one, f32x4.add(expPair(f32x4.sub(v128.load32_splat(table, 172), x), table), one))
}

/** x * gate, and 0 where the gate is shut, even to an infinity. */
// @ts-ignore: decorator
@inline
function gated(x: v128, gate: v128, table: usize): v128 {
  return v128.andnot(f32x4.mul(x, gate), f32x4.eq(gate, v128.load32_splat(table, 172)))
}

// @ts-ignore: decorator
@inline
export function geluPair(x: v128, table: usize): v128 {
  const half = v128.load32_splat(table, 160)
  return gated(x, madd(erfPair(f32x4.mul(x, v128.load32_splat(table, 164)), table), half, half), table)
}

// @ts-ignore: decorator
@inline
export function hardSwishPair(x: v128, table: usize): v128 {
  const line = madd(x, v128.load32_splat(table, 168), v128.load32_splat(table, 160))
  return f32x4.mul(x, bound(line, v128.load32_splat(table, 172), v128.load32_splat(table, 48)))
}
