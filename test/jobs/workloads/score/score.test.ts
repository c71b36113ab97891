/** Scoring of tables: from models and columns to a spec, and from shards to rows. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../../../src/base/prng.ts'
import { createReferenceBackend } from '../../../../src/compute/backends/reference/index.ts'
import { createMemoryStore } from '../../../../src/data/store/memory-store.ts'
import { storeTableShard } from '../../../../src/data/tables/shard-blocks.ts'
import { decodeRows } from '../../../../src/jobs/workloads/rows/result.ts'
import { type PrepareScoreInit, prepareScore } from '../../../../src/jobs/workloads/score/prepare.ts'
import { mergeScores } from '../../../../src/jobs/workloads/score/run.ts'
import { parseScoreSpec, scoreColumns } from '../../../../src/jobs/workloads/score/spec.ts'
import { modelFile, score } from '../../../../src/jobs/workloads/score/workload.ts'
import { makeModel, type OpInit } from '../../../compute/onnx/make-model.ts'

const features = ['a', 'b', 'c']

/** Softmax of the features times a diagonal: the class whose scaled feature is largest. */
function classifier(diagonal: number[], more: OpInit[] = [], outputs = ['p']): Uint8Array {
  const w = Float32Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? diagonal[i / 4] : 0))
  return makeModel({
    opset: 13,
    inputs: { x: ['N', 3] },
    types: { label: 7 },
    outputs,
    constants: { w: { dims: [3, 3], data: w } },
    ops: [
      { type: 'MatMul', inputs: ['x', 'w'], outputs: ['z'] },
      { type: 'Softmax', inputs: ['z'], outputs: ['p'], attributes: { axis: 1 } },
      ...more,
    ],
  })
}

const argMax: OpInit = { type: 'ArgMax', inputs: ['p'], outputs: ['label'], attributes: { axis: 1, keepdims: 0 } }
const sumOfTwo = makeModel({
  opset: 13,
  inputs: { b: ['N', 1], a: ['N', 1] },
  outputs: ['sum'],
  ops: [{ type: 'Sub', inputs: ['a', 'b'], outputs: ['sum'] }],
})

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardmesh-score-'))
  await writeFile(join(folder, 'one.onnx'), classifier([1, 1, 1]))
  await writeFile(join(folder, 'two.onnx'), classifier([1, 2, 3], [argMax], ['label', 'p']))
  await writeFile(join(folder, 'sub.onnx'), sumOfTwo)
  await writeFile(
    join(folder, 'fixed.onnx'),
    makeModel({
      opset: 13,
      inputs: { x: [4, 3] },
      outputs: ['y'],
      ops: [{ type: 'Neg', inputs: ['x'], outputs: ['y'] }],
    }),
  )
})
afterAll(() => rm(folder, { recursive: true }))

const store = createMemoryStore()
const prepare = (models: string[], more: Partial<PrepareScoreInit> = {}) =>
  prepareScore({ cwd: folder, models, features, ...more }, store)

describe('prepareScore', () => {
  test('one model gives its outputs, several are merged where they can be', async () => {
    const one = await prepare(['one.onnx'])
    expect(scoreColumns(one.spec).map(column => column.name)).toEqual(['p_0', 'p_1', 'p_2'])
    const { spec, notes } = await prepare(['one.onnx', 'two.onnx'], { weights: [2, 1] })
    expect([spec.merge, spec.classes, notes]).toEqual(['mean', ['0', '1', '2'], []])
    expect(scoreColumns(spec).map(column => column.name)).toEqual([
      'label',
      'score',
      'one_0',
      'one_1',
      'one_2',
      'two_label',
      'two_p_0',
      'two_p_1',
      'two_p_2',
    ])
    expect(parseScoreSpec(JSON.parse(JSON.stringify(spec)))).toEqual(spec)
  })

  test('a model with an input for each column gets them by name', async () => {
    const { spec } = await prepare(['sub.onnx'])
    expect(spec.models[0].inputs).toEqual([
      { name: 'b', kind: 'number', columns: [1] },
      { name: 'a', kind: 'number', columns: [0] },
    ])
    // The third column is nobody's.
    expect([spec.features, spec.texts]).toEqual([['a', 'b'], []])
    expect(scoreColumns(spec)).toEqual([{ name: 'sum', kind: 'number' }])
  })

  test('models that cannot be merged stand side by side, unless merging was asked for', async () => {
    const { spec, notes } = await prepare(['one.onnx', 'sub.onnx'])
    expect([spec.merge, notes]).toEqual(['none', [expect.stringContaining('do not give the same classes')]])
    await expect(prepare(['one.onnx', 'sub.onnx'], { merge: 'vote' })).rejects.toThrow(/--merge vote: one and sub/)
  })

  test.each<[string, string[], Partial<PrepareScoreInit>, RegExp]>([
    [
      'another number of features',
      ['one.onnx'],
      { features: ['a', 'b'] },
      /one\.onnx: it takes 3 features, and the table has 2 \(a, b\)/,
    ],
    [
      'a column that is not there',
      ['sub.onnx'],
      { features: ['a', 'c', 'd'] },
      /takes the columns b, a, and the table has no "b"/,
    ],
    ['a fixed number of rows', ['fixed.onnx'], {}, /takes exactly 4 rows/],
    ['weights for others', ['one.onnx'], { weights: [1, 2] }, /2 numbers for 1 models/],
    ['no model', [], {}, /at least one model/],
    ['a file that is not there', ['nine.onnx'], {}, /does not exist/],
  ])('%s is told', async (_, models, more, message) => {
    await expect(prepare(models, more)).rejects.toThrow(message)
  })
})

test('a shard becomes rows, whose merged scores are those of each row', async () => {
  const { spec } = await prepare(['one.onnx', 'two.onnx', 'sub.onnx'], { merge: 'none' })
  const files = new Map<string, Uint8Array>()
  for (const [place, { file }] of spec.models.entries()) {
    files.set(
      modelFile(place),
      Buffer.concat(await Promise.all(file.blocks.map(async id => (await store.get(id)) ?? new Uint8Array()))),
    )
  }
  const random = prng(4)
  const x = Float32Array.from({ length: 50 * 3 }, () => random.normal())
  const cut = await storeTableShard({ index: 0, firstRow: 100, rows: 50, columns: features, x }, store)
  const blocks = await Promise.all(cut.blocks.map(async id => (await store.get(id)) ?? new Uint8Array()))
  const runner = await score.open(spec, files, createReferenceBackend())
  const output = await runner.run(blocks)
  const rows = decodeRows(output.bytes, scoreColumns(spec))
  expect([output.items, rows.rows, rows.firstRow, rows.numbers.length]).toEqual([50, 50, 100, 50 * 8])
  for (let row = 0; row < 50; row++) {
    const [a, b, c] = x.subarray(3 * row, 3 * row + 3)
    const softmax = (z: number[]) => z.map(one => Math.exp(one) / z.reduce((sum, other) => sum + Math.exp(other), 0))
    const second = softmax([a, 2 * b, 3 * c])
    const want = [...softmax([a, b, c]), second.indexOf(Math.max(...second)), ...second, a - b]
    want.forEach((value, i) => {
      expect(rows.numbers[row * 8 + i]).toBeCloseTo(value, 5)
    })
  }
  runner.close()
})

test('decisions are merged by mean, vote and maximum, in the order of the classes', () => {
  const models = [
    { weight: 1, merged: { output: 0, classes: [0, 1] } },
    { weight: 3, merged: { output: 0, classes: [1, 0] } },
  ].map(one => ({ ...one, name: 'm', file: { bytes: 1, blocks: [] }, inputs: [], outputs: [] }))
  const scored = [{ outputs: [Float32Array.of(0.9, 0.1)] }, { outputs: [Float32Array.of(0.6, 0.4)] }]
  const merged = (merge: 'mean' | 'vote' | 'max') => mergeScores({ models, merge, classes: ['no', 'yes'] }, scored, 1)
  expect(merged('mean')).toEqual({ scores: Float32Array.of(0.525), labels: ['no'] })
  expect(merged('vote')).toEqual({ scores: Float32Array.of(0.75), labels: ['yes'] })
  expect(merged('max')).toEqual({ scores: Float32Array.of(0.9), labels: ['no'] })
})
