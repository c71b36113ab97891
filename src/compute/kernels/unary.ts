/**
 * unary: one function of one element.
 *
 * y[i] = f(x[i]), f chosen by `op`; alpha and beta are f's constants where it has any.
 * Shapes: x and y [count].
 * Numerics: exp, log, sigmoid, tanh and erf within a few units in the last place of float32; sigmoid and tanh
 *           saturate without NaN for large arguments.
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
}

const byCode = Object.entries(unaryOps).reduce<UnaryOp[]>((table, [name, code]) => {
  if (isUnaryOp(name)) table[code] = name
  return table
}, [])

export function isUnaryOp(name: string): name is UnaryOp {
  return Object.hasOwn(unaryOps, name)
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
