/** Cases of the kernels that work along one axis of [outer, axis, inner], and of the product of two run-time matrices. */
import type { Prng } from '../../../src/base/prng.ts'
import type { KernelParams } from '../../../src/compute/kernels/index.ts'
import { type ReduceOp, reduceOps } from '../../../src/compute/kernels/reduce.ts'
import { topKParts } from '../../../src/compute/kernels/top-k.ts'
import { awkwards, exact, input, type KernelCase, normals, one, sum, type Tolerance, weight, wholes } from './case.ts'

/** outer, axis, inner */
const lines: [number, number, number][] = [
  [1, 1, 1],
  [3, 10, 1],
  [4, 7, 5],
  [2, 9, 4],
  [2, 301, 1],
  [5, 2, 9],
  [0, 3, 1],
  [2, 0, 3],
  [1, 16, 33],
  [64, 11, 1],
  [64, 8, 1],
  [7, 32, 1],
]

const selecting: readonly ReduceOp[] = ['max', 'min', 'argMax', 'argMin']

function reduceTolerance(op: ReduceOp, axis: number): Tolerance {
  if (selecting.includes(op)) return exact
  if (op === 'prod') return { relative: 2e-6 * (1 + axis), absolute: 1e-30 }
  return op === 'logSum' || op === 'logSumExp' ? { relative: 1e-5, absolute: 4e-6 } : sum(axis)
}

/** Magnitudes where a sum of both signs could fall near 0, whose logarithm has no digits. */
function reduceData(random: Prng, op: ReduceOp, count: number): Float32Array {
  if (op === 'logSum') return normals(random, count).map(value => Math.abs(value) + 0.1)
  if (op === 'prod') return normals(random, count).map(value => Math.sign(value) * (0.9 + Math.abs(value) / 10))
  if (op === 'argMax' || op === 'argMin') return wholes(random, count, -3, 4)
  return normals(random, count).map(value => value * 3)
}

export function reduceCases(random: Prng): KernelCase[] {
  const ops = Object.keys(reduceOps).map(label => label as ReduceOp) // its keys, which Object.keys widens
  return ops.flatMap(op =>
    lines.flatMap(([outer, axis, inner], i) =>
      (op.startsWith('arg') ? [0, 1] : [0]).map(selectLast => {
        const x = reduceData(random, op, outer * axis * inner)
        if (axis === 10) x.set([Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY], 3)
        if (axis === 7) for (let c = 0; c < axis; c++) x.fill(Number.NEGATIVE_INFINITY, c * inner + 1, c * inner + 3)
        if (axis === 9) x.fill(Number.NaN, 0, inner)
        // Numbers and what is none in every order; the last line holds no number at all.
        if ((axis === 11 || axis === 8) && selecting.includes(op)) {
          const rare = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1, -0, 0]
          for (let c = 0; c < x.length; c++) x[c] = c < x.length - axis ? random.pick(rare) : Number.NaN
        }
        return one(
          'reduce',
          `${op} ${outer} ${axis} ${inner}${selectLast ? ' last' : ''}`,
          { outer, axis, inner, op: reduceOps[op], selectLast },
          [input(x)],
          outer * inner,
          i === 1 && op === 'prod' ? { relative: 1e-4, absolute: 1e-30 } : reduceTolerance(op, axis),
        )
      }),
    ),
  )
}

export function normalizeCases(random: Prng): KernelCase[] {
  return [
    [1, 1],
    [3, 4],
    [2, 7],
    [5, 64],
    [4, 193],
    [0, 8],
    [2, 768],
  ].flatMap(([outer, inner], i) =>
    [0, 1].map(more => {
      const hasScale = (i + more) % 2
      const hasBias = more
      const x = normals(random, outer * inner).map(value => value * 2 + 5)
      if (inner === 7) x[3] = Number.NaN
      if (inner === 4) x.fill(2.5, 0, 4)
      return one(
        'normalize',
        `${outer} ${inner}${hasScale ? ' scale' : ''}${hasBias ? ' bias' : ''}`,
        { outer, inner, epsilon: 1e-5, hasScale, hasBias },
        [input(x), hasScale ? weight(normals(random, inner)) : null, hasBias ? weight(normals(random, inner)) : null],
        outer * inner,
        { relative: 1e-5, absolute: 1e-5 },
      )
    }),
  )
}

export function lrnCases(random: Prng): KernelCase[] {
  return [
    [1, 1, 1, 1],
    [2, 5, 7, 3],
    [1, 6, 4, 4],
    [2, 3, 9, 5],
    [1, 2, 5, 8],
    [0, 3, 2, 2],
  ].flatMap(([outer, channels, inner, size]) =>
    [0.75, 0.6].map(beta =>
      one(
        'lrn',
        `${outer} ${channels} ${inner} size ${size} beta ${beta}`,
        { outer, channels, inner, size, alpha: 0.2, beta, bias: 1.5 },
        [input(normals(random, outer * channels * inner).map(value => value * 3))],
        outer * channels * inner,
        { relative: 1e-5, absolute: 1e-6 },
      ),
    ),
  )
}

export function cumsumCases(random: Prng): KernelCase[] {
  return lines.flatMap(([outer, axis, inner], i) =>
    [0, 1, 2, 3].map(flags => {
      const x = normals(random, outer * axis * inner)
      if (i === 1) x[7] = Number.NaN
      const params = { outer, axis, inner, exclusive: flags & 1, reverse: flags >> 1 }
      const name = `${outer} ${axis} ${inner}${flags & 1 ? ' exclusive' : ''}${flags & 2 ? ' reverse' : ''}`
      return one('cumsum', name, params, [input(x)], x.length, sum(axis))
    }),
  )
}

export function topKCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1, 1],
    [3, 10, 1, 3],
    [2, 7, 5, 7],
    [1, 5, 4, 0],
    [0, 3, 1, 2],
    [2, 100, 1, 5],
    [1, 130, 2, 130],
    [1, 64, 1, 30],
  ]
  return sizes.flatMap(([outer, axis, inner, k], i) =>
    [0, 1, 2, 3].map(flags => {
      const count = outer * axis * inner
      // Whole numbers bring ties.
      const x = i % 2 ? awkwards(random, count) : wholes(random, count, -9, 9)
      const [largest, part] = [flags & 1, flags & 2 ? topKParts.indices : topKParts.values]
      const name = `${outer} ${axis} ${inner} k ${k}${largest ? ' largest' : ''}${part ? ' indices' : ''}`
      return one('top-k', name, { outer, axis, inner, k, largest, part }, [input(x)], outer * k * inner, 'bits')
    }),
  )
}

/** batch0, batch1, m, n, k */
const products: [number, number, number, number, number][] = [
  [1, 1, 1, 1, 1],
  [1, 1, 6, 8, 4],
  [2, 3, 7, 9, 5],
  [1, 2, 25, 17, 33],
  [3, 1, 1, 40, 16],
  [1, 1, 31, 8, 70],
  [1, 1, 4, 5, 0],
  [2, 1, 0, 3, 3],
  [1, 4, 13, 1, 12],
]

export function matmulCases(random: Prng): KernelCase[] {
  return products.flatMap(([batch0, batch1, m, n, k], i) =>
    [0, 1, 2, 3].map(layout => {
      const [transposeA, transposeB] = [layout & 1, layout >> 1]
      // One of the operands repeats along one of the batch's axes.
      const repeatsA = i % 3 === 1
      const repeatsB = i % 3 === 2
      const params: KernelParams['matmul'] = {
        ...{ batch0, batch1, m, n, k },
        strideA0: repeatsA ? 0 : batch1 * m * k,
        strideA1: m * k,
        strideAM: transposeA ? 1 : k,
        strideAK: transposeA ? m : 1,
        strideB0: (repeatsB ? 1 : batch1) * k * n,
        strideB1: repeatsB ? 0 : k * n,
        strideBK: transposeB ? 1 : n,
        strideBN: transposeB ? k : 1,
      }
      const a = normals(random, batch0 * batch1 * m * k)
      if (i === 2) a[a.length >> 1] = Number.NaN
      const b = normals(random, batch0 * batch1 * k * n)
      const name = `${batch0} ${batch1} x ${m} ${n} ${k}${transposeA ? ' aT' : ''}${transposeB ? ' bT' : ''}`
      return one('matmul', name, params, [input(a), input(b)], batch0 * batch1 * m * n, sum(k))
    }),
  )
}
