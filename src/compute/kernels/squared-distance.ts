/**
 * squared-distance: from each row to each center, each difference weighed.
 *
 * y[i,j] = sum over l of ((a[i,l] - b[l,j]) * scale[l,j])^2
 * Shapes: a [m, k], b [k, n] (a center is a column), scale [k, n], y [m, n]; hasScale 0: scale is absent and all ones.
 * Numerics: centred, never expanded into squares and products, so that a small distance between large numbers keeps its
 *           bits; one sum in the order of l from 0.
 * Source: the quadratic form of a normal density with independent features; Lloyd's distances.
 */
import { defineKernel } from './contract.ts'

export const squaredDistance = defineKernel({
  fields: { m: 'u32', n: 'u32', k: 'u32', hasScale: 'u32' },
  operands: ['a', 'b', 'scale?'],
  reference(p, [a, b, scale], y) {
    let at = 0
    for (let i = 0; i < p.m; i++) {
      for (let j = 0; j < p.n; j++, at++) {
        let sum = 0
        for (let l = 0; l < p.k; l++) {
          const term = (a[i * p.k + l] - b[l * p.n + j]) * (p.hasScale ? scale[l * p.n + j] : 1)
          sum += term * term
        }
        y[at] = sum
      }
    }
  },
  cost(p) {
    return {
      flops: (p.hasScale ? 4 : 3) * p.m * p.n * p.k,
      bytes: 4 * (p.m * (p.k + p.n) + (p.hasScale ? 2 : 1) * p.k * p.n),
    }
  },
})
