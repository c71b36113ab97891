/**
 * Training on what a network makes of images, as one command and through the library: the model is the network and the head in
 * one ONNX file, which takes images as the network does.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { featureTable } from '../../src/cli/train-images.ts'
import { createReferenceBackend } from '../../src/compute/backends/reference/index.ts'
import { loadModel } from '../../src/compute/engine/model.ts'
import { openSession } from '../../src/compute/engine/session.ts'
import { continueNetwork, opsetOf } from '../../src/compute/onnx/splice.ts'
import { toHost } from '../../src/compute/tensor/element-type.ts'
import { createGraphWriter } from '../../src/learn/export/graph.ts'
import { modelOf, type OnePeer, onePeer } from './one-peer.ts'

const network = join(packageRoot, 'demo/models/shapes-plain')
const output = '/9/Flatten_output_0'

let one: OnePeer
beforeAll(async () => {
  one = await onePeer()
  await drawSamples(join(one.scratch, 'photos'), { count: 150, seed: 11 })
  await drawSamples(join(one.scratch, 'others'), { count: 60, seed: 12 })
})
afterAll(() => one.stop())

const args = ['photos', '--images', 'network', '--model', network]

test('softmax on a network: the command and the library make the same file, and classify knows more than chance', async () => {
  const written = await one.written(
    ['submit', 'train', 'softmax', ...args, '--output', output, '--standardise'],
    'mine.onnx',
  )
  const features = { kind: 'network', model: network, output }
  const made = await featureTable(
    one.peer,
    { inputs: ['photos'], cwd: one.scratch, features },
    new AbortController().signal,
  )
  const { table, ...rest } = made.request
  const options = { method: 'softmax', standardise: 'standard' }
  const items = await one.library({ workload: 'train', cwd: one.scratch, options, ...rest, table })
  await made.remove()
  expect(modelOf(items).equals(written)).toBe(true)

  const card = JSON.parse(readFileSync(join(one.scratch, 'mine.card.json'), 'utf8'))
  expect(card.features).toMatchObject({ kind: 'network', network: 'shapes-plain', output, height: 32, width: 32 })
  const ran = await one.cli(
    'submit',
    'classify',
    'others',
    '--model',
    'mine.onnx',
    '--model',
    network,
    '--out',
    'p.csv',
  )
  expect(ran.code, ran.stderr).toBe(0)
  expect(ran.stderr).not.toContain('no preprocessor_config')
  const rows = readFileSync(join(one.scratch, 'p.csv'), 'utf8').trim().split('\n').slice(1)
  const right = rows.filter(row => row.split('/').at(-2) === row.split(',')[3])
  // Ten classes: the tenth would be right by chance.
  expect([rows.length, right.length > 30]).toEqual([60, true])
})

test('every method stands behind a network, at its first output too', async () => {
  for (const [method, ...more] of [
    ['svm'],
    ['kmeans', '--k', '3'],
    ['gmm', '--k', '2', '--covariance', 'diag', '--reg-covar', '0.1'],
    ['gmm', '--k', '2', '--covariance', 'full', '--reg-covar', '0.1'],
    ['pca', '--components', '2'],
  ]) {
    const onnx = await one.written(['submit', 'train', method, ...args, ...more], `${method}.onnx`)
    const model = loadModel(onnx)
    expect([method, model.inputs[0].name]).toEqual([method, 'pixel_values'])
    const session = openSession(createReferenceBackend(), model)
    const pixels = new Float32Array(2 * 3 * 32 * 32).map((_, i) => (i % 17) / 17)
    const out = await session.run({ pixel_values: { type: 'float32', dims: [2, 3, 32, 32], data: pixels } })
    session.dispose()
    for (const tensor of Object.values(out)) expect(tensor.dims[0]).toBe(2)
  }
})

test('what does not go together is refused by its name', async () => {
  const refused = async (words: string[], why: RegExp) => {
    const ran = await one.cli('submit', 'train', 'softmax', 'photos', ...words, '--out', 'no.onnx')
    expect([ran.code === 0, ran.stderr]).toEqual([false, expect.stringMatching(why)])
  }
  await refused(['--images', 'network'], /name it with --model/)
  await refused(['--images', 'hog', '--model', network], /--images network/)
  await refused([...args.slice(1), '--bins', '4'], /--bins is not for --images network/)
  await refused([...args.slice(1), '--output', 'nothing'], /nothing/)
  await refused(['--images', 'hog', '--bins', '4'], /option bins: hog has no such option/)
  const images = { kind: 'network', model: network, colour: 1 }
  const table = { label: '-1' }
  writeFileSync(join(one.scratch, 'few.csv'), 'a,b,kind\n1,2,x\n3,4,y\n')
  const request = {
    workload: 'train' as const,
    inputs: ['few.csv'],
    cwd: one.scratch,
    options: { method: 'softmax' },
    table,
  }
  await expect(one.library({ ...request, images })).rejects.toThrow(/colour/)
  await expect(one.library({ ...request, images: { kind: 'network', model: network } })).rejects.toThrow(
    /gives 10 values an image at "logits", and the table has 2 columns/,
  )
})

/** A network whose values are called as a head's would be, with an output that leads nowhere. */
function awkward(version: number) {
  const graph = createGraphWriter('awkward', version)
  const x = graph.input({ name: 'features', type: 'float32', dims: ['rows', 2, 2] })
  const doubled = graph.op('Mul', [x, graph.constant('weights', [1], [2])])
  graph.output({ name: 'probabilities', type: 'float32', dims: ['rows', 2, 2] }, doubled)
  graph.output(
    { name: 'other', type: 'float32', dims: ['rows', 2, 2] },
    graph.op('Mul', [doubled, graph.constant('bias', [1], [9])]),
  )
  return graph.finish({ kept: 'yes', replaced: 'old' })
}

test.each([9, 12, 13, 17, 18, 21])('names that clash, dead ends and opset %i', async version => {
  const { encodeModel } = await import('../../src/compute/onnx/encode.ts')
  const bytes = encodeModel(awkward(version))
  expect(opsetOf(bytes)).toBe(version)
  const head = createGraphWriter('head', version)
  const rows = head.op('Reshape', [
    head.input({ name: 'features', type: 'float32', dims: ['rows', 4] }),
    head.int64('row', [-1, 4]),
  ])
  const sum = head.reduce('ReduceSum', head.op('Mul', [rows, head.constant('weights', [4], [1, 2, 3, 4])]), [1], 1)
  // ReduceSum takes its axes as an input from 13 on: the squares' form is younger.
  const squares = head.reduce('ReduceSumSquare', head.unsqueeze(rows, [1]), [2], 0)
  head.output(
    { name: 'probabilities', type: 'float32', dims: ['rows', 1] },
    version < 13 || version >= 18 ? sum : squares,
  )
  const joined = continueNetwork(bytes, 'probabilities', head.finish({ replaced: 'new' }))
  const model = loadModel(joined)
  expect(model.outputs.map(port => port.name)).toEqual(['probabilities_1'])
  const session = openSession(createReferenceBackend(), model)
  const out = await session.run({ features: { type: 'float32', dims: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) } })
  const expected = version < 13 || version >= 18 ? 2 * (1 + 4 + 9 + 16) : 4 * (1 + 4 + 9 + 16)
  expect([...toHost(out.probabilities_1)]).toEqual([expected])
  session.dispose()
  const text = Buffer.from(joined).toString('latin1')
  expect([text.includes('kept'), text.includes('new'), text.includes('old'), text.includes('bias')]).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('the demo’s networks are the fixtures', () => {
  expect(readdirSync(network)).toContain('model.onnx')
})
