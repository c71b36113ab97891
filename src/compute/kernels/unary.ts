/**
 * unary: one function of one element.
 *
 * y[i] = f(x[i]), f chosen by `op`; alpha and beta are f's constants where it has any.
 * Shapes: x and y [count].
 * Numerics: within a few units in the last place of float32, also near a function's zeros; sine, cosine and tangent up to
 *           |x| = 1e5. What saturates does so without NaN for large arguments. Tests (isInf, isNaN, logicalNot, notZero)
 *           give 0 or 1, and NaN is not zero; through all others NaN passes.
 * Source: the ONNX operators of the same names.
 */
import { defineKernel } from './contract.ts'

/** The values of the param `op`, in the order of the backends' tables. */
export const unaryOps = {
  neg: 0,
  abs: 1,
  sqrt: 2,
  exp: 3,
  /** Natural logarithm. */
  log: 4,
  /** 1 / x */
  reciprocal: 5,
  floor: 6,
  ceil: 7,
  /** max(x, 0) */
  relu: 8,
  /** x < 0 ? alpha * x : x */
  leakyRelu: 9,
  /** min(max(x, alpha), beta) */
  clip: 10,
  /** 1 / (1 + exp(-x)) */
  sigmoid: 11,
  tanh: 12,
  erf: 13,
  /** max(0, min(1, alpha * x + beta)) */
  hardSigmoid: 14,
  /** x * max(0, min(1, x / 6 + 0.5)) */
  hardSwish: 15,
  /** To the nearest whole number, halves to the even one. */
  round: 16,
  /** -1, 0 or 1 */
  sign: 17,
  /** Towards zero, as conversions to integers go. */
  truncate: 18,
  sin: 19,
  cos: 20,
  tan: 21,
  asin: 22,
  acos: 23,
  atan: 24,
  sinh: 25,
  cosh: 26,
  asinh: 27,
  acosh: 28,
  atanh: 29,
  /** 1 for -infinity where alpha is not 0 and for +infinity where beta is not 0 */
  isInf: 30,
  isNaN: 31,
  /** x == 0 ? 1 : 0 */
  logicalNot: 32,
  /** x == 0 ? 0 : 1, as conversions to booleans go */
  notZero: 33,
  /** x / 2 * (1 + erf(x / sqrt(2))) */
  gelu: 34,
  /** x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) */
  geluTanh: 35,
  /** x * tanh(ln(1 + exp(x))) */
  mish: 36,
  /** x < 0 ? alpha * (exp(x / alpha) - 1) : x */
  celu: 37,
  /** x < 0 ? alpha * (exp(x) - 1) : x */
  elu: 38,
  /** beta * (x < 0 ? alpha * (exp(x) - 1) : x) */
  selu: 39,
  /** ln(1 + exp(x)) */
  softplus: 40,
  /** x / (1 + |x|) */
  softsign: 41,
  /** x > alpha ? x : 0; NaN stays */
  thresholdedRelu: 42,
} as const

export type UnaryOp = keyof typeof unaryOps

/** Every function in double precision. */
export const unaryFunctions: Readonly<Record<UnaryOp, (x: number, alpha: number, beta: number) => number>> = {
  neg: x => -x,
  abs: x => Math.abs(x),
  sqrt: x => Math.sqrt(x),
  exp: x => Math.exp(x),
  log: x => Math.log(x),
  reciprocal: x => 1 / x,
  floor: x => Math.floor(x),
  ceil: x => Math.ceil(x),
  relu: x => Math.max(x, 0),
  leakyRelu: (x, alpha) => (x < 0 ? alpha * x : x),
  clip: (x, alpha, beta) => Math.min(Math.max(x, alpha), beta),
  sigmoid: x => 1 / (1 + Math.exp(-x)),
  tanh: x => Math.tanh(x),
  erf: x => erf(x),
  hardSigmoid: (x, alpha, beta) => Math.max(0, Math.min(1, alpha * x + beta)),
  hardSwish: x => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  round: roundEven,
  sign: x => Math.sign(x),
  truncate: x => Math.trunc(x),
  sin: x => Math.sin(x),
  cos: x => Math.cos(x),
  tan: x => Math.tan(x),
  asin: x => Math.asin(x),
  acos: x => Math.acos(x),
  atan: x => Math.atan(x),
  sinh: x => Math.sinh(x),
  cosh: x => Math.cosh(x),
  asinh: x => Math.asinh(x),
  acosh: x => Math.acosh(x),
  atanh: x => Math.atanh(x),
  isInf: (x, alpha, beta) =>
    Number((x === Number.NEGATIVE_INFINITY && alpha !== 0) || (x === Number.POSITIVE_INFINITY && beta !== 0)),
  isNaN: x => Number(Number.isNaN(x)),
  logicalNot: x => Number(x === 0),
  notZero: x => Number(x !== 0),
  gelu: x => gated(x, (1 + erf(x / Math.SQRT2)) / 2),
  geluTanh: x => gated(x, (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))) / 2),
  mish: x => gated(x, Math.tanh(softplus(x))),
  celu: (x, alpha) => (x < 0 ? alpha * Math.expm1(x / alpha) : x),
  elu: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
  selu: (x, alpha, beta) => beta * (x < 0 ? alpha * Math.expm1(x) : x),
  softplus,
  softsign: x => (Math.abs(x) === Number.POSITIVE_INFINITY ? Math.sign(x) : x / (1 + Math.abs(x))),
  thresholdedRelu: (x, alpha) => (Number.isNaN(x) || x > alpha ? x : 0),
}

const byCode = Object.entries(unaryOps).reduce<UnaryOp[]>((table, [name, code]) => {
  if (isUnaryOp(name)) table[code] = name
  return table
}, [])

export function isUnaryOp(name: string): name is UnaryOp {
  return Object.hasOwn(unaryOps, name)
}

/** To the nearest whole number, halves to the even one. */
export function roundEven(x: number): number {
  const nearest = Math.round(x)
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest
}

/** x times a gate that closes faster than x falls: 0 at -infinity. */
function gated(x: number, gate: number): number {
  return gate === 0 ? 0 : x * gate
}

/** ln(1 + exp(x)) without an overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
}

/** Series below 3, continued fraction (Lentz) above: to double precision, slowly. Abramowitz and Stegun 7.1.6, 7.1.14. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x
  const z = Math.abs(x)
  const sign = x < 0 ? -1 : 1
  if (z < 3) {
    let term = z
    let sum = z
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * z * z) / (2 * n + 1)
      sum += term
    }
    return sign * (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum
  }
  if (z > 6) return sign
  let fraction = z
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction
  return sign * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction)
}

export const unary = defineKernel({
  fields: {
    count: 'u32',
    /** A value of `unaryOps`. */
    op: 'u32',
    alpha: 'f32',
    beta: 'f32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    const f = unaryFunctions[byCode[p.op]]
    for (let i = 0; i < p.count; i++) y[i] = f(x[i], p.alpha, p.beta)
  },
  cost(p) {
    return { flops: p.count, bytes: 8 * p.count }
  },
})
