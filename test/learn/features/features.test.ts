/** Features of images against plain loops, scikit-image and onnxruntime, on both backends. */
import { readFileSync } from 'node:fs'
import * as ort from 'onnxruntime-web'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { decodeImage } from '../../../src/data/images/decode.ts'
import { openEngine } from '../../../src/learn/device/engine.ts'
import { hashTable, makeModelCard } from '../../../src/learn/export/model-card.ts'
import { exportOnnx } from '../../../src/learn/export/onnx.ts'
import {
  exportFeatures,
  featureCount,
  featureNames,
  type ImageFeatures,
  type ImageFeaturesInit,
  parseImageFeatures,
} from '../../../src/learn/features/features.ts'
import { parseTrainOptions } from '../../../src/learn/options.ts'
import { train } from '../../../src/learn/train.ts'
import { createTraining } from '../../../src/learn/training.ts'
import { haveWebGpu } from '../../compute/webgpu.ts'
import { crops, digits, drawnPictures, hogReference, reference } from '../reference-data.ts'
import { simpleColours, simpleHog, simplePatterns } from './simple.ts'

ort.env.wasm.numThreads = 1

const random = prng(31)

function simple(image: Float32Array, options: ImageFeatures): number[] {
  if (options.kind === 'hog') return simpleHog(image, options)
  return options.kind === 'lbp' ? simplePatterns(image, options) : simpleColours(image, options)
}

/**
 * Noise beside a flat part, where neighbours are equal. Bytes over 255 only where they are counted: over 256 their differences
 * are exact, so that a diagonal gradient is one for the plain loops too.
 */
function picture({ kind, channels, height, width }: ImageFeatures): Float32Array {
  const whole = kind === 'color-histogram' ? 255 : 256
  return Float32Array.from({ length: channels * height * width }, (_, at) =>
    Math.fround((at % width < width / 3 ? 200 : random.int(256)) / whole),
  )
}

async function run(backend: Backend, options: ImageFeatures, images: readonly Float32Array[]): Promise<number[]> {
  const session = openSession(backend, loadModel(exportFeatures(options)))
  const { channels, height, width } = options
  const data = Float32Array.from(images.flatMap(image => [...image]))
  const { features } = await session.run({
    image: { type: 'float32', dims: [images.length, channels, height, width], data },
  })
  session.dispose()
  expect(features.dims).toEqual([images.length, featureCount(options)])
  return Array.from(features.data, Number)
}

function expectClose(got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length)
  const worst = got.reduce((most, value, i) => Math.max(most, Number.isNaN(value) ? 1 : Math.abs(value - want[i])), 0)
  expect(worst).toBeLessThan(tolerance)
}

const kinds: ImageFeaturesInit[] = [
  { kind: 'hog', height: 24, width: 32 },
  { kind: 'hog', height: 21, width: 19, channels: 1, cell: 5, block: 3, orientations: 8 },
  { kind: 'hog', height: 8, width: 8, channels: 1, cell: 4, block: 1 },
  { kind: 'hog', height: 9, width: 9, cell: 3, orientations: 2 },
  { kind: 'color-histogram', height: 7, width: 9 },
  { kind: 'color-histogram', height: 16, width: 16, bins: 5 },
  { kind: 'color-histogram', height: 4, width: 4, channels: 1, bins: 256 },
  { kind: 'lbp', height: 12, width: 17 },
  { kind: 'lbp', height: 14, width: 18, cell: 4, channels: 1 },
  { kind: 'lbp', height: 6, width: 6, cell: 5 },
]

const gpu = await haveWebGpu('image features on webgpu')

describe.each(['wasm', 'webgpu'])('features on %s', name => {
  let backend: Backend | undefined
  beforeAll(async () => {
    if (name === 'wasm') backend = await createWasmBackend()
    else if (gpu) backend = await createWebGpuBackend()
  }, 60_000)
  afterAll(() => backend?.dispose())

  test.each(kinds)('%j are those of plain loops', { timeout: 60_000 }, async init => {
    if (!backend) return
    const options = parseImageFeatures(init)
    const images = [picture(options), picture(options), new Float32Array(picture(options).length)]
    const want = images.flatMap(image => simple(image, options))
    expectClose(await run(backend, options, images), want, 2e-5)
  })

  test('gradients are those of scikit-image', { timeout: 60_000 }, async () => {
    if (!backend) return
    const { descriptors } = reference('hog', hogReference)
    const hog = parseImageFeatures({ kind: 'hog', height: 128, width: 128 })
    const { pixels, width } = await decodeImage(readFileSync(drawnPictures))
    for (const { name: place, left, top } of crops) {
      const crop = Float32Array.from({ length: 3 * 128 * 128 }, (_, at) => {
        const [channel, row, column] = [Math.floor(at / 16_384), Math.floor(at / 128) % 128, at % 128]
        return pixels[((top + row) * width + left + column) * 3 + channel] / 255
      })
      expectClose(await run(backend, hog, [crop]), descriptors[place], 1e-4)
    }
    const small = parseImageFeatures({ kind: 'hog', height: 8, width: 8, channels: 1, cell: 4, block: 1 })
    const digit = Float32Array.from(digits().features[0], value => value / 16)
    expectClose(await run(backend, small, [digit]), descriptors['digit-row-0'], 1e-4)
  })
})

test('onnxruntime takes the same features from the same file', async () => {
  for (const init of kinds) {
    const options = parseImageFeatures(init)
    const image = picture(options)
    const session = await ort.InferenceSession.create(exportFeatures(options), { logSeverityLevel: 3 })
    const dims = [1, options.channels, options.height, options.width]
    const { features } = await session.run({ image: new ort.Tensor('float32', image, dims) })
    await session.release()
    expectClose(Array.from(features.data, Number), simple(image, options), 2e-5)
  }
})

test('a classifier of digits takes images, its features in front', async () => {
  const backend = await createWasmBackend()
  const options = parseImageFeatures({ kind: 'hog', height: 8, width: 8, channels: 1, cell: 4, block: 1 })
  const { features: rows, classes } = digits()
  const images = rows.slice(0, 300).map(row => Float32Array.from(row, value => value / 16))
  const x = Float32Array.from(await run(backend, options, images))
  const names = [...new Set(classes)]
  const codes = Uint32Array.from(classes.slice(0, 300), name => names.indexOf(name))
  const columns = featureNames(options)
  const shard = { index: 0, firstRow: 0, rows: 300, columns, x, label: { kind: 'class' as const, names, codes } }
  const training = createTraining(parseTrainOptions({ method: 'softmax', c: 10 }), columns)
  const engine = openEngine(backend)
  const result = await train(training, [shard], [engine])
  const card = makeModelCard(training, result, { dataHash: hashTable([shard]), features: options })
  const session = openSession(backend, loadModel(exportOnnx(result.model, result.setting, card, options)))
  const data = Float32Array.from(images.flatMap(image => [...image]))
  const { label } = await session.run({ image: { type: 'float32', dims: [300, 1, 8, 8], data } })
  const right = Array.from(label.data, String).filter((name, i) => name === classes[i]).length
  expect(right).toBeGreaterThan(240)
  engine.dispose()
  await backend.dispose()
})

test.each<[unknown, RegExp]>([
  [{ kind: 'sift', height: 8, width: 8 }, /kind/],
  [{ kind: 'hog', height: 8, width: 8 }, /no room for one block/],
  [{ kind: 'hog', height: 4096, width: 4096 }, /features, at most/],
  [{ kind: 'lbp', height: 2, width: 9 }, /no room/],
  [{ kind: 'color-histogram', height: 8, width: 8, bins: 1 }, /bins/],
])('refuses %j', (init, message) => {
  expect(() => parseImageFeatures(init)).toThrow(message)
})
