/** Tables that float32, or a method, is easily wrong on: columns that follow from each other, clusters that nearly are points, too few rows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import { createWasmBackend } from '../../src/compute/backends/wasm/backend.ts'
import { type Engine, openEngine } from '../../src/learn/device/engine.ts'
import { symmetricEigen } from '../../src/learn/linear-algebra.ts'
import { notesOf } from '../../src/learn/notes.ts'
import { trainOn } from './drive.ts'

let engine: Engine
beforeAll(async () => {
  engine = openEngine(await createWasmBackend())
})
afterAll(async () => {
  engine.dispose()
  await engine.backend.dispose()
})

describe('degenerate tables', () => {
  test.each(['full', 'tied'] as const)('a column that is the sum of two others: %s', async covariance => {
    const random = prng(7)
    const rows = Array.from({ length: 400 }, (_, i) => {
      const [a, b] = [random.int(200) + (i % 2) * 1000, random.int(200)]
      return [a, b, a + b]
    })
    const result = await trainOn(engine, { method: 'gmm', k: 2, covariance, tolerance: 1e-6 }, { rows }, [150])
    if (result.model.kind !== 'gmm') throw new Error('a mixture was asked for')
    for (let at = 0; at < result.model.covariances.length; at += 9) {
      const { values } = symmetricEigen(result.model.covariances.slice(at, at + 9), 3)
      // What is left of a direction without spread is --reg-covar.
      expect(Math.abs(Math.min(...values) / 1e-6 - 1)).toBeLessThan(0.01)
    }
    expect(notesOf(result.parameters)).toEqual([])
  })

  test('the inertia is that of the centers in the file', async () => {
    const rows = [[-1.0001], [-0.9999], [0.9999], [1.0001]]
    const { objective } = await trainOn(engine, { method: 'kmeans', k: 2 }, { rows })
    expect(Math.abs(objective / 4e-8 - 1)).toBeLessThan(0.01)
  })

  test('rounds that were cut off are told, and end in measured centers', async () => {
    const random = prng(3)
    const rows = Array.from({ length: 500 }, () => [random.normal(), random.normal()])
    const { objective, parameters } = await trainOn(
      engine,
      { method: 'kmeans', k: 9, roundsMax: 1, tolerance: 0 },
      { rows },
    )
    expect(objective).toBeGreaterThan(0)
    expect(notesOf(parameters)).toEqual([expect.stringMatching(/^did not converge in \d+ rounds: .*--rounds/)])
  })

  test('fewer different rows than clusters: refused, or told where the centers were given', async () => {
    const rows = Array.from({ length: 18 }, (_, i) => [i % 3])
    await expect(trainOn(engine, { method: 'kmeans', k: 5 }, { rows })).rejects.toThrow(
      /only 3 different rows for k = 5/,
    )
    const init = [[0], [1], [2], [3]]
    const { parameters } = await trainOn(engine, { method: 'kmeans', k: 4, init }, { rows })
    expect(notesOf(parameters)).toEqual([expect.stringContaining('1 of 4 clusters has no row')])
  })

  test('classes of one row are told', async () => {
    const table = { rows: [[0], [1], [2], [3], [4]], classes: ['a', 'a', 'b', 'a', 'c'] }
    const { parameters } = await trainOn(engine, { method: 'softmax' }, table)
    expect(notesOf(parameters)).toEqual(['2 classes have one row alone: b, c'])
  })
})
