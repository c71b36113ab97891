/** Cases of pairwise coupling: probabilities of pairs at random, certain ones, those that contradict each other, and NaN. */
import type { Prng } from '../../../src/base/prng.ts'
import { input, type KernelCase, one, type Tolerance } from './case.ts'

/** Roundings of some dozens of steps. Where the last bit turned the comparison that ends them it would be 1e-3; that is rare. */
const steps: Tolerance = { relative: 0, absolute: 2e-5 }

export function pairwiseCouplingCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 2],
    [5, 3],
    [70, 4],
    [3, 10],
    [0, 3],
  ]
  return sizes.map(([rows, classes]) => {
    const pairs = (classes * (classes - 1)) / 2
    const certain = [1e-7, 1 - 1e-7, 0.5]
    const x = Float32Array.from({ length: rows * pairs }, () => (random.int(5) ? random.next() : random.pick(certain)))
    if (rows > 2) x[pairs] = Number.NaN
    return one('pairwise-coupling', `${rows} of ${classes}`, { rows, classes }, [input(x)], rows * classes, steps)
  })
}
