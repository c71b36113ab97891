/** Cases of the kernels that learning methods have for themselves. */
import type { Prng } from '../../../src/base/prng.ts'
import { awkwards, input, type KernelCase, normals, one, sum, type Tolerance } from './case.ts'

/** All terms are positive: the error is relative, and grows with their number and the differences' own rounding. */
const squares: Tolerance = { relative: 4e-6, absolute: 1e-6 }

export function squaredDistanceCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1],
    [4, 8, 3],
    [5, 9, 7],
    [7, 3, 64],
    [33, 32, 20],
    [9, 17, 1],
    [3, 4, 0],
    [0, 5, 5],
  ]
  const cases = sizes.flatMap(([m, n, k]) =>
    [0, 1].map(hasScale => {
      const operands = [input(normals(random, m * k)), input(normals(random, k * n))]
      const scale = hasScale ? input(normals(random, k * n).map(value => 2 * value)) : null
      const name = `${m} x ${n} x ${k}${hasScale ? ' scaled' : ''}`
      return one('squared-distance', name, { m, n, k, hasScale }, [...operands, scale], m * n, squares)
    }),
  )
  const far = (count: number) => normals(random, count).map(value => 1000 + value / 8)
  cases.push(
    one(
      'squared-distance',
      'near each other and far from zero',
      { m: 6, n: 10, k: 12, hasScale: 0 },
      [input(far(72)), input(far(120)), null],
      60,
      squares,
    ),
    one(
      'squared-distance',
      'with NaN and infinities',
      { m: 5, n: 6, k: 4, hasScale: 0 },
      [
        input(awkwards(random, 20).map(value => (Math.abs(value) > 1e30 ? value * 10 : value))),
        input(normals(random, 24)),
        null,
      ],
      30,
      squares,
    ),
  )
  return cases
}

export function segmentSumCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1, 1],
    [2, 5, 3, 4],
    [3, 128, 64, 10],
    [1, 40, 7, 3],
    [2, 6, 8, 20],
    [1, 3, 5, 0],
    [2, 0, 4, 2],
    [0, 4, 4, 2],
  ]
  return sizes.map(([blocks, rows, inner, segments]) => {
    const wrong = [-1, segments, segments + 7, 0.5, Number.POSITIVE_INFINITY, -1e9]
    const labels = Float32Array.from({ length: blocks * rows }, () =>
      random.int(6) ? random.int(Math.max(1, segments)) : random.pick(wrong),
    )
    return one(
      'segment-sum',
      `${blocks} ${rows} ${inner} by ${segments}`,
      { blocks, rows, inner, segments },
      [input(normals(random, blocks * rows * inner)), input(labels)],
      blocks * segments * inner,
      sum(rows),
    )
  })
}
