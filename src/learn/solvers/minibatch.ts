/**
 * Gradient descent on a part of the rows each round, with momentum or Adam; and which rows these are.
 *
 * Every row is taken once an epoch: of each window of neighbouring rows one a round, at a place that the seed, the epoch and
 * the window decide. So a batch is spread over the whole table whatever its order, and does not depend on shards.
 * Source: Kingma and Ba, "Adam", 2015; Sutskever et al., "On the importance of initialization and momentum", 2013.
 */
import type { TableShard } from '../../data/tables/types.ts'
import type { Arrays, Layout } from '../arrays.ts'
import { rowRandom } from '../reservoir.ts'

export interface DescentOptions {
  solver: 'sgd' | 'adam'
  learningRate: number
  momentum: number
  batchRows: number
  epochs: number
  seed: number
}

const [adamMean, adamSquare, adamFloor] = [0.9, 0.999, 1e-8]

export function descentLayout(n: number): Layout {
  return { trial: n, velocity: n, squares: n, rounds: 1 }
}

export function descentStart(trial: Float64Array): Arrays {
  const zeros = () => new Float64Array(trial.length)
  return { trial, velocity: zeros(), squares: zeros(), rounds: new Float64Array(1) }
}

/** Rounds of an epoch. */
export function partsOf(rows: number, { batchRows }: DescentOptions): number {
  return Math.max(1, Math.round(rows / batchRows))
}

/** Places in the shard of the rows of a round, in order. @param round from 0 */
export function batchRows(shard: TableShard, rows: number, round: number, options: DescentOptions): number[] {
  const parts = partsOf(rows, options)
  const [epoch, part] = [Math.floor(round / parts), round % parts]
  const chosen: number[] = []
  const last = shard.firstRow + shard.rows
  for (let window = Math.floor(shard.firstRow / parts); window * parts < last; window++) {
    const turn = Math.floor(rowRandom(options.seed, epoch, window) * parts)
    const row = window * parts + ((part + turn) % parts) - shard.firstRow
    if (row >= 0 && row < shard.rows) chosen.push(row)
  }
  return chosen
}

/**
 * One step down. @param gradient of the objective a row; @param rows of the whole table
 * The rate falls to nothing over the training, without which the last rounds would only jitter.
 */
export function descentStep(
  arrays: Arrays,
  gradient: Float64Array,
  rows: number,
  options: DescentOptions,
): { arrays: Arrays; done: boolean } {
  const rounds = arrays.rounds[0] + 1
  const total = partsOf(rows, options) * options.epochs
  const rate = options.learningRate * (1 - (rounds - 1) / total)
  const n = gradient.length
  const [trial, velocity, squares] = [arrays.trial.slice(), arrays.velocity.slice(), arrays.squares.slice()]
  for (let i = 0; i < n; i++) {
    if (options.solver === 'sgd') {
      velocity[i] = options.momentum * velocity[i] - rate * gradient[i]
      trial[i] += velocity[i]
    } else {
      velocity[i] = adamMean * velocity[i] + (1 - adamMean) * gradient[i]
      squares[i] = adamSquare * squares[i] + (1 - adamSquare) * gradient[i] ** 2
      const mean = velocity[i] / (1 - adamMean ** rounds)
      const spread = Math.sqrt(squares[i] / (1 - adamSquare ** rounds))
      trial[i] -= (rate * mean) / (spread + adamFloor)
    }
  }
  return { arrays: { trial, velocity, squares, rounds: Float64Array.of(rounds) }, done: rounds >= total }
}
