/** Columns of texts, from a file to the scores that onnxruntime gives: pipelines as skl2onnx exports them, an input a column. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-web'
import { afterAll, expect, test } from 'vitest'
import { prng } from '../../../../src/base/prng.ts'
import { createWasmBackend } from '../../../../src/compute/backends/wasm/backend.ts'
import { createMemoryStore } from '../../../../src/data/store/memory-store.ts'
import { openInputs } from '../../../../src/jobs/workloads/inputs.ts'
import { prepareJob } from '../../../../src/jobs/workloads/prepare.ts'
import { decodeRows } from '../../../../src/jobs/workloads/rows/result.ts'
import { parseScoreSpec, scoreColumns } from '../../../../src/jobs/workloads/score/spec.ts'
import { modelFile, score } from '../../../../src/jobs/workloads/score/workload.ts'
import { makeModel, type OpInit } from '../../../compute/onnx/make-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'shardmesh-texts-'))
const opened = createWasmBackend()
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await (await opened).dispose()
})

const random = prng(12)
const cities = ['Bern', 'Genf', 'Zug', "l'Isle, la"]
const sizes = ['S', 'M', 'L']
const table = Array.from({ length: 300 }, (_, id) => ({
  id: `customer ${id}`,
  city: random.pick([...cities, 'Ur']), // the last one the model does not know
  age: Math.round(random.next() * 80),
  size: random.pick(sizes),
  income: Math.fround(random.normal() * 100),
}))

const domains = { 'ai.onnx.ml': 3 }
const ml = (type: string, inputs: string[], outputs: string[], attributes: OpInit['attributes']): OpInit => ({
  ...{ type, domain: 'ai.onnx.ml', inputs, outputs, attributes },
})
const [int64, text] = [7, 8]

/** ColumnTransformer of a one-hot encoder, an ordinal encoder and two numbers, then a logistic regression. */
const pipeline = makeModel({
  opset: 15,
  domains,
  inputs: { income: ['N', 1], city: ['N', 1], size: ['N', 1], age: ['N', 1] },
  types: { city: text, size: text, label: text },
  outputs: ['label', 'probabilities'],
  constants: { flat: { dims: [2], data: [-1, 4] } },
  ops: [
    ml('OneHotEncoder', ['city'], ['hot3'], { cats_strings: { strings: cities }, zeros: 1 }),
    { type: 'Reshape', inputs: ['hot3', 'flat'], outputs: ['hot'] },
    ml('LabelEncoder', ['size'], ['ordinal'], {
      keys_strings: { strings: sizes },
      values_floats: { floats: [0, 1, 2] },
      default_float: { float: -1 },
    }),
    { type: 'Concat', inputs: ['income', 'hot', 'ordinal', 'age'], outputs: ['x'], attributes: { axis: 1 } },
    ml('LinearClassifier', ['x'], ['label', 'raw'], {
      coefficients: {
        floats: Array.from({ length: 14 }, (_, i) => Math.fround((random.normal() * ((i % 7) + 1)) / 70)),
      },
      intercepts: { floats: [0.1, -0.1] },
      classlabels_strings: { strings: ['no', 'yes'] },
      post_transform: 'SOFTMAX',
      multi_class: 1,
    }),
    ml('Normalizer', ['raw'], ['probabilities'], { norm: 'L1' }),
  ],
})

/** One input for all columns, all of them texts. */
const encoder = makeModel({
  opset: 15,
  domains,
  inputs: { x: ['N', 2] },
  types: { x: text, codes: int64 },
  outputs: ['codes'],
  ops: [
    ml('LabelEncoder', ['x'], ['codes'], {
      keys_strings: { strings: [...cities, ...sizes] },
      values_int64s: [0, 1, 2, 3, 4, 5, 6],
      default_int64: -1,
    }),
  ],
})

async function scored(models: Record<string, Uint8Array>, options: { features?: string[]; rowsPerShard: number }) {
  const quoted = (value: string | number) => (String(value).includes(',') ? `"${value}"` : value)
  const lines = table.map(({ id, city, age, size, income }) => [id, city, age, size, income].map(quoted).join())
  writeFileSync(join(folder, 'table.csv'), ['id,city,age,size,income', ...lines].join('\n'))
  for (const [name, bytes] of Object.entries(models)) writeFileSync(join(folder, name), bytes)
  const store = createMemoryStore()
  const request = { inputs: ['table.csv'], cwd: folder, models: Object.keys(models), table: options }
  const job = await prepareJob({ workload: 'score', ...request }, store)
  const spec = parseScoreSpec(JSON.parse(JSON.stringify(job.body)))
  const blocksOf = (ids: readonly string[]) =>
    Promise.all(ids.map(async id => (await store.get(id)) ?? new Uint8Array()))
  const files = new Map<string, Uint8Array>()
  for (const [place, { file }] of spec.models.entries())
    files.set(modelFile(place), Buffer.concat(await blocksOf(file.blocks)))
  const runner = await score.open(spec, files, await opened)
  const shards = (await openInputs({ source: job.source, names: request.inputs, cwd: folder }))(store)
  const rows = []
  for await (const { blocks } of shards)
    rows.push(decodeRows((await runner.run(await blocksOf(blocks))).bytes, scoreColumns(spec)))
  runner.close()
  return { spec, rows }
}

const column = <K extends keyof (typeof table)[number]>(name: K) => table.map(row => row[name])
const strings = (values: string[], width = 1) => new ort.Tensor('string', values, [values.length / width, width])
const numbers = (values: number[]) => new ort.Tensor('float32', Float32Array.from(values), [values.length, 1])

async function judged(model: Uint8Array, feeds: Record<string, ort.Tensor>) {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 })
  const results = await session.run(feeds)
  await session.release()
  return results
}

test('a pipeline with an input for each column, texts and numbers, gives what onnxruntime gives', async () => {
  const { spec, rows } = await scored({ 'pipeline.onnx': pipeline }, { rowsPerShard: 128 })
  // The customer's name is nobody's input, and is not read.
  expect([spec.features, spec.texts, rows.length]).toEqual([['age', 'income'], ['city', 'size'], 3])
  const want = await judged(pipeline, {
    city: strings(column('city')),
    size: strings(column('size')),
    age: numbers(column('age')),
    income: numbers(column('income')),
  })
  const labels = rows.flatMap(({ texts: [{ names, places }] }) => [...places].map(place => names[place]))
  expect(labels).toEqual(want.label.data)
  expect(new Set(labels).size).toBe(2)
  const probabilities = rows.flatMap(part => [...part.numbers])
  const exact = Array.from(want.probabilities.data as Float32Array)
  expect(Math.max(...probabilities.map((value, i) => Math.abs(value - exact[i])))).toBeLessThan(2e-6)
})

test('a model with one input of texts takes all columns as texts', async () => {
  const { spec, rows } = await scored({ 'encoder.onnx': encoder }, { features: ['city', 'size'], rowsPerShard: 1000 })
  expect([spec.features, spec.texts]).toEqual([[], ['city', 'size']])
  const want = await judged(encoder, {
    x: strings(
      table.flatMap(({ city, size }) => [city, size]),
      2,
    ),
  })
  expect([...rows[0].numbers]).toEqual(Array.from(want.codes.data as BigInt64Array, Number))
})

test('a column that is not there, or too many of them, is told before any work', async () => {
  await expect(
    scored({ 'pipeline.onnx': pipeline }, { features: ['city', 'age', 'income'], rowsPerShard: 9 }),
  ).rejects.toThrow(/pipeline\.onnx: it takes the columns income, city, size, age, and the table has no "size"/)
  await expect(scored({ 'encoder.onnx': encoder }, { rowsPerShard: 9 })).rejects.toThrow(
    /encoder\.onnx: it takes 2 features, and the table has 5/,
  )
})
