/**
 * pairwise-coupling: probabilities of classes from those of each pair of them.
 *
 * y[i,:] is the p with sum 1 that has p_c * r(d,c) as near as can be to p_d * r(c,d) for all pairs, r(c,d) the probability
 * of c where it is c or d: found in steps from equal ones, until no class is off by more than 0.005 / classes, or after 100.
 * Shapes: x [rows, pairs]: r(c,d) for c < d, ordered by c, then d; classes at least 2; y [rows, classes].
 * Numerics: float32 as it stands, one operation after the other: where the steps end is part of the result.
 * Source: Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004), the second
 *         method, as LIBSVM and onnxruntime's SVMClassifier have it.
 */
import { defineKernel } from './contract.ts'

/** Steps at most. */
export const couplingSteps = 100

const f = Math.fround

export const pairwiseCoupling = defineKernel({
  fields: { rows: 'u32', classes: 'u32' },
  operands: ['x'],
  reference(p, [x], y) {
    const k = p.classes
    const pairs = (k * (k - 1)) / 2
    const r = new Float32Array(k * k)
    for (let row = 0; row < p.rows; row++) {
      let pair = row * pairs
      for (let c = 0; c < k; c++)
        for (let d = c + 1; d < k; d++, pair++) {
          r[c * k + d] = x[pair]
          r[d * k + c] = f(1 - r[c * k + d])
        }
      y.set(couple(r, k), row * k)
    }
  },
  cost(p) {
    const pairs = (p.classes * (p.classes - 1)) / 2
    return { flops: 10 * p.rows * p.classes * p.classes * 4, bytes: 4 * p.rows * (pairs + p.classes) }
  },
})

/** @param r [k, k] */
function couple(r: Float32Array, k: number): Float32Array {
  const q = new Float32Array(k * k)
  for (let c = 0; c < k; c++)
    for (let d = 0; d < k; d++) {
      if (d === c) continue
      q[c * k + c] += f(r[d * k + c] * r[d * k + c])
      q[c * k + d] = -f(r[d * k + c] * r[c * k + d])
    }
  const p = new Float32Array(k).fill(f(1 / k))
  const qp = new Float32Array(k)
  const near = f(f(0.005) / k)
  for (let step = 0; step < couplingSteps; step++) {
    let pqp = 0
    for (let c = 0; c < k; c++) {
      qp[c] = 0
      for (let d = 0; d < k; d++) qp[c] += f(q[c * k + d] * p[d])
      pqp = f(pqp + f(p[c] * qp[c]))
    }
    if (qp.every(value => Math.abs(f(value - pqp)) < near)) break
    for (let c = 0; c < k; c++) {
      const own = q[c * k + c]
      const move = f(f(pqp - qp[c]) / own)
      const scale = f(1 + move)
      p[c] += move
      pqp = f(f(f(pqp + f(move * f(f(move * own) + f(2 * qp[c])))) / scale) / scale)
      for (let d = 0; d < k; d++) {
        qp[d] = f(f(qp[d] + f(move * q[c * k + d])) / scale)
        p[d] /= scale
      }
    }
  }
  return p
}
