/**
 * A mixture of normal densities by expectation and maximisation.
 *
 * Each round: every row's responsibilities under the parameters, then the parameters that are best for these. A shard's
 * partial: sums of responsibilities, of rows and of products weighed by them, and the log-likelihood.
 * Numerics: the quadratic form centred, in float32 (squared-distance.ts, or (x - mean) times a factor of the precision);
 * responsibilities by softmax, whose maximum is taken off first; products of rows centred too (`full`: at the component's
 * mean, else at the table's) and, of `full` and `tied`, turned by the precision's factor. Factorisations on the host in float64.
 * Source: Dempster, Laird and Rubin, 1977; regularised as scikit-learn's GaussianMixture, to whose results it is held.
 */
import type { TableShard } from '../../data/tables/types.ts'
import { type Arrays, addArrays } from '../arrays.ts'
import { addBlocks, addInnerBlocks, chunkLength, type Engine, eachChunk } from '../device/engine.ts'
import { type Method, programKey, type Setting, type Update } from '../method.ts'
import { badOption, type OptionsOf } from '../options.ts'
import { toMethod, transformInputs } from '../transform.ts'
import { densityInputs, densityProgram, plainSums, withSpread } from './gmm-density.ts'
import { type Densities, expectedLikelihood } from './gmm-gain.ts'
import { kmeans, phases } from './kmeans.ts'

export type Mixture = Setting<OptionsOf<'gmm'>>

/** Lloyd's rounds before the first of the mixture's own. */
const lloydRoundsMax = 20
/** Gains fall from round to round, until they are what float32 rounds a round's sums by: after so many without a fall. */
const staleMax = 15
/** Rounds in a row that may mend covariances. */
const rescuedMax = 3
/** A log-likelihood's change below this share of it is what float32 rounds by. */
const likelihoodNoise = 1e-6
/** The arrays of the k-means that finds the first means. */
const prefix = 'init.'

export const gmm: Method<OptionsOf<'gmm'>> = {
  objective: { name: 'mean log-likelihood', falls: false },
  parameterLayout: setting => ({
    weights: setting.options.k,
    means: setting.options.k * setting.summary.features,
    covariances: covarianceLength(setting),
    likelihood: 1,
    /** What the last round gained, see gmm-gain.ts. */
    gain: 1,
    /** The least gain so far, and the rounds since. */
    least: 1,
    stale: 1,
    /** Rounds in a row whose covariances were no covariances, for float32's rounding. */
    rescued: 1,
    /** Rounds of k-means left to do, at most; 0: the mixture's own rounds. */
    starting: 1,
    ...(setting.options.init === 'kmeans' && prefixed(kmeans.parameterLayout(clustering(setting)))),
  }),
  partialLayout(setting, parameters) {
    const { k, init } = setting.options
    const own = { counts: k, sums: k * setting.summary.features, products: productLength(setting), likelihood: 1 }
    const clusters = () => prefixed(kmeans.partialLayout(clustering(setting), parameters && unprefixed(parameters)))
    if (!parameters) return init === 'kmeans' ? { ...own, ...clusters() } : own
    return isStarting(setting, parameters) ? clusters() : own
  },
  start,
  async partial(setting, engine, parameters, shard, round) {
    if (!isStarting(setting, parameters)) return expectation(setting, engine, parameters, shard)
    return prefixed(await kmeans.partial(clustering(setting), engine, unprefixed(parameters), shard, round))
  },
  merge(a, b) {
    if (a.likelihood || !kmeans.merge) return addArrays(a, b)
    return prefixed(kmeans.merge(unprefixed(a), unprefixed(b)))
  },
  update(setting, parameters, merged, round) {
    return isStarting(setting, parameters)
      ? cluster(setting, parameters, merged, round)
      : maximisation(setting, parameters, merged)
  },
  model: ({ options }, { weights, means, covariances }) => ({
    kind: 'gmm',
    k: options.k,
    covariance: options.covariance,
    weights,
    means,
    covariances,
  }),
}

/** Whether the rounds are k-means' own still. */
const isStarting = ({ options }: Mixture, { starting }: Arrays) => options.init === 'kmeans' && starting[0] > 0

function covarianceLength({ options, summary }: Mixture): number {
  const d = summary.features
  return { full: options.k * d * d, tied: d * d, diag: options.k * d, spherical: options.k }[options.covariance]
}

/** Sums of products: by component, together, or of each feature with itself. */
export function productLength({ options, summary }: Mixture): number {
  const d = summary.features
  const { covariance, k } = options
  return covariance === 'full' ? k * d * d : covariance === 'tied' ? d * d : k * d
}

function clustering({ options, summary, transform }: Mixture): Setting<OptionsOf<'kmeans'>> {
  const { k, divide, standardise, seed, missing } = options
  const init = 'k-means||' as const
  const inner = {
    method: 'kmeans',
    k,
    divide,
    standardise,
    seed,
    missing,
    init,
    tolerance: 1e-4,
    roundsMax: 300,
  } as const
  return { options: inner, summary, transform }
}

function prefixed<T>(named: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [prefix + name, value]))
}

function unprefixed(named: Arrays): Arrays {
  const own = Object.entries(named).filter(([name]) => name.startsWith(prefix))
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]))
}

function start(setting: Mixture): Arrays {
  const { options, summary, transform } = setting
  const { k, covariance, init } = options
  const d = summary.features
  if (k > summary.rows) throw badOption('k', `is ${k}, more than the ${summary.rows} rows there are`)
  const means = new Float64Array(k * d)
  if (init !== 'kmeans') {
    if (init.length !== k || init.some(row => row.length !== d)) {
      throw badOption('init', `must be ${k} means of ${d} features`)
    }
    init.forEach((row, i) => {
      means.set(toMethod(transform, row), i * d)
    })
  }
  return {
    weights: new Float64Array(k).fill(1 / k),
    means,
    covariances: sphericalCovariances(covariance, k, d, 1),
    likelihood: Float64Array.of(Number.NEGATIVE_INFINITY),
    gain: Float64Array.of(Number.POSITIVE_INFINITY),
    least: Float64Array.of(Number.POSITIVE_INFINITY),
    stale: new Float64Array(1),
    rescued: new Float64Array(1),
    starting: Float64Array.of(init === 'kmeans' ? lloydRoundsMax : 0),
    ...(init === 'kmeans' && prefixed(kmeans.start(clustering(setting)))),
  }
}

/** Every covariance `variance` times the identity. */
function sphericalCovariances(kind: OptionsOf<'gmm'>['covariance'], k: number, d: number, variance: number) {
  if (kind === 'spherical') return new Float64Array(k).fill(variance)
  if (kind === 'diag') return new Float64Array(k * d).fill(variance)
  const matrices = new Float64Array((kind === 'full' ? k : 1) * d * d)
  for (let at = 0; at < matrices.length; at += d * d) {
    for (let i = 0; i < d; i++) matrices[at + i * (d + 1)] = variance
  }
  return matrices
}

function emptySums(setting: Mixture): Arrays {
  const { options, summary } = setting
  return {
    counts: new Float64Array(options.k),
    sums: new Float64Array(options.k * summary.features),
    products: new Float64Array(productLength(setting)),
    likelihood: new Float64Array(1),
  }
}

async function expectation(setting: Mixture, engine: Engine, parameters: Arrays, shard: TableShard): Promise<Arrays> {
  const { options, summary, transform } = setting
  const { k, covariance } = options
  const d = summary.features
  const sums = emptySums(setting)
  const full = covariance === 'full'
  // Of `full`: each row less each mean, that times a factor, and that weighed.
  const length = chunkLength(engine, shard.rows, full ? 3 * k * d + 4 * k : 3 * d + 4 * k)
  const inputs = { ...transformInputs(transform), ...densityInputs(setting, parameters) }
  const key = programKey(setting, covariance, k, length)
  await eachChunk(
    { x: shard.x, rows: shard.rows, features: d },
    length,
    ({ x, mask }) => engine.run(key, () => densityProgram(setting, length), { ...inputs, x, mask }),
    (chunk, outputs) => {
      let likelihood = 0
      // The logarithm of a sum of exponentials: the largest, less the logarithm of its share.
      for (let r = 0; r < chunk.rows; r++) likelihood += outputs.best[r] - Math.log(outputs.share[r])
      sums.likelihood[0] += likelihood
      if (full) {
        addInnerBlocks(sums.counts, outputs.counts, k, 1)
        addInnerBlocks(sums.sums, outputs.sums, k, d)
        addInnerBlocks(sums.products, outputs.products, k, d * d)
      } else {
        addBlocks(sums.counts, outputs.counts)
        addBlocks(sums.sums, outputs.sums)
        addBlocks(sums.products, outputs.products)
      }
    },
  )
  return sums
}

/** One round of k-means; the last one makes the first parameters. */
function cluster(setting: Mixture, parameters: Arrays, merged: Arrays, round: number): Update {
  const { options, summary } = setting
  const nested = clustering(setting)
  const { arrays, objective } = kmeans.update(nested, unprefixed(parameters), unprefixed(merged), round)
  // Drawing candidates does not count; their rounds have no objective yet. A mixture needs no exact inertia.
  const left = arrays.phase[0] >= phases.measure ? 0 : parameters.starting[0] - (Number.isFinite(objective) ? 1 : 0)
  const next = { ...parameters, ...prefixed(arrays), starting: Float64Array.of(left) }
  if (left > 0) return { arrays: next, objective: Number.NaN, done: false }
  const d = summary.features
  const means = arrays.centers.slice(0, options.k * d)
  const variance = arrays.inertia[0] / (summary.rows * d) + options.regCovar
  const covariances = sphericalCovariances(options.covariance, options.k, d, variance)
  return { arrays: { ...next, means, covariances }, objective: Number.NaN, done: false }
}

function maximisation(setting: Mixture, parameters: Arrays, turned: Arrays): Update {
  const { options, summary } = setting
  const merged = plainSums(setting, parameters, turned)
  const likelihood = merged.likelihood[0] / summary.rows
  // So that a component that nothing belongs to divides by something.
  const counts = merged.counts.map(count => count + 10 * Number.EPSILON)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const weights = counts.map(count => count / total)
  const { means, covariances, rescued } = spreadOut(setting, parameters, moments(setting, parameters, merged, counts))
  const change = Math.abs(likelihood - parameters.likelihood[0])
  const expected = (densities: Densities) => expectedLikelihood(setting, densities, merged, parameters.means)
  const gain = Math.abs(
    expected({ weights, means, covariances }) -
      expected({ weights: parameters.weights, means: parameters.means, covariances: parameters.covariances }),
  )
  // A round shortens the way by r, and so the gain by r squared.
  const rate = Math.min(1, Math.sqrt(gain / Math.max(parameters.gain[0], Number.MIN_VALUE)))
  const falls = gain < parameters.least[0]
  const stale = falls ? 0 : parameters.stale[0] + 1
  const changeMax = Math.max(options.tolerance, likelihoodNoise * Math.max(1, Math.abs(likelihood)))
  return {
    arrays: {
      ...{ ...parameters, weights, means, covariances },
      ...{ likelihood: Float64Array.of(likelihood), gain: Float64Array.of(gain) },
      ...{ least: Float64Array.of(Math.min(gain, parameters.least[0])), stale: Float64Array.of(stale) },
      rescued: Float64Array.of(rescued),
    },
    objective: likelihood,
    done: rescued === 0 && change < changeMax && (gain * (1 + rate) < options.tolerance || stale >= staleMax),
  }
}

/**
 * A first round's sums are not turned yet, so that rounding may leave a narrow direction less than nothing: such covariances get a
 * little spread, and the next round measures in their space. Those that stay without any collapse where they are factored.
 */
function spreadOut(
  { options, summary }: Mixture,
  parameters: Arrays,
  found: { means: Float64Array; covariances: Float64Array },
) {
  const { covariance, k } = options
  if (covariance !== 'full' && covariance !== 'tied') return { ...found, rescued: 0 }
  const size = summary.features ** 2
  const covariances = found.covariances.slice()
  let flat = false
  for (let c = 0; c < (covariance === 'full' ? k : 1); c++) {
    const matrix = covariances.subarray(c * size, (c + 1) * size)
    if (withSpread(matrix, summary.features)) flat = true
  }
  if (!flat) return { ...found, rescued: 0 }
  const rescued = parameters.rescued[0] + 1
  return rescued > rescuedMax ? { ...found, rescued } : { means: found.means, covariances, rescued }
}

function moments(setting: Mixture, parameters: Arrays, merged: Arrays, counts: Float64Array) {
  const { options, summary } = setting
  const { k, covariance, regCovar } = options
  const d = summary.features
  const means = merged.sums.map((sum, at) => sum / counts[Math.floor(at / d)])
  const products = merged.products
  if (covariance === 'full') {
    // Sums and products are of differences from the float32 means that the device had.
    const covariances = products.map((product, at) => {
      const [c, i, j] = [Math.floor(at / (d * d)), Math.floor(at / d) % d, at % d]
      return product / counts[c] - means[c * d + i] * means[c * d + j] + (i === j ? regCovar : 0)
    })
    return { means: means.map((off, at) => Math.fround(parameters.means[at]) + off), covariances }
  }
  if (covariance === 'tied') {
    const total = counts.reduce((sum, count) => sum + count, 0)
    const covariances = products.map((product, at) => {
      const [i, j] = [Math.floor(at / d), at % d]
      let between = 0
      for (let c = 0; c < k; c++) between += counts[c] * means[c * d + i] * means[c * d + j]
      return (product - between) / total + (i === j ? regCovar : 0)
    })
    return { means, covariances }
  }
  const variances = products.map((product, at) => {
    const spread = product / counts[Math.floor(at / d)] - means[at] ** 2
    return Math.max(0, spread) + regCovar
  })
  if (covariance === 'diag') return { means, covariances: variances }
  const covariances = Float64Array.from({ length: k }, (_, c) => {
    let sum = 0
    for (let i = 0; i < d; i++) sum += variances[c * d + i]
    return sum / d
  })
  return { means, covariances }
}
