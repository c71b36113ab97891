/** What a network's output means and how it takes images, told from graphs as exporters write them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../../src/compute/backends/reference/index.ts'
import { createMemoryStore } from '../../../../src/data/store/memory-store.ts'
import { prepareClassify } from '../../../../src/jobs/workloads/classify/prepare.ts'
import { toScores } from '../../../../src/jobs/workloads/classify/run.ts'
import { openImageNetwork } from '../../../../src/jobs/workloads/image-network.ts'
import { type ModelInit, makeModel, type OpInit } from '../../../compute/onnx/make-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'shardmesh-descriptions-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const op = (type: string, inputs: string[], output: string, attributes?: OpInit['attributes']): OpInit => ({
  ...{ type, inputs, outputs: [output] },
  ...(attributes && { attributes }),
})
const scalar = (value: number) => ({ dims: [], data: Float32Array.of(value) })

let made = 0
/** A network of three channels' means, `s` [N, 3], and what follows them up to `y`; resolves to its spec. */
async function described(tail: OpInit[], change: Partial<ModelInit> = {}, config?: Record<string, unknown>) {
  const name = join(folder, `net${made++}`)
  const bytes = makeModel({
    ...{ opset: 13, inputs: { x: ['N', 3, 4, 4] }, outputs: ['y'] },
    ops: [op('GlobalAveragePool', ['x'], 'p'), op('Flatten', ['p'], 's'), ...tail],
    ...change,
  })
  mkdirSync(name)
  writeFileSync(join(name, 'model.onnx'), bytes)
  if (config) writeFileSync(join(name, 'config.json'), JSON.stringify(config))
  const init = { cwd: folder, models: [name], merge: 'mean' as const, top: 5 }
  const { spec, notes } = await prepareClassify(init, createMemoryStore())
  return { model: spec.models[0], labels: spec.labels, notes, bytes }
}

/** What the job says of one image whose channels are these bytes throughout. */
async function probabilities(of: Awaited<ReturnType<typeof described>>, colour: readonly number[]): Promise<number[]> {
  const network = await openImageNetwork(createReferenceBackend(), of.bytes, of.model, 1)
  const { height, width } = of.model.input
  const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => colour[i % 3])
  const out = new Float32Array(of.labels.length)
  toScores(await network.run([pixels]), of.model.score, of.model.classes, out)
  network.close()
  return [...out]
}

const softmax = op('Softmax', ['s'], 'a', { axis: 1 })
const constants = {
  half: scalar(0.5),
  two: scalar(2),
  third: scalar(1 / 3),
  scale: scalar(1 / 255),
  zero: { dims: [], data: Uint8Array.of(0) },
}

const tails: [what: string, tail: OpInit[], score: string][] = [
  ['logits', [op('Identity', ['s'], 'y')], 'softmax'],
  ['logarithms of probabilities', [op('LogSoftmax', ['s'], 'y')], 'softmax'],
  ['a softmax', [op('Softmax', ['s'], 'y')], 'none'],
  ['sigmoids', [op('Sigmoid', ['s'], 'y')], 'none'],
  ['a softmax that is cut to a range', [softmax, op('Clip', ['a'], 'y')], 'none'],
  [
    'a softmax that is turned twice',
    [softmax, op('Transpose', ['a'], 'b', { perm: [1, 0] }), op('Transpose', ['b'], 'y', { perm: [1, 0] })],
    'none',
  ],
  [
    'a softmax that is quantised and back',
    [softmax, op('QuantizeLinear', ['a', 'scale', 'zero'], 'b'), op('DequantizeLinear', ['b', 'scale', 'zero'], 'y')],
    'none',
  ],
  ['the mean of two', [softmax, op('Sigmoid', ['s'], 'b'), op('Mean', ['a', 'b'], 'y')], 'none'],
  [
    'half of the sum of two',
    [softmax, op('Softmax', ['p1'], 'b', { axis: 1 }), op('Add', ['a', 'b'], 'c'), op('Mul', ['c', 'half'], 'y')],
    'none',
  ],
  [
    'the sum of two by two',
    [softmax, op('Softmax', ['p1'], 'b', { axis: 1 }), op('Add', ['a', 'b'], 'c'), op('Div', ['c', 'two'], 'y')],
    'none',
  ],
  [
    'a softmax written out',
    [op('Exp', ['s'], 'a'), op('ReduceSum', ['a', 'axes'], 'b', { keepdims: 1 }), op('Div', ['a', 'b'], 'y')],
    'none',
  ],
  ['the sum of two probabilities, which is none', [softmax, op('Add', ['a', 'a'], 'y')], 'softmax'],
  [
    'a third of two probabilities, which is none',
    [softmax, op('Add', ['a', 'a'], 'c'), op('Mul', ['c', 'third'], 'y')],
    'softmax',
  ],
  ['a product behind a softmax', [softmax, op('Mul', ['a', 'a'], 'y')], 'softmax'],
]

describe('what an output means', () => {
  test.each(tails)('%s', async (_, tail, score) => {
    const extra = tail.some(one => one.inputs.includes('p1')) ? [op('Flatten', ['p'], 'p1')] : []
    const axes = { dims: [1], data: [1] }
    const { model } = await described([...extra, ...tail], { constants: { ...constants, axes } })
    expect(model.score).toBe(score)
  })

  const id2label = { 0: 'red', 1: 'green', 2: 'blue' }
  const identity = [op('Identity', ['s'], 'y')]

  test('problem_type: several labels at once', async () => {
    const { model } = await described(identity, {}, { id2label, problem_type: 'multi_label_classification' })
    expect(model.score).toBe('sigmoid')
    expect((await described(identity, {}, { id2label })).model.score).toBe('softmax')
    await expect(described(identity, {}, { id2label, problem_type: 'guesswork' })).rejects.toThrow(
      'problem_type must be one of',
    )
  })

  const first = { starts: { dims: [1], data: [0] }, ends: { dims: [1], data: [1] }, axis: { dims: [1], data: [1] } }
  const red = op('Slice', ['s', 'starts', 'ends', 'axis'], 'r')

  test('one value an image: the second label gets it, the first the rest', async () => {
    const sigmoid = await described([red, op('Sigmoid', ['r'], 'y')], { constants: first })
    expect(sigmoid).toMatchObject({ labels: ['0', '1'], model: { score: 'none', binary: true } })
    expect(sigmoid.notes.join()).toContain('gives one value an image: it counts for "1", the rest for "0"')
    const [no, yes] = await probabilities(sigmoid, [255, 0, 0])
    expect([no, yes]).toEqual([expect.closeTo(1 - 0.7311, 3), expect.closeTo(0.7311, 3)])
    const logit = await described(
      [red, op('Identity', ['r'], 'y')],
      { constants: first },
      { id2label: { 0: 'cat', 1: 'dog' } },
    )
    expect(logit).toMatchObject({ labels: ['cat', 'dog'], model: { score: 'sigmoid', binary: true } })
    expect(await probabilities(logit, [255, 0, 0])).toEqual([no, yes])
  })

  test('one value and one label: the probability of that label', async () => {
    const one = await described([red, op('Identity', ['r'], 'y')], { constants: first }, { id2label: { 0: 'defect' } })
    expect(one.model).toMatchObject({ score: 'sigmoid', classes: [0] })
    expect(one.model.binary).toBeUndefined()
  })

  test('of several outputs the one that fits the labels; the number of the class is no score', async () => {
    const wide = op('Concat', ['s', 's'], 'f', { axis: 1 })
    const both = { outputs: ['f', 'y'] }
    expect((await described([wide, ...identity], both, { id2label })).model.output).toBe('y')
    expect((await described([wide, ...identity], both)).model.output).toBe('f')
    const label = op('ArgMax', ['s'], 'n', { axis: 1, keepdims: 1 })
    const numbered = await described([label, ...identity], { outputs: ['n', 'y'], types: { n: 7 } })
    expect(numbered.model.output).toBe('y')
  })

  test.each([
    ['[N, 1, 1, C]', [0, 1, 1, 3]],
    ['[N, C, 1, 1]', [0, 3, 1, 1]],
  ])('scores of shape %s', async (_, shape) => {
    const { model } = await described([op('Reshape', ['s', 'shape'], 'y')], {
      constants: { shape: { dims: [4], data: shape } },
    })
    expect(model.classes).toEqual([0, 1, 2])
  })
})

describe('how images go in', () => {
  const identity = [op('Identity', ['s'], 'y')]

  test('every dimension is a name: three channels are taken, and it is said', async () => {
    const name = join(folder, `net${made}`)
    mkdirSync(name)
    writeFileSync(
      join(name, 'preprocessor_config.json'),
      JSON.stringify({ size: { height: 6, width: 5 }, do_normalize: false }),
    )
    const inputs = { pixel_values: ['batch_size', 'num_channels', 'height', 'width'] }
    const ops = [op('GlobalAveragePool', ['pixel_values'], 'p'), op('Flatten', ['p'], 's'), ...identity]
    writeFileSync(join(name, 'model.onnx'), makeModel({ opset: 13, inputs, outputs: ['y'], ops }))
    made++
    const init = { cwd: folder, models: [name], merge: 'mean' as const, top: 5 }
    const { spec, notes } = await prepareClassify(init, createMemoryStore())
    expect(spec.models[0].input).toEqual({ name: 'pixel_values', height: 6, width: 5, layout: 'nchw' })
    expect(notes.join()).toContain('does not say how many channels it takes')
  })

  test('bytes go in as bytes', async () => {
    const ops = [
      op('Cast', ['x'], 'f', { to: 1 }),
      op('Mul', ['f', 'scale'], 'g'),
      op('GlobalAveragePool', ['g'], 'p'),
      op('Flatten', ['p'], 'y'),
    ]
    const bytes = await described([], { types: { x: 2 }, constants, ops })
    expect(bytes.notes.join()).toContain('go in as bytes, for it takes uint8')
    const floats = await described(identity)
    expect(await probabilities(bytes, [200, 100, 50])).toEqual(
      (await probabilities(floats, [200, 100, 50])).map(value => expect.closeTo(value, 5)),
    )
  })

  test('half floats go in as floats', async () => {
    const ops = [op('Cast', ['x'], 'f', { to: 1 }), op('GlobalAveragePool', ['f'], 'p'), op('Flatten', ['p'], 'y')]
    const half = await described([], { types: { x: 10 }, ops })
    const want = await probabilities(await described(identity), [200, 100, 50])
    expect(await probabilities(half, [200, 100, 50])).toEqual(want.map(value => expect.closeTo(value, 3)))
  })
})
