/**
 * How much a mixture's round gains, from its sums alone. A log-likelihood that float32 rows sum to wavers by far more than a
 * fine tolerance; the expected complete log-likelihood, Q, is a function of the sums, so that its change from the old to the new
 * parameters is exact in float64.
 *
 * Near a maximum, where a round shortens the way by the rate r, the likelihood gains (1 + r) times what Q does.
 * Source: Dempster, Laird and Rubin, 1977, section 3: the information that is complete, and that which is missing.
 */
import type { Arrays } from '../arrays.ts'
import type { Setting } from '../method.ts'
import type { OptionsOf } from '../options.ts'
import { precisionFactor } from './gmm-density.ts'

type Mixture = Setting<OptionsOf<'gmm'>>

/** weights, means and covariances, as in the method's parameters. */
export interface Densities {
  weights: Float64Array
  means: Float64Array
  covariances: Float64Array
}

/**
 * Q a row, less a constant.
 * @param sums counts, sums and products of a round, those of `full` of differences from float32 `origins` [k, d]
 */
export function expectedLikelihood(
  setting: Mixture,
  densities: Densities,
  sums: Arrays,
  origins: Float64Array,
): number {
  const { options, summary } = setting
  const { k, covariance } = options
  const d = summary.features
  let value = 0
  for (let c = 0; c < k; c++) if (sums.counts[c] > 0) value += sums.counts[c] * Math.log(densities.weights[c])
  if (covariance === 'full') {
    for (let c = 0; c < k; c++) value += fullTerm(densities, sums, origins, c, d)
  } else if (covariance === 'tied') {
    value += tiedTerm(densities, sums, k, d)
  } else {
    for (let c = 0; c < k; c++) {
      for (let i = 0; i < d; i++) {
        const at = c * d + i
        const mean = densities.means[at]
        const variance = covariance === 'diag' ? densities.covariances[at] : densities.covariances[c]
        const scatter = sums.products[at] - 2 * mean * sums.sums[at] + sums.counts[c] * mean * mean
        value -= (sums.counts[c] * Math.log(variance) + scatter / variance) / 2
      }
    }
  }
  return value / summary.rows
}

/** One component's: counts * ln|P| - tr(Pᵀ scatter P) / 2, P the factor of the precision. */
function fullTerm(
  { means, covariances }: Densities,
  sums: Arrays,
  origins: Float64Array,
  c: number,
  d: number,
): number {
  const { factor, logDeterminant } = precisionFactor(covariances.subarray(c * d * d, (c + 1) * d * d), d)
  const count = sums.counts[c]
  const off = Float64Array.from({ length: d }, (_, i) => means[c * d + i] - Math.fround(origins[c * d + i]))
  const sum = sums.sums.subarray(c * d, (c + 1) * d)
  const scatter = sums.products.subarray(c * d * d, (c + 1) * d * d).map((product, at) => {
    const [i, j] = [Math.floor(at / d), at % d]
    return product - sum[i] * off[j] - off[i] * sum[j] + count * off[i] * off[j]
  })
  return count * logDeterminant - traceOf(factor, scatter, d) / 2
}

function tiedTerm({ means, covariances }: Densities, sums: Arrays, k: number, d: number): number {
  const { factor, logDeterminant } = precisionFactor(covariances, d)
  const scatter = sums.products.slice()
  let total = 0
  for (let c = 0; c < k; c++) {
    total += sums.counts[c]
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) {
        const [mi, mj] = [means[c * d + i], means[c * d + j]]
        scatter[i * d + j] += sums.counts[c] * mi * mj - mi * sums.sums[c * d + j] - sums.sums[c * d + i] * mj
      }
  }
  return total * logDeterminant - traceOf(factor, scatter, d) / 2
}

/** tr(Pᵀ scatter P) */
function traceOf(factor: Float64Array, scatter: Float64Array, d: number): number {
  let trace = 0
  const column = new Float64Array(d)
  for (let j = 0; j < d; j++) {
    for (let i = 0; i < d; i++) column[i] = factor[i * d + j]
    for (let i = 0; i < d; i++) {
      if (column[i] === 0) continue
      let dot = 0
      for (let l = 0; l < d; l++) dot += scatter[i * d + l] * column[l]
      trace += column[i] * dot
    }
  }
  return trace
}
