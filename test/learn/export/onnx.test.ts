/** Trained models as files: what onnxruntime and our own engine make of them is the same, and what the method says. */
import * as ort from 'onnxruntime-web'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { type Engine, openEngine } from '../../../src/learn/device/engine.ts'
import { hashTable, makeModelCard, parseModelCard } from '../../../src/learn/export/model-card.ts'
import { cardKey, exportOnnx } from '../../../src/learn/export/onnx.ts'
import { parseTrainOptions, type TrainInit } from '../../../src/learn/options.ts'
import { train } from '../../../src/learn/train.ts'
import { createTraining } from '../../../src/learn/training.ts'
import { cut } from '../shards.ts'

ort.env.wasm.numThreads = 1

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

const random = prng(12)
const rows = Array.from({ length: 400 }, (_, i) => [3, -7, 100, 0].map(at => at + 4 * (i % 3) + random.normal()))
const places = rows.map((_, i) => i % 3)
const words = places.map(place => ['red', 'green', 'deep blue'][place])
const whole = places.map(place => String(10 * place - 10))
const numbers = rows.map(row => row[0] - 2 * row[1] + random.normal() / 10)
const holes = rows.map((row, i) => row.map((value, c) => (i % 7 === c ? Number.NaN : value)))

async function exported(init: TrainInit, table: Parameters<typeof cut>[0]) {
  const shards = cut(table, [150])
  const training = createTraining(parseTrainOptions(init), shards[0].columns)
  const result = await train(training, shards, [engine])
  const card = makeModelCard(training, result, { dataHash: hashTable(shards) })
  return { file: exportOnnx(result.model, result.setting, card), card, shards }
}

type Values = Record<string, (number | string)[]>

async function byOnnxruntime(file: Uint8Array, data: Float32Array, dims: number[]): Promise<Values> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3 })
  const results = await session.run({ features: new ort.Tensor('float32', data, dims) })
  await session.release()
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, plainValues(data)]))
}

function plainValues(data: unknown): (number | string)[] {
  if (Array.isArray(data)) return data.map(String)
  if (data instanceof Float32Array) return [...data]
  if (data instanceof BigInt64Array) return [...data].map(Number)
  throw new Error('a runtime gives another type')
}

async function byEngine(file: Uint8Array, data: Float32Array, dims: number[]): Promise<Values> {
  const session = openSession(backend, loadModel(file))
  const results = await session.run({ features: { type: 'float32', dims, data } })
  session.dispose()
  return Object.fromEntries(
    Object.entries(results).map(([name, { strings, data }]) => [name, plainValues(strings ? [...strings] : data)]),
  )
}

const cases: [string, TrainInit, Parameters<typeof cut>[0], string[]][] = [
  ['k-means', { method: 'kmeans', k: 3 }, { rows }, ['label', 'distances']],
  ['a mixture, full', { method: 'gmm', k: 3 }, { rows }, ['label', 'probabilities', 'log_likelihood']],
  [
    'a mixture, tied',
    { method: 'gmm', k: 3, covariance: 'tied' },
    { rows },
    ['label', 'probabilities', 'log_likelihood'],
  ],
  [
    'a mixture, diag',
    { method: 'gmm', k: 3, covariance: 'diag', standardise: 'standard' },
    { rows },
    ['label', 'probabilities', 'log_likelihood'],
  ],
  [
    'a mixture, spherical',
    { method: 'gmm', k: 3, covariance: 'spherical', divide: 4 },
    { rows },
    ['label', 'probabilities', 'log_likelihood'],
  ],
  ['softmax of words', { method: 'softmax' }, { rows, classes: words }, ['label', 'probabilities']],
  [
    'softmax of whole numbers',
    { method: 'softmax', standardise: 'standard' },
    { rows, classes: whole },
    ['label', 'probabilities'],
  ],
  ['support vectors', { method: 'svm', standardise: 'standard' }, { rows, classes: whole }, ['label', 'scores']],
  ['a regression', { method: 'linear' }, { rows, numbers }, ['prediction']],
  ['components', { method: 'pca', components: 2 }, { rows }, ['components']],
  [
    'gaps filled with means',
    { method: 'softmax', missing: 'mean' },
    { rows: holes, classes: words },
    ['label', 'probabilities'],
  ],
]

test.each(cases)('%s: onnxruntime and our engine agree', async (_, init, table, outputs) => {
  const { file } = await exported(init, table)
  const data = Float32Array.from(table.rows.slice(0, 50).flat())
  const dims = [50, 4]
  const theirs = await byOnnxruntime(file, data, dims)
  const ours = await byEngine(file, data, dims)
  expect(Object.keys(theirs).sort()).toEqual([...outputs].sort())
  expect(Object.keys(ours).sort()).toEqual([...outputs].sort())
  for (const name of outputs) {
    if (name === 'label') {
      expect(ours.label).toEqual(theirs.label)
      continue
    }
    const scale = Math.max(1, ...theirs[name].map(value => Math.abs(Number(value))))
    ours[name].forEach((value, i) => {
      expect(Math.abs(Number(value) - Number(theirs[name][i])) / scale).toBeLessThan(2e-4)
    })
  }
  const known = table.classes?.slice(0, 50)
  if (known && init.missing !== 'mean') expect(theirs.label.map(String)).toEqual(known)
  if (init.method === 'linear') {
    theirs.prediction.forEach((value, i) => {
      expect(Math.abs(Number(value) - numbers[i])).toBeLessThan(1)
    })
  }
})

test('the same training gives the same file, with its card inside', async () => {
  const init: TrainInit = { method: 'softmax', c: 0.5 }
  const once = await exported(init, { rows, classes: words })
  const again = await exported(init, { rows, classes: words })
  expect(Buffer.compare(once.file, again.file)).toBe(0)
  const text = JSON.stringify(once.card)
  expect(Buffer.from(once.file).includes(cardKey)).toBe(true)
  expect(Buffer.from(once.file).includes(text)).toBe(true)
  expect(parseModelCard(text, 'the card')).toEqual(once.card)
  expect(once.card).toMatchObject({
    method: 'softmax',
    options: { c: 0.5, solver: 'lbfgs' },
    data: { hash: hashTable(once.shards), rows: 400, classes: ['deep blue', 'green', 'red'] },
  })
  expect(once.card.history.length).toBeGreaterThan(2)
  expect(() => parseModelCard('{"format": 1}', 'the card')).toThrow(expect.objectContaining({ code: 'MODEL_BAD_CARD' }))
})

test('a table has the same hash however it is cut, and another where a label differs', () => {
  const table = { rows, classes: words }
  const hash = hashTable(cut(table))
  expect(hashTable(cut(table, [1, 7, 200]))).toBe(hash)
  expect(hashTable(cut({ rows, classes: words.with(3, 'green') }))).not.toBe(hash)
  expect(hashTable(cut({ rows: rows.with(0, [0, 0, 0, 0]), classes: words }))).not.toBe(hash)
})

test('a column without a value is an error where nothing is to be filled in', async () => {
  await expect(exported({ method: 'kmeans', k: 2 }, { rows: holes })).rejects.toMatchObject({
    code: 'TABLE_MISSING_VALUE',
  })
})
