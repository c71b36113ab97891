import { describe, expect, test } from 'vitest'
import { blockId } from '../../../../src/base/ids.ts'
import { prng } from '../../../../src/base/prng.ts'
import { classifyMerger, mergeRow, topPlaces } from '../../../../src/jobs/workloads/classify/merge.ts'
import {
  decodeMergedPart,
  decodeMergedRoot,
  encodeShardScores,
} from '../../../../src/jobs/workloads/classify/result.ts'
import type { ClassifyModel, ClassifySpec, MergeKind } from '../../../../src/jobs/workloads/classify/spec.ts'

function spec(init: { merge: MergeKind; weights: number[]; labels: string[]; top?: number }): ClassifySpec {
  const models: ClassifyModel[] = init.weights.map((weight, m) => ({
    name: `m${m}`,
    file: { bytes: 1, blocks: ['0'.repeat(64)] },
    input: { name: 'x', height: 1, width: 1, layout: 'nchw' },
    output: 'y',
    preprocess: { rescaleFactor: 1, channels: 3 },
    score: 'none',
    weight,
    classes: init.labels.map((_, i) => i),
  }))
  return { models, labels: init.labels, merge: init.merge, top: init.top ?? 1 }
}

function merged(merge: MergeKind, weights: number[], scores: number[][]): number[] {
  const out = new Float64Array(scores[0].length)
  const labels = scores[0].map((_, i) => `l${i}`)
  mergeRow(
    spec({ merge, weights, labels }),
    scores.map(row => Float32Array.from(row)),
    0,
    out,
    new Float64Array(out.length),
  )
  return [...out]
}

describe('mergeRow', () => {
  const scores = [
    [0.5, 0.25, 0.25],
    [0, 1, 0],
  ]
  test('mean weighs the probabilities', () => {
    expect(merged('mean', [1, 1], scores)).toEqual([0.25, 0.625, 0.125])
    expect(merged('mean', [3, 1], scores)).toEqual([0.375, 0.4375, 0.1875])
  })
  test('vote gives each network its weight for its best label', () => {
    expect(merged('vote', [3, 1], scores)).toEqual([0.75, 0.25, 0])
  })
  test('max takes the surest network for each label', () => {
    expect(merged('max', [1, 1], scores)).toEqual([0.5, 1, 0.25])
  })
})

describe('topPlaces', () => {
  test('agrees with a plain sort on random rows', () => {
    const random = prng(5)
    for (let round = 0; round < 200; round++) {
      const count = 1 + random.int(12)
      const values = Float32Array.from({ length: count + 3 }, () => random.int(4))
      const top = 1 + random.int(count)
      const simple = Array.from({ length: count }, (_, i) => i).sort((a, b) => values[b + 3] - values[a + 3] || a - b)
      expect(topPlaces(values, 3, count, top)).toEqual(simple.slice(0, top))
    }
  })
  test('a score that is not a number never wins', () => {
    expect(topPlaces([Number.NaN, -5, Number.NaN], 0, 3, 1)).toEqual([1])
    expect(topPlaces([Number.NaN, -5, 2], 0, 3, 3)).toEqual([2, 1, 0])
  })
  test('equal votes go to the higher mean', () => {
    expect(topPlaces([0.5, 0.5, 0], 0, 3, 2, [0.1, 0.6, 0.3])).toEqual([1, 0])
  })
})

describe('classifyMerger', () => {
  const labels = ['cat', 'dog', 'owl']
  const job = spec({ merge: 'vote', weights: [1, 1], labels, top: 2 })

  function shard(
    paths: string[],
    scores: number[][],
    errors: { row: number; reason: string }[] = [],
    numericClass = 'a',
  ) {
    return encodeShardScores({ paths, errors, scores: scores.map(row => Float32Array.from(row)), numericClass })
  }

  async function merge(shards: Uint8Array[]) {
    const blocks = new Map<string, Uint8Array>()
    const merger = classifyMerger(job, {
      async put(bytes) {
        const id = blockId(bytes)
        blocks.set(id, bytes)
        return id
      },
    })
    for (const one of shards) await merger.add(one)
    const id = await merger.end()
    const root = decodeMergedRoot(blocks.get(id) as Uint8Array)
    return { id, root, parts: root.parts.map(part => decodeMergedPart(blocks.get(part) as Uint8Array, root)) }
  }

  const first = shard(
    ['a', 'b'],
    [
      [0.9, 0.1, 0, 0, 0, 0],
      [0.2, 0.8, 0, 0, 0, 0],
    ],
    [{ row: 1, reason: 'empty file' }],
  )
  const second = shard(
    ['c'],
    [
      [0, 0, 1],
      [0, 0.4, 0.6],
    ],
    [],
    'b',
  )

  test('keeps rows in the order of the shards, and what could not be read apart', async () => {
    const { root, parts } = await merge([first, second])
    expect(root).toMatchObject({
      labels,
      models: ['m0', 'm1'],
      merge: 'vote',
      top: 2,
      rows: 2,
      errors: 1,
      numericClasses: ['a', 'b'],
    })
    expect(parts.flatMap(part => part.paths)).toEqual(['a', 'c'])
    expect(parts.flatMap(part => part.errors)).toEqual([{ path: 'b', reason: 'empty file' }])
    // Row a: one vote each; the mean prefers cat (0.55).
    expect([...parts[0].labels]).toEqual([0, 1, 2, 1])
    expect([...parts[0].scores]).toEqual([0.5, 0.5, 1, 0])
    expect([...parts[0].models[1].labels]).toEqual([1, 0, 2, 1])
  })
  test('gives the same bytes each time, and other bytes in another order', async () => {
    const { id } = await merge([first, second])
    expect((await merge([first, second])).id).toBe(id)
    expect((await merge([second, first])).id).not.toBe(id)
  })
  test('refuses a result of another shape', async () => {
    await expect(
      merge([
        shard(
          ['a'],
          [
            [1, 0],
            [0, 1],
          ],
        ),
      ]),
    ).rejects.toMatchObject({ code: 'RESULT_INVALID' })
    await expect(merge([shard(['a'], [[1, 0, 0]])])).rejects.toMatchObject({ code: 'RESULT_INVALID' })
    await expect(merge([new Uint8Array([1, 2, 3])])).rejects.toMatchObject({ code: 'RESULT_INVALID' })
  })
})
