/** Weights of an ensemble: the likeliest ones, against a search over all of them. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { fitMixtureWeights } from '../../../src/learn/ensemble/mixture-weights.ts'

function truths(quality: readonly number[], rows = 400): Float64Array[] {
  const random = prng(quality.length)
  return quality.map(one =>
    Float64Array.from({ length: rows }, () => Math.min(1, Math.max(0, one * random.next() * 1.3))),
  )
}

const likelihood = (all: readonly Float64Array[], weights: readonly number[]) =>
  all[0].reduce(
    (sum, _, row) => sum + Math.log(all.reduce((mixed, one, m) => mixed + weights[m] * one[row], 1e-12)),
    0,
  ) / all[0].length

test('no other weights are likelier', () => {
  const all = truths([0.9, 0.5, 0.7])
  const { weights, before, after } = fitMixtureWeights(all)
  expect(weights.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1)
  expect(before).toBeCloseTo(likelihood(all, [1 / 3, 1 / 3, 1 / 3]), 6)
  let best = Number.NEGATIVE_INFINITY
  for (let a = 0; a <= 50; a++) {
    for (let b = 0; a + b <= 50; b++) best = Math.max(best, likelihood(all, [a / 50, b / 50, 1 - (a + b) / 50]))
  }
  expect(after).toBeGreaterThanOrEqual(best - 1e-9)
  expect(after).toBeGreaterThan(before)
})

test('a model that is always surer of what is right has all the say, an equal one an equal one', () => {
  const [good, bad] = [new Float64Array(50).fill(0.9), new Float64Array(50).fill(0.2)]
  expect(fitMixtureWeights([good, bad]).weights[0]).toBeGreaterThan(0.999)
  expect(fitMixtureWeights([good, good]).weights).toEqual([0.5, 0.5])
})

test('certainty in what is wrong costs much and breaks nothing', () => {
  const { weights, after } = fitMixtureWeights([Float64Array.of(1, 0, 1), Float64Array.of(0.4, 0.4, 0.4)])
  expect(Number.isFinite(after)).toBe(true)
  expect(weights[1]).toBeGreaterThan(0.1)
})
