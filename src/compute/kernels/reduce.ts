/**
 * reduce: one number for each line along an axis.
 *
 * y[o,i] = f(x[o,0..axis-1,i]), f chosen by `op`.
 * Shapes: x [outer, axis, inner], y [outer, inner].
 * Numerics: sums and products in a fixed order that depends on `axis` and `inner` only. logSumExp takes the maximum off
 *           first; a line whose maximum is infinite has that maximum for its result. NaN anywhere in a line makes it NaN,
 *           but argMax and argMin pass it over. An empty line gives what its formula says: sum 0, prod 1, mean NaN,
 *           max -infinity, min infinity, logSum and logSumExp -infinity, argMax and argMin 0.
 * Source: the ONNX operators Reduce*, ArgMax and ArgMin, opset 18.
 */
import { defineKernel } from './contract.ts'

/** The values of the param `op`. */
export const reduceOps = {
  sum: 0,
  mean: 1,
  max: 2,
  min: 3,
  prod: 4,
  /** Sum of magnitudes. */
  l1: 5,
  /** Square root of the sum of squares. */
  l2: 6,
  sumSquare: 7,
  /** ln of the sum */
  logSum: 8,
  /** ln of the sum of exponentials */
  logSumExp: 9,
  /** Place of the largest; of equal ones the first, or with `selectLast` the last. A line without any number gives 0. */
  argMax: 10,
  argMin: 11,
} as const

export type ReduceOp = keyof typeof reduceOps

export const reduce = defineKernel({
  fields: {
    outer: 'u32',
    axis: 'u32',
    inner: 'u32',
    /** A value of `reduceOps`. */
    op: 'u32',
    /** 1: of equal elements argMax and argMin name the last. */
    selectLast: 'u32',
  },
  operands: ['x'],
  reference(p, [x], y) {
    const line = new Float64Array(p.axis)
    for (let o = 0; o < p.outer; o++)
      for (let i = 0; i < p.inner; i++) {
        for (let c = 0; c < p.axis; c++) line[c] = x[(o * p.axis + c) * p.inner + i]
        y[o * p.inner + i] = reduceLine(p.op, p.selectLast, line)
      }
  },
  cost(p) {
    const lines = p.outer * p.inner
    return { flops: lines * p.axis, bytes: 4 * lines * (p.axis + 1) }
  },
})

function reduceLine(op: number, selectLast: number, line: Float64Array): number {
  if (op === reduceOps.argMax) return place(line, 1, selectLast)
  if (op === reduceOps.argMin) return place(line, -1, selectLast)
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  let [sum, product, magnitudes, squares] = [0, 1, 0, 0]
  for (const value of line) {
    least = Math.min(least, value)
    most = Math.max(most, value)
    sum += value
    product *= value
    magnitudes += Math.abs(value)
    squares += value * value
  }
  if (op === reduceOps.sum) return sum
  if (op === reduceOps.mean) return sum / line.length
  if (op === reduceOps.max) return most
  if (op === reduceOps.min) return least
  if (op === reduceOps.prod) return product
  if (op === reduceOps.l1) return magnitudes
  if (op === reduceOps.l2) return Math.sqrt(squares)
  if (op === reduceOps.sumSquare) return squares
  if (op === reduceOps.logSum) return Math.log(sum)
  // An infinity minus itself would make NaN of it.
  if (!Number.isFinite(most)) return most
  let exponentials = 0
  for (const value of line) exponentials += Math.exp(value - most)
  return most + Math.log(exponentials)
}

function place(line: Float64Array, sign: number, selectLast: number): number {
  let best = Number.NaN
  let found = 0
  line.forEach((raw, c) => {
    const value = sign * raw
    if (Number.isNaN(value)) return
    if (Number.isNaN(best) || value > best || (selectLast && value === best)) {
      best = value
      found = c
    }
  })
  return found
}
