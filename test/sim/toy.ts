/**
 * What the simulated jobs compute. A job of one round: each shard gives a block that names it, and the merge is the hash of
 * all in order. A job of several: gradient descent on a straight line through the points of all shards. Its sums are
 * float64 and so depend on their order, which the tree over the shards fixes; a serial run gives the bits to compare with.
 */
import { type BlockId, blockId, type JobId } from '../../src/base/ids.ts'
import { hash32 } from '../../src/base/prng.ts'
import type { RoundHead } from '../../src/jobs/core/types.ts'
import type { SimJobOptions } from './options.ts'

const utf8 = new TextEncoder()
const bytesOf = (values: Float64Array) => new Uint8Array(values.buffer.slice(0))
const valuesOf = (bytes: Uint8Array) => new Float64Array(bytes.slice().buffer)

/** Slope and intercept before the first round, and how far a step goes. */
const start = Float64Array.of(0.1, -0.2)
const rate = 0.37

export interface Merged {
  /** The next round's parameters, or the result where the job is done. */
  bytes: Uint8Array
  done: boolean
}

export interface Toy {
  /** The block that a shard gives in a round; `params`: the block of the round's parameters. */
  shard(shard: number, params: Uint8Array | undefined): Uint8Array
  /** `parts`: the shards' blocks in order. */
  merge(round: number, params: Uint8Array | undefined, parts: readonly Uint8Array[]): Merged
}

/** Rounds of float64 [slope, intercept]; partials are [d slope, d intercept, points]. */
function descent(job: JobId, { rounds, itemsPerShard }: SimJobOptions): Toy {
  const point = (shard: number, item: number) => {
    const x = (hash32(`${job} ${shard} ${item}`) / 2 ** 32) * 2 - 1
    return { x, y: 3 * x - 1 + hash32(`${shard} ${item}`) / 2 ** 34 }
  }
  const add = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i])
  const tree = (parts: Float64Array[]): Float64Array => {
    if (parts.length <= 1) return parts[0] ?? new Float64Array(3)
    const half = 2 ** Math.floor(Math.log2(parts.length - 1))
    return add(tree(parts.slice(0, half)), tree(parts.slice(half)))
  }
  return {
    shard(shard, params) {
      const [slope, intercept] = params ? valuesOf(params) : start
      const sum = new Float64Array(3)
      for (let item = 0; item < itemsPerShard; item++) {
        const { x, y } = point(shard, item)
        const error = slope * x + intercept - y
        sum[0] += error * x
        sum[1] += error
        sum[2]++
      }
      return bytesOf(sum)
    },
    merge(round, params, parts) {
      const [slope, intercept] = params ? valuesOf(params) : start
      const sum = tree(parts.map(valuesOf))
      const count = Math.max(1, sum[2])
      const next = Float64Array.of(slope - (rate * sum[0]) / count, intercept - (rate * sum[1]) / count)
      return { bytes: bytesOf(next), done: round + 1 >= rounds }
    },
  }
}

function once(job: JobId): Toy {
  return {
    shard: shard => utf8.encode(`result of shard ${shard} of ${job}`),
    merge: (_round, _params, parts) => ({ bytes: utf8.encode(parts.map(blockId).join('\n')), done: true }),
  }
}

export function toyOf(job: JobId, options: SimJobOptions): Toy {
  return options.rounds > 1 ? descent(job, options) : once(job)
}

/** What one process computes alone, shard after shard. */
export interface Serial {
  /** By round: its parameters and its shards' blocks. */
  rounds: { head: RoundHead; parts: BlockId[] }[]
  result: BlockId
}

export function runSerially(toy: Toy, shards: number): Serial {
  const rounds: Serial['rounds'] = []
  let params: Uint8Array | undefined
  for (let round = 0; ; round++) {
    const parts = Array.from({ length: shards }, (_, shard) => toy.shard(shard, params))
    const head = params ? { round, params: blockId(params) } : { round }
    rounds.push({ head, parts: parts.map(blockId) })
    const merged = toy.merge(round, params, parts)
    if (merged.done) return { rounds, result: blockId(merged.bytes) }
    params = merged.bytes
  }
}
