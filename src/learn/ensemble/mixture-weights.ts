/**
 * Weights of an ensemble that a weighted mean merges: those under which the true labels of some images are the likeliest.
 *
 * The weighted mean of the models' probabilities is a mixture whose components are known; its weights by expectation
 * maximisation, which raises the likelihood in every round, and has one maximum.
 * Source: Dempster, Laird and Rubin, 1977; a linear opinion pool (Stone, 1961) fitted by likelihood.
 */
import { assert } from '../../base/errors.ts'

export interface MixtureWeights {
  /** One a model, not negative, of sum 1. */
  weights: number[]
  /** Mean log-likelihood of the labels, before (equal weights) and after. */
  before: number
  after: number
  rounds: number
}

/** Less than this gained in a round, and it is the maximum. */
const tolerance = 1e-9
const roundsMax = 10_000
/** A model that is certain and wrong would otherwise make a row impossible. */
const least = 1e-12

/** @param truths for each model the probability that it gives to each row's true label: [models][rows] */
export function fitMixtureWeights(truths: readonly Float64Array[]): MixtureWeights {
  const models = truths.length
  const rows = truths[0]?.length ?? 0
  assert(rows > 0 && truths.every(one => one.length === rows), 'every model has every row')
  let weights = new Array<number>(models).fill(1 / models)
  let before = Number.NaN
  for (let round = 0; ; round++) {
    const shares = new Float64Array(models)
    let likelihood = 0
    for (let row = 0; row < rows; row++) {
      let mixed = 0
      for (let m = 0; m < models; m++) mixed += weights[m] * Math.max(truths[m][row], least)
      likelihood += Math.log(mixed)
      for (let m = 0; m < models; m++) shares[m] += (weights[m] * Math.max(truths[m][row], least)) / mixed
    }
    likelihood /= rows
    if (round === 0) before = likelihood
    const next = [...shares].map(share => share / rows)
    const moved = Math.max(...next.map((weight, m) => Math.abs(weight - weights[m])))
    if (moved < tolerance || round === roundsMax) return { weights, before, after: likelihood, rounds: round }
    weights = next
  }
}
