/**
 * binary: one function of two elements, with broadcasting and an activation.
 *
 * y[i0..i5] = act(f(a[sum of i*strideA], b[sum of i*strideB])), f chosen by `op`; y is dense.
 * Shapes: y [dim0, dim1, dim2, dim3, dim4, dim5], axes joined and padded in front with 1 (tensor/strides.ts); a stride
 *         of 0 repeats. Whole operands are dim5 long with stride 1, a scalar has all strides 0.
 * Numerics: one rounding; pow within a few units in the last place, x^0 = 1^y = 1 for all x and y. min and max give NaN
 *           if either is NaN. Comparisons and logic give 0 or 1; every comparison with NaN is 0, and NaN is true. mod,
 *           fmod and intDiv are exact for whole numbers up to 2^24.
 * Source: ONNX operators Add, Sub, Mul, Div, Min, Max (opset 14), Pow (15), Mod (13), Equal, Less, Greater, And, Or, Xor,
 *         PRelu (16).
 */
import { activate, activationFields } from './activation.ts'
import { defineKernel } from './contract.ts'

/** The values of the param `op`. */
export const binaryOps = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  min: 4,
  max: 5,
  pow: 6,
  /** Remainder with the divisor's sign. */
  mod: 7,
  /** Remainder with the dividend's sign. */
  fmod: 8,
  /** Quotient of integers, towards zero. */
  intDiv: 9,
  equal: 10,
  less: 11,
  lessOrEqual: 12,
  greater: 13,
  greaterOrEqual: 14,
  and: 15,
  or: 16,
  xor: 17,
  /** a < 0 ? a * b : a */
  prelu: 18,
} as const

export type BinaryOp = keyof typeof binaryOps

/** Every function in double precision, in the order of `binaryOps`. */
export const binaryFunctions: readonly ((a: number, b: number) => number)[] = [
  (a, b) => a + b,
  (a, b) => a - b,
  (a, b) => a * b,
  (a, b) => a / b,
  (a, b) => Math.min(a, b),
  (a, b) => Math.max(a, b),
  power,
  modulo,
  (a, b) => a % b,
  (a, b) => Math.trunc(a / b),
  (a, b) => Number(a === b),
  (a, b) => Number(a < b),
  (a, b) => Number(a <= b),
  (a, b) => Number(a > b),
  (a, b) => Number(a >= b),
  (a, b) => Number(a !== 0 && b !== 0),
  (a, b) => Number(a !== 0 || b !== 0),
  (a, b) => Number((a !== 0) !== (b !== 0)),
  (a, b) => (a < 0 ? a * b : a),
]

/** As IEEE 754 has it: 1 to any power is 1, and so is (-1) to an infinite one; JavaScript gives NaN there. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b
}

function modulo(a: number, b: number): number {
  const rest = a % b
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest
}

export const binary = defineKernel({
  fields: {
    /** A value of `binaryOps`. */
    op: 'u32',
    dim0: 'u32',
    dim1: 'u32',
    dim2: 'u32',
    dim3: 'u32',
    dim4: 'u32',
    dim5: 'u32',
    strideA0: 'i32',
    strideA1: 'i32',
    strideA2: 'i32',
    strideA3: 'i32',
    strideA4: 'i32',
    strideA5: 'i32',
    strideB0: 'i32',
    strideB1: 'i32',
    strideB2: 'i32',
    strideB3: 'i32',
    strideB4: 'i32',
    strideB5: 'i32',
    ...activationFields,
  },
  operands: ['a', 'b'],
  reference(p, [a, b], y) {
    const f = binaryFunctions[p.op]
    let at = 0
    for (let i0 = 0; i0 < p.dim0; i0++)
      for (let i1 = 0; i1 < p.dim1; i1++)
        for (let i2 = 0; i2 < p.dim2; i2++)
          for (let i3 = 0; i3 < p.dim3; i3++)
            for (let i4 = 0; i4 < p.dim4; i4++) {
              let atA = i0 * p.strideA0 + i1 * p.strideA1 + i2 * p.strideA2 + i3 * p.strideA3 + i4 * p.strideA4
              let atB = i0 * p.strideB0 + i1 * p.strideB1 + i2 * p.strideB2 + i3 * p.strideB3 + i4 * p.strideB4
              for (let i5 = 0; i5 < p.dim5; i5++, at++) {
                y[at] = activate(p, f(a[atA], b[atB]))
                atA += p.strideA5
                atB += p.strideB5
              }
            }
  },
  cost(p) {
    const count = p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5
    return { flops: count, bytes: 12 * count }
  },
})
