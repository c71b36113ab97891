/**
 * The last step of k-means||, on the host: weighted k-means++ over some hundreds of candidates, then Lloyd's rounds on them.
 * Source: Arthur and Vassilvitskii, "k-means++", 2007.
 */
import { prng } from '../../base/prng.ts'

/** Enough for hundreds of points; the rounds over the rows go on from there. */
const roundsMax = 30

/** @returns centers [k, d] out of points [n, d], n >= k, whose weights may be 0 */
export function clusterCandidates(
  points: Float64Array,
  weights: Float64Array,
  k: number,
  d: number,
  seed: number,
): Float64Array {
  const n = weights.length
  const random = prng(seed ^ 0x6b6d6561)
  const centers = new Float64Array(k * d)
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
  const taken = new Uint8Array(n)
  for (let c = 0; c < k; c++) {
    // The first by weight alone, the next ones by weight and squared distance.
    const chosen = pick(random.next(), n, taken, i => weights[i] * (c === 0 ? 1 : nearest[i]))
    taken[chosen] = 1
    centers.set(points.subarray(chosen * d, (chosen + 1) * d), c * d)
    for (let i = 0; i < n; i++) nearest[i] = Math.min(nearest[i], distance(points, i, centers, c, d))
  }
  for (let round = 0; round < roundsMax; round++) if (!lloydRound(points, weights, centers, k, d)) break
  return centers
}

/** By share of the weights; should all be 0, the first that is free. */
function pick(u: number, n: number, taken: Uint8Array, weight: (i: number) => number): number {
  let total = 0
  for (let i = 0; i < n; i++) if (!taken[i]) total += weight(i)
  let left = u * total
  let last = taken.indexOf(0)
  for (let i = 0; i < n && total > 0; i++) {
    if (taken[i] || weight(i) === 0) continue
    last = i
    left -= weight(i)
    if (left < 0) break
  }
  return last
}

function distance(points: Float64Array, i: number, centers: Float64Array, c: number, d: number): number {
  let sum = 0
  for (let l = 0; l < d; l++) sum += (points[i * d + l] - centers[c * d + l]) ** 2
  return sum
}

/** Whether a center moved. */
function lloydRound(points: Float64Array, weights: Float64Array, centers: Float64Array, k: number, d: number): boolean {
  const sums = new Float64Array(k * d)
  const totals = new Float64Array(k)
  for (let i = 0; i < weights.length; i++) {
    let best = 0
    let least = Number.POSITIVE_INFINITY
    for (let c = 0; c < k; c++) {
      const apart = distance(points, i, centers, c, d)
      if (apart < least) {
        least = apart
        best = c
      }
    }
    totals[best] += weights[i]
    for (let l = 0; l < d; l++) sums[best * d + l] += weights[i] * points[i * d + l]
  }
  let moved = false
  for (let at = 0; at < k * d; at++) {
    const total = totals[Math.floor(at / d)]
    if (total === 0) continue
    const mean = sums[at] / total
    if (mean !== centers[at]) moved = true
    centers[at] = mean
  }
  return moved
}
