/** Training as rounds of a job, driven as peers drive it, against the same training in one loop. */
import { afterAll, describe, expect, test } from 'vitest'
import { blockId } from '../../../../src/base/ids.ts'
import { prng } from '../../../../src/base/prng.ts'
import type { Backend } from '../../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../../src/compute/backends/wasm/backend.ts'
import { storeTableShard } from '../../../../src/data/tables/shard-blocks.ts'
import type { TableShard } from '../../../../src/data/tables/types.ts'
import { createKeepRoom } from '../../../../src/jobs/workloads/keep-room.ts'
import { resultParts } from '../../../../src/jobs/workloads/result-parts.ts'
import { decodeModelRoot } from '../../../../src/jobs/workloads/train/result.ts'
import { parseTrainSpec } from '../../../../src/jobs/workloads/train/spec.ts'
import { train as trainJob } from '../../../../src/jobs/workloads/train/workload.ts'
import type { Round } from '../../../../src/jobs/workloads/workload.ts'
import { openEngine } from '../../../../src/learn/device/engine.ts'
import { parseTrainOptions, type TrainInit } from '../../../../src/learn/options.ts'
import { train } from '../../../../src/learn/train.ts'
import { createTraining } from '../../../../src/learn/training.ts'
import { runFeatures } from '../../../learn/ort.ts'

const columns = ['a', 'b', 'c']
const names = ['fig', 'kiwi', 'plum']

/** Three overlapping clouds, a class each, in shards of unlike sizes. */
function table(sizes: readonly number[]): TableShard[] {
  const random = prng(11)
  let firstRow = 0
  return sizes.map((rows, index) => {
    const codes = Uint32Array.from({ length: rows }, () => random.int(3))
    const x = Float32Array.from(
      { length: 3 * rows },
      (_, i) => random.normal() + (codes[Math.floor(i / 3)] === i % 3 ? 2 : 0),
    )
    const shard: TableShard = { index, firstRow, rows, columns, x, label: { kind: 'class', names, codes } }
    firstRow += rows
    return shard
  })
}

const store = new Map<string, Uint8Array>()
const put = async (bytes: Uint8Array) => {
  const id = blockId(bytes)
  store.set(id, bytes.slice())
  return id
}
const get = (id: string): Uint8Array => store.get(id) ?? new Uint8Array()

const opened = createWasmBackend()
afterAll(async () => (await opened).dispose())

/** As a leader and two lanes do: results in any order of work, merged in the order of the shards. */
async function asJob(init: TrainInit, shards: readonly TableShard[], backend: Backend, roomBytes = 0) {
  const body = JSON.parse(JSON.stringify({ options: parseTrainOptions(init), columns }))
  expect(parseTrainSpec(body).columns).toEqual(columns)
  const blocks = await Promise.all(shards.map(async shard => (await storeTableShard(shard, { put })).blocks.map(get)))
  const rooms = [1, 2].map(() => createKeepRoom(roomBytes))
  const lanes = await Promise.all(rooms.map(room => trainJob.open(body, new Map(), backend, room)))
  let kept = 0
  const run = (place: number, round: Round) => {
    const [lane, key] = [lanes[place % 2], `shard ${place}`]
    const here = lane.keeps?.(key) ?? false
    if (here) kept++
    return lane.run(here ? [] : blocks[place], round, key)
  }
  let round: Round = { round: 0 }
  for (;;) {
    const results = await Promise.all(blocks.map((_, i) => run(i, round)))
    const merger = trainJob.merger(body, { put }, round)
    for (const { bytes } of results) await merger.add(bytes)
    const end = await merger.end()
    if (typeof end === 'string') {
      for (const lane of lanes) lane.close()
      expect(rooms.map(room => room.left())).toEqual([roomBytes, roomBytes])
      return { kept, rounds: round.round + 1, root: decodeModelRoot(get(end)), parts: resultParts(get(end)) }
    }
    round = { round: round.round + 1, params: get(end.params) }
  }
}

const fileOf = (parts: readonly string[]) => Buffer.concat(parts.map(get))

describe('a training as a job', () => {
  const shards = table([100, 37, 64, 1, 250])

  test.each<[string, TrainInit]>([
    ['softmax', { method: 'softmax' }],
    ['svm', { method: 'svm' }],
    ['kmeans', { method: 'kmeans', k: 3, seed: 5 }],
    ['gmm', { method: 'gmm', k: 3, covariance: 'diag', seed: 5 }],
    ['pca', { method: 'pca', components: 2 }],
  ])('%s ends where one loop ends, to the bit', async (_, init) => {
    const backend = await opened
    const { root, parts } = await asJob(init, shards, backend)
    const training = createTraining(parseTrainOptions(init), columns)
    const alone = await train(training, shards, [openEngine(backend)])
    expect(root.history).toEqual(alone.history)
    expect(root).toMatchObject({
      method: init.method,
      rows: 452,
      rounds: alone.rounds,
      numericClasses: [backend.numericClass],
    })
    expect(JSON.parse(root.card).objective.value).toBe(alone.objective)
    expect(fileOf(parts).length).toBe(root.bytes)
    // Twice the same bytes, the card's hash of the data included.
    expect(fileOf((await asJob(init, shards, backend)).parts)).toEqual(fileOf(parts))
    // Shards that stay give the same bytes again, all of them or those for which there is room.
    const all = await asJob(init, shards, backend, 1e6)
    expect([all.kept, fileOf(all.parts)]).toEqual([shards.length * (all.rounds - 1), fileOf(parts)])
    const some = await asJob(init, shards, backend, 16 * 200)
    expect([some.kept, fileOf(some.parts)]).toEqual([4 * (all.rounds - 1), fileOf(parts)])
  })

  test('a classifier is judged by all rows, and onnxruntime counts the same', async () => {
    const { root, parts } = await asJob({ method: 'softmax' }, shards, await opened)
    const { names: classes, counts } = root.confusion ?? { names: [], counts: [] }
    expect(classes).toEqual(names)
    const rows = shards.flatMap(({ x, rows: count }) =>
      Array.from({ length: count }, (_, r) => [...x.subarray(3 * r, 3 * r + 3)]),
    )
    const truths = shards.flatMap(({ label }) => (label?.kind === 'class' ? [...label.codes] : []))
    const { label } = await runFeatures(fileOf(parts), rows, names)
    const want = new Array<number>(9).fill(0)
    truths.forEach((truth, row) => {
      want[3 * truth + label[row]]++
    })
    expect(counts).toEqual(want)
    expect((want[0] + want[4] + want[8]) / 452).toBeGreaterThan(0.8)
  })

  test('other data, cut otherwise or changed by one value, has another hash', async () => {
    const hashOf = async (data: TableShard[]) =>
      JSON.parse((await asJob({ method: 'pca', components: 1 }, data, await opened)).root.card).data.hash
    const first = await hashOf(shards)
    const changed = table([100, 37, 64, 1, 250])
    changed[3].x[1] += 1
    expect(new Set([first, await hashOf(changed), await hashOf(table([200, 252]))]).size).toBe(3)
    expect(await hashOf(table([100, 37, 64, 1, 250]))).toBe(first)
  })
})

test('damaged partials and parameters are refused and never crash', async () => {
  const shards = table([20, 20])
  const body = { options: parseTrainOptions({ method: 'softmax' }), columns }
  const lane = await trainJob.open(body, new Map(), await opened)
  const blocks = (await storeTableShard(shards[0], { put })).blocks.map(get)
  const { bytes } = await lane.run(blocks)
  const merger = trainJob.merger(body, { put })
  await merger.add(bytes)
  const end = await merger.end()
  if (typeof end === 'string') throw new Error('the summary is not the end')
  const params = get(end.params)
  const random = prng(3)
  for (let i = 0; i < 300; i++) {
    const [badParams, badPartial] = [params.slice(), bytes.slice()]
    badParams[random.int(badParams.length)] = random.int(256)
    badPartial[random.int(badPartial.length)] = random.int(256)
    const attempts = [
      () => trainJob.merger(body, { put }, { round: 1, params: badParams }),
      () => trainJob.merger(body, { put }).add(badPartial),
    ]
    for (const attempt of attempts) {
      try {
        await attempt()
      } catch (thrown) {
        expect(thrown).toMatchObject({ kind: expect.stringMatching(/integrity|input|protocol/) })
      }
    }
  }
  lane.close()
})
