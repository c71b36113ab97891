/** The parts that trainings are made of, each against something simpler. */
import { describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import type { TableShard } from '../../src/data/tables/types.ts'
import { decodeArrays, encodeArrays } from '../../src/learn/arrays.ts'
import {
  cholesky,
  invertLower,
  multiply,
  orthonormal,
  solveCholesky,
  symmetricEigen,
  transpose,
} from '../../src/learn/linear-algebra.ts'
import { clusterCandidates } from '../../src/learn/methods/kmeans-candidates.ts'
import { parseTrainOptions } from '../../src/learn/options.ts'
import { createDraw, emptyReservoir, mergeReservoirs, rowRandom } from '../../src/learn/reservoir.ts'
import { lbfgsStart, lbfgsStep } from '../../src/learn/solvers/lbfgs.ts'
import { batchRows, type DescentOptions, partsOf } from '../../src/learn/solvers/minibatch.ts'
import { finishSummary, mergeMoments, momentsOf } from '../../src/learn/summary.ts'
import { createTraining } from '../../src/learn/training.ts'
import { createMergeTree } from '../../src/learn/tree.ts'
import { columnNames, cut } from './shards.ts'

const random = prng(4)
const normals = (count: number) => Float64Array.from({ length: count }, () => random.normal())

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance = 1e-9): void {
  expect(got.length).toBe(want.length)
  for (let i = 0; i < want.length; i++) expect(Math.abs(got[i] - want[i])).toBeLessThan(tolerance)
}

const identity = (n: number) => Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0))

describe('the tree of merges', () => {
  test.each([1, 2, 3, 5, 8, 13, 100])('merges %i shards alike in every order', shards => {
    const merge = (a: string, b: string) => `(${a} ${b})`
    const inOrder = createMergeTree(shards, merge)
    for (let i = 0; i < shards; i++) inOrder.add(i, String(i))
    const want = inOrder.end()
    expect(want.match(/\d+/g)?.map(Number)).toEqual(Array.from({ length: shards }, (_, i) => i))
    for (let turn = 0; turn < 5; turn++) {
      const tree = createMergeTree(shards, merge)
      const left = Array.from({ length: shards }, (_, i) => i)
      while (left.length > 0) {
        const [shard] = left.splice(random.int(left.length), 1)
        tree.add(shard, String(shard))
      }
      expect(tree.end()).toBe(want)
    }
  })

  test('refuses a shard twice, and an end before all came', () => {
    const tree = createMergeTree<number>(2, (a, b) => a + b)
    tree.add(1, 1)
    expect(() => tree.add(1, 1)).toThrow('each shard counts once')
    expect(() => tree.end()).toThrow('every shard was merged')
  })
})

describe('matrices', () => {
  test.each([1, 2, 5, 17])('factors, solves and inverts, n = %i', n => {
    const a = normals(n * n)
    const square = multiply(a, transpose(a, n, n), n, n, n)
    for (let i = 0; i < n; i++) square[i * (n + 1)] += n
    const lower = cholesky(square, n)
    if (!lower) throw new Error('it is positive definite')
    expectClose(multiply(lower, transpose(lower, n, n), n, n, n), square)
    expectClose(multiply(lower, invertLower(lower, n), n, n, n), identity(n))
    const x = normals(n * 2)
    expectClose(solveCholesky(lower, multiply(square, x, n, n, 2), n, 2), x)
  })

  test('knows a matrix that is not positive definite', () => {
    expect(cholesky(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined()
    expect(cholesky(Float64Array.of(Number.NaN), 1)).toBeUndefined()
  })

  test.each([1, 2, 3, 10, 40])('takes a symmetric matrix apart, n = %i', n => {
    const a = normals(n * n)
    const symmetric = Float64Array.from(a, (_, at) => a[at] + a[(at % n) * n + Math.floor(at / n)])
    const { values, vectors } = symmetricEigen(symmetric, n)
    expectClose(multiply(vectors, transpose(vectors, n, n), n, n, n), identity(n))
    const scaled = Float64Array.from(vectors, (value, at) => value * values[Math.floor(at / n)])
    expectClose(multiply(transpose(vectors, n, n), scaled, n, n, n), symmetric)
    expect([...values]).toEqual([...values].sort((x, y) => y - x))
  })

  test('takes apart zeros and equal values', () => {
    expectClose(symmetricEigen(new Float64Array(9), 3).values, [0, 0, 0])
    expectClose(symmetricEigen(identity(4), 4).values, [1, 1, 1, 1])
  })

  test('makes columns orthonormal, a dependent one zero', () => {
    const q = orthonormal(Float64Array.of(1, 2, 3, 0, 0, 1, 0, 0, 0), 3, 3)
    expectClose(q, [1, 0, 0, 0, 0, 1, 0, 0, 0])
  })
})

test('L-BFGS finds the least of a long narrow valley', () => {
  const scales = Float64Array.from({ length: 20 }, (_, i) => 10 ** (i / 5))
  const value = (x: Float64Array) => x.reduce((sum, xi, i) => sum + scales[i] * (xi - i) ** 2 + (xi - i) ** 4, 0)
  const slope = (x: Float64Array) => x.map((xi, i) => 2 * scales[i] * (xi - i) + 4 * (xi - i) ** 3)
  let arrays = lbfgsStart(new Float64Array(20))
  let done = false
  let rounds = 0
  while (!done && rounds++ < 500)
    ({ arrays, done } = lbfgsStep(arrays, value(arrays.trial), slope(arrays.trial), { gradientMax: 1e-6 }))
  expect(done).toBe(true)
  expectClose(
    arrays.trial,
    Array.from({ length: 20 }, (_, i) => i),
    1e-6,
  )
})

describe('draws of rows', () => {
  test("a row's number is its own, spread over (0, 1)", () => {
    const numbers = Array.from({ length: 10_000 }, (_, row) => rowRandom(1, 0, row))
    expect(new Set(numbers).size).toBe(10_000)
    expect(Math.abs(numbers.reduce((sum, u) => sum + u, 0) / 10_000 - 0.5)).toBeLessThan(0.02)
    expect(rowRandom(1, 0, 5 + 2 ** 32)).not.toBe(rowRandom(1, 0, 5))
    expect(rowRandom(1, 1, 5)).not.toBe(rowRandom(1, 0, 5))
  })

  test('parts of a table draw what the whole does', () => {
    const keys = Float64Array.from({ length: 200 }, (_, row) => Math.round(rowRandom(3, 0, row) * 50))
    const drawOf = (from: number, to: number) => {
      const draw = createDraw(7, 2)
      for (let row = from; row < to; row++) draw.offer(keys[row], row, () => [row, -row])
      return draw.finish()
    }
    const whole = drawOf(0, 200)
    expect([...whole.keys]).toEqual([...keys].sort((a, b) => a - b).slice(0, 7))
    expect(mergeReservoirs(mergeReservoirs(drawOf(120, 200), drawOf(0, 3)), drawOf(3, 120))).toEqual(whole)
    expect(mergeReservoirs(whole, emptyReservoir(7, 2))).toEqual(whole)
  })

  test('a batch takes every row once an epoch, however the table is cut', () => {
    const options: DescentOptions = { solver: 'sgd', learningRate: 1, momentum: 0, batchRows: 10, epochs: 1, seed: 9 }
    const total = 103
    const shards = [0, 1, 40, 41, 97].map((firstRow, i, all): TableShard => {
      return { index: i, firstRow, rows: (all[i + 1] ?? total) - firstRow, columns: [], x: new Float32Array(0) }
    })
    const parts = partsOf(total, options)
    for (const epoch of [0, 1]) {
      const seen: number[] = []
      for (let part = 0; part < parts; part++) {
        for (const shard of shards) {
          seen.push(...batchRows(shard, total, epoch * parts + part, options).map(row => row + shard.firstRow))
        }
      }
      expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i))
    }
  })
})

test('candidates are clustered by weight, as many as asked for', () => {
  const points = Float64Array.of(0, 1, 10, 11, 100)
  const centers = clusterCandidates(points, Float64Array.of(1, 1, 1, 3, 2), 3, 1, 1)
  expectClose(
    [...centers].sort((a, b) => a - b),
    [0.5, 10.75, 100],
  )
  expect(clusterCandidates(points, new Float64Array(5), 5, 1, 1).length).toBe(5)
})

describe('a summary', () => {
  const rows = Array.from({ length: 50 }, () => [1e6 + random.normal(), random.int(3), -5])
  const classes = rows.map((_, i) => ['10', '9', '-1'][i % 3])

  test('of parts is that of the whole, far from zero too', () => {
    const whole = finishSummary(momentsOf(cut({ rows, classes })[0]), columnNames(3))
    const parts = cut({ rows, classes }, [1, 20, 3]).map(momentsOf)
    const joined = finishSummary(parts.reduce(mergeMoments), columnNames(3))
    expectClose(joined.mean, whole.mean, 1e-8)
    expectClose(joined.squares, whole.squares, 1e-6)
    expect(joined.low).toEqual(whole.low)
    expect(joined.high).toEqual(whole.high)
    expect(joined.label).toEqual({ kind: 'class', names: ['-1', '9', '10'], counts: [16, 17, 17] })
  })

  test('refuses labels that are no classes', () => {
    const words = rows.map((_, i) => `${i} ${'x'.repeat(11_000)}`)
    expect(() => momentsOf(cut({ rows, classes: words })[0])).toThrow(/50 different values of 550\d\d\d characters/)
    const halves = cut({ rows, classes: words }, [25]).map(momentsOf)
    expect(() => halves.reduce(mergeMoments)).toThrow(expect.objectContaining({ code: 'TABLE_TOO_MANY_CLASSES' }))
  })

  test('sorts classes by their text where one is no number', () => {
    const named = rows.map((_, i) => ['b', '10', 'a'][i % 3])
    expect(finishSummary(momentsOf(cut({ rows, classes: named })[0]), columnNames(3)).label).toMatchObject({
      names: ['10', 'a', 'b'],
    })
  })
})

describe('blocks of a training', () => {
  test('arrays keep their bits, NaN and -0 too', () => {
    const arrays = { a: Float64Array.of(Number.NaN, -0, Number.NEGATIVE_INFINITY, 1e-320), b: new Float64Array(0) }
    const read = decodeArrays(encodeArrays('{}', arrays), () => ({ a: 4, b: 0 }), 'a block')
    expect(Object.is(read.arrays.a[1], -0)).toBe(true)
    expect(read.arrays).toEqual(arrays)
  })

  test('what another peer sends is checked', () => {
    const training = createTraining(parseTrainOptions({ method: 'kmeans', k: 2, init: [[0], [1]] }), ['f0'])
    const begun = training.update(training.start(), {
      stage: 'summary',
      ...momentsOf(cut({ rows: [[0], [1], [2]] })[0]),
    })
    const good = training.encodeParameters(begun)
    expect(training.decodeParameters(good)).toEqual(begun)
    for (let length = 0; length < good.length; length += 7) {
      expect(() => training.decodeParameters(good.slice(0, length))).toThrow(
        expect.objectContaining({ code: 'LEARN_BAD_BLOCK' }),
      )
    }
    const wrong = encodeArrays(JSON.stringify({ stage: 'rounds' }), { counts: new Float64Array(99) })
    expect(() => training.decodePartial(wrong, begun)).toThrow(/other arrays/)
    const early = training.encodePartial({ stage: 'summary', ...momentsOf(cut({ rows: [[0]] })[0]) })
    expect(() => training.decodePartial(early, begun)).toThrow(/another round/)
  })
})

test.each([
  [{ method: 'kmeans' }, /k/],
  [{ method: 'gmm', k: 0 }, /k/],
  [{ method: 'forest' }, /method/],
  [{ method: 'pca', components: 2, solver: 'magic' }, /solver/],
  [{ method: 'svm', c: -1 }, /c:/],
  [{ method: 'svm', standardise: 'standard', divide: 2 }, /divide/],
  [{ method: 'svm', colour: 'red' }, /colour/],
])('refuses the options %j', (options, message) => {
  expect(() => parseTrainOptions(options)).toThrow(message)
})

test.each([
  [{ method: 'gmm', k: 2, regCovar: -1 }, '--reg-covar: must be at least 0'],
  [{ method: 'gmm' }, '--k: must be given'],
  [{ method: 'kmeans', k: 2.5 }, '--k: must be a whole number'],
  [{ method: 'kmeans', k: 2, init: 'far' }, '--init: must be rows of numbers, such as [[0, 1], [2, 3]]'],
  [{ method: 'gmm', k: 2, covariance: 'round' }, '--covariance: must be one of full, tied, diag, spherical'],
  [{ method: 'softmax', c: 0 }, '--c: must be above 0'],
  [{ method: 'softmax', learningRate: Number.NaN }, '--learning-rate: must be a number'],
  [{ method: 'softmax', roundsMax: 0 }, '--rounds: must be at least 1'],
  [{ method: 'tree' }, 'method: must be one of kmeans, gmm, softmax, svm, linear, pca'],
])('says of %j what the command line calls it', (options, message) => {
  expect(() => parseTrainOptions(options)).toThrow(`the training's option ${message}`)
})
