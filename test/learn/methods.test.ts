/** The methods at their edges: empty clusters, rows that do not suffice, labels that are missing, columns without spread. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import { createReferenceBackend } from '../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../src/compute/backends/wasm/backend.ts'
import { chunkLength, type Engine, openEngine } from '../../src/learn/device/engine.ts'
import { fromMethod } from '../../src/learn/transform.ts'
import { relative, trainOn } from './drive.ts'
import { cut } from './shards.ts'

let backend: Backend
let engine: Engine
beforeAll(async () => {
  backend = await createWasmBackend()
  engine = openEngine(backend)
})
afterAll(async () => {
  engine.dispose()
  await backend.dispose()
})

const random = prng(101)

describe('k-means', () => {
  const line = { rows: [[0], [1], [2], [100], [101], [102]] }

  test('sends a center without rows to the row farthest from all', async () => {
    const { model, objective } = await trainOn(
      engine,
      { method: 'kmeans', k: 2, init: [[50], [-1e6]], tolerance: 0 },
      line,
    )
    if (model.kind !== 'kmeans') throw new Error('clusters were asked for')
    expect(objective).toBeCloseTo(4, 4)
  })

  test('ends where more centers are given than rows differ', async () => {
    const init = [[0], [0], [7]]
    const { model, setting } = await trainOn(
      engine,
      { method: 'kmeans', k: 3, init, tolerance: 0 },
      { rows: [[1], [1], [3]] },
    )
    if (model.kind !== 'kmeans') throw new Error('clusters were asked for')
    const places = [...fromMethod(setting.transform, model.centers, 1)].map(value => Math.round(value * 1e3) / 1e3)
    expect(places).toContain(1)
    expect(places).toContain(3)
  })

  test('finds clusters that are far apart from any seed', async () => {
    const middles = Array.from({ length: 6 }, (_, i) => [100 * i, 7 * i])
    const rows = Array.from({ length: 300 }, (_, i) => middles[i % 6].map(at => at + random.normal()))
    for (const seed of [1, 2, 3, 4]) {
      const { objective } = await trainOn(engine, { method: 'kmeans', k: 6, seed }, { rows }, [100, 7])
      expect(objective).toBeLessThan(2 * 300 * 1.5)
    }
  })

  test.each([
    [{ method: 'kmeans', k: 7 }, line, /k: is 7, more than the 6 rows/],
    [{ method: 'kmeans', k: 2 }, { rows: [[5], [5], [5]] }, /only 1 different rows for k = 2/],
    [{ method: 'kmeans', k: 2, init: [[1], [2], [3]] }, line, /init: must be 2 centers of 1 features/],
  ] as const)('refuses %j', async (init, table, message) => {
    const wide = 'init' in init ? { ...init, init: init.init.map(row => [...row]) } : init
    await expect(trainOn(engine, wide, table)).rejects.toThrow(message)
  })
})

describe('a mixture', () => {
  test("of one component is the rows' mean and covariance", async () => {
    const rows = Array.from({ length: 500 }, () => [1000 + random.normal(), 3 * random.normal()])
    const { model, setting } = await trainOn(engine, { method: 'gmm', k: 1, regCovar: 0 }, { rows }, [123])
    if (model.kind !== 'gmm') throw new Error('a mixture was asked for')
    const mean = [0, 1].map(c => rows.reduce((sum, row) => sum + Math.fround(row[c]), 0) / 500)
    const covariance = [0, 1].flatMap(a =>
      [0, 1].map(b => rows.reduce((sum, row) => sum + (row[a] - mean[a]) * (row[b] - mean[b]), 0) / 500),
    )
    expect(relative(fromMethod(setting.transform, model.means, 2), mean)).toBeLessThan(1e-7)
    expect(relative(model.covariances, covariance)).toBeLessThan(1e-5)
    expect([...model.weights]).toEqual([1])
  })

  test('that loses its spread says so', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => [i % 2, i % 2])
    for (const covariance of ['full', 'tied'] as const) {
      const init = {
        method: 'gmm',
        k: 2,
        covariance,
        regCovar: 0,
        init: [
          [0, 0],
          [1, 1],
        ],
      } as const
      const mutable = { ...init, init: init.init.map(row => [...row]) }
      await expect(trainOn(engine, mutable, { rows })).rejects.toMatchObject({ code: 'LEARN_COLLAPSED' })
    }
  })
})

describe('linear models', () => {
  const rows = Array.from({ length: 300 }, () => [random.normal(), 50 + random.normal(), 7])
  const numbers = rows.map(([a, b]) => 3 * a - 2 * b + 11)

  test.each(['normal', 'lbfgs'] as const)('find a plane, a column without spread beside, %s', async solver => {
    const { model, setting } = await trainOn(
      engine,
      { method: 'linear', solver, tolerance: 1e-9 },
      { rows, numbers },
      [100],
    )
    if (model.kind !== 'linear') throw new Error('a regression was asked for')
    const shift = setting.transform.shift ?? []
    const bias = model.weights.reduce((sum, weight, i) => sum - weight * shift[i], model.bias[0])
    expect(relative(model.weights.subarray(0, 2), [3, -2])).toBeLessThan(1e-4)
    expect(Math.abs(model.weights[2])).toBeLessThan(1e-3)
    expect(Math.abs(bias - 11)).toBeLessThan(0.05)
  })

  test('shrink with alpha, by either solver alike', async () => {
    const init = { method: 'linear', alpha: 100, tolerance: 1e-9 } as const
    const normal = await trainOn(engine, { ...init, solver: 'normal' }, { rows, numbers })
    const steps = await trainOn(engine, { ...init, solver: 'lbfgs' }, { rows, numbers })
    if (normal.model.kind !== 'linear' || steps.model.kind !== 'linear') throw new Error('regressions were asked for')
    expect(Math.abs(normal.model.weights[0])).toBeLessThan(2.5)
    expect(relative(steps.model.weights, normal.model.weights)).toBeLessThan(1e-4)
    expect(Math.abs(steps.objective / normal.objective - 1)).toBeLessThan(1e-5)
  })

  test.each(['sgd', 'adam'] as const)('come near the optimum by %s', async solver => {
    const classes = rows.map(([a, b]) => (a > b - 50 ? 'above' : 'below'))
    const init = { method: 'softmax', standardise: 'standard' } as const
    const best = await trainOn(engine, init, { rows, classes })
    const descent = { ...init, solver, learningRate: solver === 'sgd' ? 0.5 : 0.05, batchRows: 50, epochs: 100 }
    const { model } = await trainOn(engine, descent, { rows, classes }, [90])
    if (best.model.kind !== 'softmax' || model.kind !== 'softmax') throw new Error('classifiers were asked for')
    expect(relative(model.weights, best.model.weights)).toBeLessThan(0.05)
  })

  test.each([
    [{ method: 'softmax' }, { rows }, /learns from a label that is a class/],
    [{ method: 'linear' }, { rows, classes: rows.map(() => 'a') }, /learns from a label that is a number/],
    [{ method: 'svm' }, { rows, classes: rows.map(() => 'a') }, /one class alone/],
    [{ method: 'pca', components: 4 }, { rows }, /components: is 4, more than 3 features/],
  ] as const)('refuse %j', async (init, table, message) => {
    await expect(trainOn(engine, init, table)).rejects.toThrow(message)
  })
})

test("the kernels' definitions learn what the backend does", async () => {
  const slow = openEngine(createReferenceBackend())
  const rows = Array.from({ length: 200 }, () => [random.normal(), random.normal() + 5, random.normal()])
  const init = {
    method: 'gmm',
    k: 2,
    covariance: 'diag',
    init: [rows[0], rows[1]],
    roundsMax: 5,
    tolerance: 0,
  } as const
  const mutable = { ...init, init: init.init.map(row => [...row]) }
  const fast = await trainOn(engine, mutable, { rows })
  const twin = await trainOn(slow, mutable, { rows })
  expect(Math.abs(fast.objective - twin.objective)).toBeLessThan(1e-5)
  slow.dispose()
})

test('gaps are filled with the means of what is there', async () => {
  const rows = Array.from({ length: 100 }, (_, i) => [i % 3 === 0 ? Number.NaN : i, -i])
  const { model, setting } = await trainOn(engine, { method: 'pca', components: 1, missing: 'mean' }, { rows }, [41])
  const filled = rows.map(([a, b]) => [Number.isNaN(a) ? setting.summary.mean[0] : a, b])
  const plain = await trainOn(engine, { method: 'pca', components: 1 }, { rows: filled }, [41])
  if (model.kind !== 'pca' || plain.model.kind !== 'pca') throw new Error('components were asked for')
  expect(relative(model.directions, plain.model.directions)).toBeLessThan(1e-6)
})

test("an engine keeps a shard's rows until they are released, and runs in whole groups of blocks", () => {
  const [shard] = cut({ rows: Array.from({ length: 9 }, (_, i) => [i, -i]) })
  const kept = engine.keep(shard)
  expect(kept.x).not.toBe(shard.x)
  expect(kept).toEqual(shard)
  expect(engine.keep(kept)).toBe(kept)
  engine.release(kept)
  expect(chunkLength(engine, 9, 10)).toBe(128)
  expect(chunkLength(engine, 1000, 10)).toBe(1024)
  expect(chunkLength(engine, 100_000, 1e9)).toBe(1024)
  expect(chunkLength(engine, 100_000, 10) % 1024).toBe(0)
})
