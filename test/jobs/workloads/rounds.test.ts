/** An iterative method as a workload, against the same method in one loop. */
import { describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { blockId } from '../../../src/base/ids.ts'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { type IterativeMethod, roundsWorkload, streamingTree } from '../../../src/jobs/workloads/rounds.ts'
import type { Round } from '../../../src/jobs/workloads/workload.ts'

/** Lloyd's k-means on a line, two centers: parameters are [low, high], partials [sum, count] of each. */
interface Body {
  rounds: number
}
const bytesOf = (values: Float64Array) => new Uint8Array(values.buffer.slice(0))
const valuesOf = (bytes: Uint8Array) => new Float64Array(bytes.slice().buffer)
let decoded = 0

const twoMeans: IterativeMethod<Body, Float64Array, Float64Array> = {
  kind: 'two-means',
  body(raw) {
    if (typeof raw === 'object' && raw !== null && 'rounds' in raw && typeof raw.rounds === 'number')
      return { rounds: raw.rounds }
    throw new PeerError({ code: 'SPEC_INVALID', kind: 'input', message: 'say how many rounds' })
  },
  open: async () => ({
    async partial(centers, [block]) {
      const sums = new Float64Array(4)
      const points = valuesOf(block)
      for (const point of points) {
        const at = Math.abs(point - centers[0]) <= Math.abs(point - centers[1]) ? 0 : 2
        sums[at] += point
        sums[at + 1]++
      }
      return { partial: sums, items: points.length, errors: 0 }
    },
    close() {},
  }),
  start: () => Float64Array.of(0, 1, 0),
  merge: (_body, left, right) => left.map((value, i) => value + right[i]),
  update({ rounds }, centers, sums) {
    const mean = (at: number) => (sums[2 * at + 1] === 0 ? centers[at] : sums[2 * at] / sums[2 * at + 1])
    const round = centers[2] + 1
    return { parameters: Float64Array.of(mean(0), mean(1), round), done: round >= rounds }
  },
  result: (_body, centers, sink) => sink.put(bytesOf(centers)),
  encodeParameters: (_body, centers) => bytesOf(centers),
  decodeParameters: (_body, bytes) => {
    decoded++
    return valuesOf(bytes)
  },
  encodePartial: (_body, sums) => bytesOf(sums),
  decodePartial: (_body, bytes) => valuesOf(bytes),
}

function shards(count: number): Uint8Array[] {
  const random = prng(count)
  return Array.from({ length: count }, () =>
    bytesOf(Float64Array.from({ length: 50 }, () => random.normal() + random.int(2) * 5)),
  )
}

/** A tree built level by level, as simply as can be. */
function levels<T>(values: readonly T[], merge: (left: T, right: T) => T): T {
  let level = [...values]
  while (level.length > 1) {
    const next: T[] = []
    for (let i = 0; i < level.length; i += 2) next.push(i + 1 < level.length ? merge(level[i], level[i + 1]) : level[i])
    level = next
  }
  return level[0]
}

/** The rounds as a mesh drives them. */
async function overMesh(inputs: Uint8Array[], body: unknown) {
  const blocks = new Map<string, Uint8Array>()
  const sink = {
    async put(bytes: Uint8Array) {
      blocks.set(blockId(bytes), bytes)
      return blockId(bytes)
    },
  }
  const workload = roundsWorkload(twoMeans)
  const runner = await workload.open(body, new Map(), {} as Backend)
  for (let round: Round = { round: 0 }; ; ) {
    const merger = workload.merger(body, sink, round)
    for (const block of inputs) await merger.add((await runner.run([block], round)).bytes)
    const end = await merger.end()
    if (typeof end === 'string') return valuesOf(blocks.get(end) ?? new Uint8Array())
    round = { round: round.round + 1, params: blocks.get(end.params) }
  }
}

test.each([1, 2, 3, 7, 12])('%i shards give the bits of one loop', async count => {
  const inputs = shards(count)
  const body = { rounds: 6 }
  const runner = await twoMeans.open(body, new Map(), {} as Backend)
  let centers = twoMeans.start(body)
  for (let done = false; !done; ) {
    const partials: Float64Array[] = []
    for (const block of inputs) partials.push((await runner.partial(centers, [block], 0)).partial)
    const next = twoMeans.update(
      body,
      centers,
      levels(partials, (a, b) => twoMeans.merge(body, a, b)),
    )
    centers = next.parameters
    done = next.done
  }
  expect(await overMesh(inputs, body)).toEqual(centers)
})

test('the streaming tree is the tree by levels, for every count', () => {
  const merge = (left: string, right: string) => `(${left}${right})`
  for (let count = 1; count < 200; count++) {
    const values = Array.from({ length: count }, (_, i) => `${i} `)
    const tree = streamingTree(merge)
    for (const value of values) tree.add(value)
    expect(tree.end()?.value).toBe(levels(values, merge))
  }
})

describe('what is not sound', () => {
  test('a job without inputs says so, and a wrong spec too', async () => {
    await expect(overMesh([], { rounds: 3 })).rejects.toMatchObject({ code: 'INPUT_NONE' })
    await expect(overMesh(shards(1), {})).rejects.toMatchObject({ code: 'SPEC_INVALID' })
    expect(roundsWorkload(twoMeans).files({ rounds: 1 })).toEqual([])
  })

  test('parameters are decoded once a round on a lane, not once a shard', async () => {
    decoded = 0
    await overMesh(shards(10), { rounds: 4 })
    // Three rounds have parameters; each is decoded by one lane and one merger.
    expect(decoded).toBe(6)
  })
})
