/** From networks on disk to a spec: what they take and give, whose labels, and every way in which they do not fit. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../../src/compute/backends/reference/index.ts'
import { createMemoryStore } from '../../../../src/data/store/memory-store.ts'
import { prepareClassify } from '../../../../src/jobs/workloads/classify/prepare.ts'
import { openImageNetwork } from '../../../../src/jobs/workloads/image-network.ts'
import { makeModel } from '../../../compute/onnx/make-model.ts'

/** The mean of each channel as the score of three classes. */
const means = (dims: (number | string)[]) =>
  makeModel({
    opset: 13,
    inputs: { x: dims },
    outputs: ['y'],
    ops: [
      { type: 'GlobalAveragePool', inputs: ['x'], outputs: ['p'] },
      { type: 'Flatten', inputs: ['p'], outputs: ['y'] },
    ],
  })

const meansChannelsLast = makeModel({
  opset: 13,
  inputs: { x: ['N', 4, 5, 3] },
  outputs: ['y'],
  ops: [
    { type: 'Transpose', inputs: ['x'], outputs: ['t'], attributes: { perm: [0, 3, 1, 2] } },
    { type: 'GlobalAveragePool', inputs: ['t'], outputs: ['p'] },
    { type: 'Flatten', inputs: ['p'], outputs: ['y'] },
  ],
})

describe('prepareClassify', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardmesh-prepare-'))
    await writeFile(join(folder, 'plain.onnx'), means(['N', 3, 8, 8]))
    await writeFile(join(folder, 'open.onnx'), means(['N', 3, 'H', 'W']))
    await writeFile(join(folder, 'last.onnx'), meansChannelsLast)
    await writeFile(
      join(folder, 'flat.onnx'),
      makeModel({
        opset: 13,
        inputs: { x: ['N', 7] },
        outputs: ['y'],
        ops: [{ type: 'Relu', inputs: ['x'], outputs: ['y'] }],
      }),
    )
    await writeFile(
      join(folder, 'map.onnx'),
      makeModel({
        opset: 13,
        inputs: { x: ['N', 3, 8, 8] },
        outputs: ['y'],
        ops: [{ type: 'Relu', inputs: ['x'], outputs: ['y'] }],
      }),
    )
    await writeFile(
      join(folder, 'odd.onnx'),
      makeModel({
        opset: 13,
        inputs: { x: ['N', 3, 8, 8] },
        outputs: ['y'],
        ops: [{ type: 'NoSuchOp', name: 'odd one', inputs: ['x'], outputs: ['y'] }],
      }),
    )
    await writeFile(join(folder, 'rgb.txt'), 'red\ngreen\nblue\n')
    await labelled('rgb', ['red', 'green', 'blue'], { size: 8 })
    await labelled('bgr', ['blue', 'green', 'red'], { size: { height: 8, width: 8 } })
    await labelled('other', ['red', 'green', 'grey'], { size: 8 })
    await labelled('four', ['a', 'b', 'c', 'd'], { size: 8 })
    await labelled('small', ['red', 'green', 'blue'], { size: 6 })
    await labelled('sized', ['red', 'green', 'blue'], { size: { height: 6, width: 4 } }, means(['N', 3, 'H', 'W']))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  async function labelled(name: string, labels: string[], preprocessor: object, model = means(['N', 3, 8, 8])) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'model.onnx'), model)
    await writeFile(
      join(folder, name, 'config.json'),
      JSON.stringify({ id2label: Object.fromEntries(labels.entries()) }),
    )
    await writeFile(join(folder, name, 'preprocessor_config.json'), JSON.stringify(preprocessor))
  }

  const prepare = (models: string[], more: { labels?: string; weights?: number[] } = {}) =>
    prepareClassify({ cwd: folder, models, merge: 'mean', top: 5, ...more }, createMemoryStore())

  test('aligns the labels of an ensemble by name', async () => {
    const { spec, notes } = await prepare(['rgb', 'bgr'], { weights: [2, 1] })
    expect(spec.labels).toEqual(['red', 'green', 'blue'])
    expect(spec.models.map(model => model.classes)).toEqual([
      [0, 1, 2],
      [2, 1, 0],
    ])
    expect(spec.models.map(model => [model.name, model.weight, model.score])).toEqual([
      ['rgb', 2, 'softmax'],
      ['bgr', 1, 'softmax'],
    ])
    expect(spec.top).toBe(3)
    expect(notes).toEqual([])
  })

  test('one model twice has two names', async () => {
    const { spec } = await prepare(['rgb', 'rgb'])
    expect(spec.models.map(model => model.name)).toEqual(['rgb', 'rgb-2'])
  })

  test('says what had to be guessed', async () => {
    const { spec, notes } = await prepare(['plain.onnx'])
    expect(spec.labels).toEqual(['0', '1', '2'])
    expect(spec.models[0].preprocess).toEqual({
      resize: { height: 8, width: 8, filter: 2 },
      rescaleFactor: 1 / 255,
      channels: 3,
    })
    expect(notes.join('\n')).toMatch(/resized to 8 x 8[\s\S]*no labels/)
    expect((await prepare(['plain.onnx'], { labels: 'rgb.txt' })).spec.labels).toEqual(['red', 'green', 'blue'])
  })

  test('an open size is the preprocessing’s', async () => {
    const { spec } = await prepare(['sized'])
    expect(spec.models[0].input).toEqual({ name: 'x', height: 6, width: 4, layout: 'nchw' })
    await expect(prepare(['open.onnx'])).rejects.toThrow(/images of any size/)
  })

  test('channels last gives what channels first gives', async () => {
    const pixels = Uint8Array.from({ length: 4 * 5 * 3 }, (_, i) => (i * 37) % 256)
    const expected = [0, 1, 2].map(
      c => pixels.filter((_, i) => i % 3 === c).reduce((sum, value) => sum + value, 0) / 20 / 255,
    )
    const { spec } = await prepare(['last.onnx'])
    expect(spec.models[0].input).toEqual({ name: 'x', height: 4, width: 5, layout: 'nhwc' })
    const network = await openImageNetwork(createReferenceBackend(), meansChannelsLast, spec.models[0], 4)
    const scores = await network.run([pixels, pixels])
    expected.concat(expected).forEach((value, i) => {
      expect(scores[i]).toBeCloseTo(value, 5)
    })
  })

  test('what does not fit is said in one line that names the network', async () => {
    const refused: [string[], RegExp][] = [
      [['flat.onnx'], /flat\.onnx does not take an image: its inputs are x float32\[N, 7\]/],
      [['map.onnx'], /map\.onnx is not a classifier: its outputs are y \[1, 3, 8, 8\]/],
      [['odd.onnx'], /odd\.onnx: .*NoSuchOp "odd one".*opset 13/],
      [['rgb', 'other'], /other and rgb do not have the same labels \("grey" is in one only\)/],
      [['four'], /four gives 3 values an image, but config\.json has 4 labels/],
      [['small'], /makes images of 6 x 6, the network takes 8 x 8/],
      [['rgb', 'nowhere'], /nowhere does not exist/],
    ]
    for (const [models, says] of refused) {
      await expect(prepare(models)).rejects.toThrow(says)
      await expect(prepare(models)).rejects.not.toThrow(/\n/)
    }
  })
})
