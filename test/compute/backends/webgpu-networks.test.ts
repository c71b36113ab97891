/** Whole trained networks on WebGPU against the scalar reference; and a row's bits, whatever the batch. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageRoot } from '../../../src/base/package-root.ts'
import { prng } from '../../../src/base/prng.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { loadModel, type PlanOptions, planModel } from '../../../src/compute/engine/model.ts'
import { elementsOf } from '../../../src/compute/tensor/shape.ts'
import { haveWebGpu } from '../webgpu.ts'

const demo = join(packageRoot, 'demo/models')
const models = join(packageRoot, '../shared/models')

/** The file, how it takes images, and the largest value of an input that is not bytes. */
const every: [file: string, options: Omit<PlanOptions, 'batch'>, most: number][] = [
  [
    join(demo, 'shapes-plain/model.onnx'),
    { input: 'uint8', imageToTensor: { scale: third(1 / 255), bias: third(0) } },
    255,
  ],
  [join(demo, 'shapes-separable/model.onnx'), {}, 1],
  ['cifar10-resnet8/model.onnx', { input: 'uint8' }, 255],
  ['cifar10-vgg/model.onnx', { input: 'uint8', imageToTensor: { scale: third(1 / 255), bias: third(0) } }, 255],
  ['cifar10-vgg/model.onnx', {}, 1],
  ['mnist.onnx', {}, 1],
]

function third(value: number): number[] {
  return [value, value, value]
}

const networks = every.filter(([file]) => existsSync(resolve(models, file)))
const available = await haveWebGpu(`${networks.length} networks on WebGPU`)

const opened = available ? await createWebGpuBackend() : undefined
const reference = createReferenceBackend()

async function runRows(
  backend: Backend,
  file: string,
  options: PlanOptions,
  rows: Float32Array,
): Promise<Float32Array> {
  const model = loadModel(readFileSync(resolve(models, file)))
  const { program, weights } = planModel(model, options)
  const executable = await backend.compile(program, weights)
  const [port] = program.inputs
  const data = rows.subarray(0, elementsOf(port.dims))
  const outputs = await executable.run({ [port.name]: port.dtype === 'uint8' ? Uint8Array.from(data) : data })
  executable.dispose()
  return outputs[program.outputs[0].name]
}

function relativeL2(got: Float32Array, want: Float32Array): number {
  let difference = 0
  let size = 0
  got.forEach((value, i) => {
    difference += (value - want[i]) ** 2
    size += want[i] ** 2
  })
  return Math.sqrt(difference / size)
}

/** Values for `count` rows of the network's input. */
function randomRows(file: string, seed: number, count: number, most: number): Float32Array {
  const random = prng(seed)
  const { dims } = planModel(loadModel(readFileSync(resolve(models, file))), { batch: 1 }).program.inputs[0]
  return Float32Array.from({ length: count * elementsOf(dims) }, () => random.next() * most)
}

describe.skipIf(!opened)('networks on webgpu', () => {
  test.each(networks)('%s %o', async (file, options, most) => {
    const backend = opened!
    const batch = loadModel(readFileSync(resolve(models, file))).fixedBatch ?? 2
    const rows = randomRows(file, 7, 3, most)
    const got = await runRows(backend, file, { ...options, batch }, rows)
    const want = await runRows(reference, file, { ...options, batch }, rows)
    expect(got.length).toBe(want.length)
    expect(relativeL2(got, want)).toBeLessThan(1e-4)
  })

  test.each(networks.slice(0, 2))("%s: a row's bits do not depend on the batch", async (file, options, most) => {
    const backend = opened!
    const rows = randomRows(file, 11, 5, most)
    const bits = async (batch: number) =>
      new Uint32Array((await runRows(backend, file, { ...options, batch }, rows)).buffer)
    const five = await bits(5)
    expect(await bits(1)).toEqual(five.subarray(0, five.length / 5))
    expect(await bits(2)).toEqual(five.subarray(0, (five.length / 5) * 2))
  })
})
