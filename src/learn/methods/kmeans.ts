/**
 * k-means: centers that the rows' squared distances to the nearest of them are least for.
 *
 * Phases, kept in the parameters: k-means|| draws candidates in a few rounds, one more counts the rows nearest to each, and a
 * weighted k-means++ with Lloyd's rounds on the host makes the centers of them; then Lloyd's rounds over the rows. A center
 * that no row is nearest to goes, in a round of its own, to the row farthest from all centers. A last round measures the inertia
 * of the centers that the model has: Lloyd's rounds know that of the centers before their step.
 * Numerics: rows are centred at the table's mean where that is far away (transform.ts); the nearest center by products in float32,
 * sums as engine.ts has them, the inertia of Lloyd's rounds in float64 out of sums, the last one's of centred distances. Of equal distances the first center's counts.
 * Source: Lloyd 1982; Bahmani, Moseley, Vattani, Kumar and Vassilvitskii, "Scalable k-means++", 2012.
 */

import { PeerError } from '../../base/errors.ts'
import type { TableShard } from '../../data/tables/types.ts'
import { type Arrays, addValues } from '../arrays.ts'
import { addBlocks, chunkLength, type Engine, eachChunk } from '../device/engine.ts'
import { pairwise, productStep, reduceStep, segmentSums } from '../device/ops.ts'
import { buildProgram } from '../device/program.ts'
import { type Method, programKey, type Setting, type Update } from '../method.ts'
import { badOption, type OptionsOf } from '../options.ts'
import { createDraw, emptyReservoir, mergeReservoirs, reservoirLayout, rowRandom } from '../reservoir.ts'
import { toMethod, totalSquares, transformInputs, transformSteps } from '../transform.ts'
import { clusterCandidates } from './kmeans-candidates.ts'

type KMeans = Setting<OptionsOf<'kmeans'>>

/** Rounds of k-means|| that draw 2k rows each; five are enough in the paper's experiments. */
const drawRounds = 5

/** Phases 0..drawRounds draw. */
export const phases = {
  weigh: drawRounds + 1,
  lloyd: drawRounds + 2,
  reseed: drawRounds + 3,
  measure: drawRounds + 4,
  /** The same where the rounds ended before the centers came to rest. */
  measureCut: drawRounds + 5,
}
const measures = ({ phase }: Arrays) => phase[0] >= phases.measure

const slotsOf = ({ options }: KMeans) => 2 * options.k
/** The most centers that parameters hold. */
const centersMax = ({ options }: KMeans) =>
  options.init === 'k-means||' ? Math.max(options.k, 1 + drawRounds * 2 * options.k) : options.k

export const kmeans: Method<OptionsOf<'kmeans'>> = {
  objective: { name: 'inertia', falls: true },
  endsItself: true,
  parameterLayout: setting => ({
    phase: 1,
    count: 1,
    inertia: 1,
    centers: centersMax(setting) * setting.summary.features,
    /** Rows of each center in the last Lloyd round: 0 marks those to be sent elsewhere. */
    sizes: setting.options.k,
  }),
  partialLayout(setting, parameters) {
    const { k } = setting.options
    const reservoir = reservoirLayout(slotsOf(setting), setting.summary.features)
    const sums = k * setting.summary.features
    if (!parameters) return { ...reservoir, counts: centersMax(setting), sums }
    if (measures(parameters)) return { inertia: 1 }
    const phase = parameters.phase[0]
    if (phase === phases.lloyd) return { counts: k, sums }
    return phase === phases.weigh ? { counts: centersMax(setting) } : reservoir
  },
  start,
  partial(setting, engine, parameters, shard, round) {
    if (parameters.phase[0] === phases.lloyd || parameters.phase[0] === phases.weigh) {
      return assign(setting, engine, parameters, shard)
    }
    if (measures(parameters)) return measure(setting, engine, parameters, shard)
    return draw(setting, engine, parameters, shard, round)
  },
  merge(a, b) {
    return {
      ...(a.keys && mergeReservoirs(a, b)),
      ...(a.counts && { counts: addValues(a.counts, b.counts) }),
      ...(a.sums && { sums: addValues(a.sums, b.sums) }),
      ...(a.inertia && { inertia: addValues(a.inertia, b.inertia) }),
    }
  },
  update(setting, parameters, merged, round) {
    const phase = parameters.phase[0]
    if (phase === phases.lloyd) return lloyd(setting, parameters, merged, round)
    if (measures(parameters)) {
      const { inertia } = merged
      return {
        arrays: { ...parameters, inertia },
        objective: inertia[0],
        done: true,
        converged: phase === phases.measure,
      }
    }
    if (phase === phases.reseed) return reseed(setting, parameters, merged)
    if (phase === phases.weigh) return choose(setting, parameters, merged)
    return collect(setting, parameters, merged)
  },
  model: ({ options, summary }, { centers }) => ({
    kind: 'kmeans',
    k: options.k,
    centers: centers.slice(0, options.k * summary.features),
  }),
}

function start(setting: KMeans): Arrays {
  const { options, summary, transform } = setting
  if (options.k > summary.rows) throw badOption('k', `is ${options.k}, more than the ${summary.rows} rows there are`)
  const centers = new Float64Array(centersMax(setting) * summary.features)
  const given = options.init !== 'k-means||'
  if (options.init !== 'k-means||') {
    const rows = options.init
    if (rows.length !== options.k || rows.some(row => row.length !== summary.features)) {
      throw badOption('init', `must be ${options.k} centers of ${summary.features} features`)
    }
    rows.forEach((row, i) => {
      centers.set(toMethod(transform, row), i * summary.features)
    })
  }
  return {
    phase: Float64Array.of(given ? phases.lloyd : 0),
    count: Float64Array.of(given ? options.k : 0),
    inertia: Float64Array.of(Number.NaN),
    centers,
    sizes: new Float64Array(options.k),
  }
}

/**
 * The nearest center of each row: argmax of x·c - |c|²/2. Ports: labels [length], and where `sum` asks for it, the sums of each
 * center's rows by group of rows, [groups, count, d]; `outside` [length] is far below 0 where a row is not real, else 0.
 */
function nearestProgram(setting: KMeans, length: number, count: number, sum: boolean) {
  const { transform, summary } = setting
  const d = summary.features
  const b = buildProgram()
  const x = transformSteps(b, transform, length, d)
  const centers = b.input('centers', count * d)
  const bias = b.input('bias', count)
  const scores = productStep(b, x, centers, bias, { m: length, n: count, k: d, transposed: true })
  const labels = reduceStep(b, 'argMax', scores, length, count, 1)
  b.output('labels', labels)
  if (sum) {
    const real = pairwise(b, 'add', labels, b.input('outside', length), length)
    b.output('sums', segmentSums(b, x, real, { rows: length, inner: d, segments: count }))
  }
  return b.finish()
}

/** A label plus this is none. */
const outsideLabel = -1_000_000

async function assign(setting: KMeans, engine: Engine, parameters: Arrays, shard: TableShard): Promise<Arrays> {
  const { options, summary, transform } = setting
  const d = summary.features
  const count = parameters.count[0]
  const lloyds = parameters.phase[0] === phases.lloyd
  const centers = Float32Array.from(parameters.centers.subarray(0, count * d))
  const bias = new Float32Array(count)
  for (let c = 0; c < count; c++) {
    let square = 0
    for (let i = 0; i < d; i++) square += centers[c * d + i] ** 2
    bias[c] = -square / 2
  }
  // Integers, because this loop is the host's one for every row.
  const tally = new Int32Array(lloyds ? options.k : centersMax(setting))
  const sums = new Float64Array(options.k * d)
  const length = chunkLength(engine, shard.rows, 2 * d + count)
  const inside = new Float32Array(length)
  const key = programKey(setting, 'nearest', length, count, lloyds ? 'sums' : '')
  const inputs = { ...transformInputs(transform), centers, bias }
  await eachChunk(
    { x: shard.x, rows: shard.rows, features: d },
    length,
    ({ x, mask, rows }) =>
      engine.run(key, () => nearestProgram(setting, length, count, lloyds), {
        ...{ ...inputs, x },
        ...(lloyds && { outside: rows === length ? inside : mask.map(real => (real === 1 ? 0 : outsideLabel)) }),
      }),
    (chunk, { labels, sums: groups }) => {
      for (let r = 0; r < chunk.rows; r++) tally[labels[r] | 0]++
      if (lloyds) addBlocks(sums, groups)
    },
  )
  const counts = Float64Array.from(tally)
  return lloyds ? { counts, sums } : { counts }
}

/** The squared distance to the nearest center, centred; ports: distance [length] and, transformed, rows [length, d]. */
function distanceProgram(setting: KMeans, length: number, count: number) {
  const d = setting.summary.features
  const b = buildProgram()
  const x = transformSteps(b, setting.transform, length, d)
  const centers = b.input('centers', count * d)
  const distances = b.run(
    'squared-distance',
    { m: length, n: count, k: d, hasScale: 0 },
    [x, centers, null],
    length * count,
  )
  b.output('distance', reduceStep(b, 'min', distances, length, count, 1))
  return b.finish()
}

/** Each row with its squared distance to the nearest center, in order. */
async function eachDistance(
  setting: KMeans,
  engine: Engine,
  parameters: Arrays,
  shard: TableShard,
  take: (row: number, distance: number) => void,
): Promise<void> {
  const d = setting.summary.features
  const count = parameters.count[0]
  const centers = new Float32Array(count * d)
  for (let c = 0; c < count; c++) for (let i = 0; i < d; i++) centers[i * count + c] = parameters.centers[c * d + i]
  const length = chunkLength(engine, shard.rows, 2 * d + count)
  const inputs = { ...transformInputs(setting.transform), centers }
  await eachChunk(
    { x: shard.x, rows: shard.rows, features: d },
    length,
    ({ x }) =>
      engine.run(programKey(setting, 'distance', length, count), () => distanceProgram(setting, length, count), {
        ...inputs,
        x,
      }),
    (chunk, { distance }) => {
      for (let r = 0; r < chunk.rows; r++) take(chunk.first + r, distance[r])
    },
  )
}

async function measure(setting: KMeans, engine: Engine, parameters: Arrays, shard: TableShard): Promise<Arrays> {
  let inertia = 0
  await eachDistance(setting, engine, parameters, shard, (_, distance) => {
    inertia += distance
  })
  return { inertia: Float64Array.of(inertia) }
}

/** Draws rows: the first uniformly, then by their squared distance; to reseed, the farthest. */
async function draw(
  setting: KMeans,
  engine: Engine,
  parameters: Arrays,
  shard: TableShard,
  round: number,
): Promise<Arrays> {
  const { options, summary, transform } = setting
  const d = summary.features
  const count = parameters.count[0]
  const farthest = parameters.phase[0] === phases.reseed
  const drawn = createDraw(count === 0 ? 1 : slotsOf(setting), d)
  const offer = (row: number, weight: number) => {
    const place = shard.firstRow + row
    const key = farthest ? -weight : -Math.log(rowRandom(options.seed, round, place)) / weight
    if (weight > 0) drawn.offer(key, place, () => toMethod(transform, shard.x.subarray(row * d, (row + 1) * d)))
  }
  if (count === 0) {
    for (let r = 0; r < shard.rows; r++) offer(r, 1)
  } else {
    await eachDistance(setting, engine, parameters, shard, (row, distance) => offer(row, distance))
  }
  const found = drawn.finish()
  const full = emptyReservoir(slotsOf(setting), d)
  for (const name of ['keys', 'rows', 'points']) full[name].set(found[name])
  return full
}

/** What was drawn joins the candidates. */
function collect(setting: KMeans, parameters: Arrays, merged: Arrays): Update {
  const d = setting.summary.features
  const first = parameters.phase[0] === 0
  const centers = parameters.centers.slice()
  let count = parameters.count[0]
  merged.keys.forEach((key, slot) => {
    if (key === Number.POSITIVE_INFINITY || (first && slot > 0)) return
    centers.set(merged.points.subarray(slot * d, (slot + 1) * d), count++ * d)
  })
  // With nothing left at a distance further draws find nothing either.
  const drained = count === parameters.count[0]
  const phase = drained ? phases.weigh : parameters.phase[0] + 1
  return {
    arrays: { ...parameters, phase: Float64Array.of(phase), count: Float64Array.of(count), centers },
    objective: Number.NaN,
    done: false,
  }
}

/** The centers out of the weighed candidates. */
function choose(setting: KMeans, parameters: Arrays, merged: Arrays): Update {
  const { options, summary } = setting
  const d = summary.features
  const count = parameters.count[0]
  const candidates = parameters.centers.subarray(0, count * d)
  const different = new Set(Array.from({ length: count }, (_, i) => candidates.subarray(i * d, (i + 1) * d).join()))
    .size
  if (different < options.k) throw tooFewRows(different, options.k)
  const centers = new Float64Array(parameters.centers.length)
  centers.set(clusterCandidates(candidates, merged.counts.subarray(0, count), options.k, d, options.seed))
  return {
    arrays: { ...parameters, phase: Float64Array.of(phases.lloyd), count: Float64Array.of(options.k), centers },
    objective: Number.NaN,
    done: false,
  }
}

function tooFewRows(different: number, k: number): PeerError {
  return new PeerError({
    code: 'LEARN_TOO_FEW_ROWS',
    kind: 'input',
    message: `there are only ${different} different rows for k = ${k}; take --k ${different} at most`,
  })
}

function lloyd(setting: KMeans, parameters: Arrays, merged: Arrays, round: number): Update {
  const { options, summary, transform } = setting
  const d = summary.features
  const { counts, sums } = merged
  const centers = parameters.centers.slice()
  const total = totalSquares(transform, summary)
  let inertia = total
  let moved = 0
  let empty = false
  for (let c = 0; c < options.k; c++) {
    for (let i = c * d; i < (c + 1) * d; i++) {
      // The centers that the device had were float32.
      const center = Math.fround(parameters.centers[i])
      inertia += counts[c] * center * center - 2 * sums[i] * center
      if (counts[c] === 0) continue
      centers[i] = sums[i] / counts[c]
      moved += (centers[i] - parameters.centers[i]) ** 2
    }
    if (counts[c] === 0) empty = true
  }
  const variance = total / (summary.rows * d)
  const rests = !empty && moved <= options.tolerance * variance
  const last = round + 1 >= options.roundsMax
  const next = rests ? phases.measure : last ? phases.measureCut : empty ? phases.reseed : phases.lloyd
  const sizes = counts.slice(0, options.k)
  return {
    arrays: { ...parameters, phase: Float64Array.of(next), inertia: Float64Array.of(inertia), centers, sizes },
    objective: inertia,
    done: false,
  }
}

/** Centers without rows go to the rows farthest from all centers; where no row is at a distance, there is nothing to gain. */
function reseed(setting: KMeans, parameters: Arrays, merged: Arrays): Update {
  const d = setting.summary.features
  const centers = parameters.centers.slice()
  let slot = 0
  parameters.sizes.forEach((size, c) => {
    if (size > 0 || merged.keys[slot] === Number.POSITIVE_INFINITY) return
    centers.set(merged.points.subarray(slot * d, (slot + 1) * d), c * d)
    slot++
  })
  return {
    arrays: { ...parameters, phase: Float64Array.of(slot === 0 ? phases.measure : phases.lloyd), centers },
    objective: parameters.inertia[0],
    done: false,
  }
}
