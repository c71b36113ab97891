/** Whole networks, from the file's bytes to the result, against onnxruntime-web; and that a row never depends on its batch. */
import { describe, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import { openNetwork } from '../../../src/compute/engine/network.ts'
import { runOnnxruntime } from '../onnxruntime.ts'
import { demoModels, randomInputs, relativeL2, sharedModels } from '../shared-models.ts'
import { wasmKinds } from '../wasm-kinds.ts'
import { haveWebGpu } from '../webgpu.ts'

const wasm = await wasmKinds(6)
const webgpu = await haveWebGpu('4 networks on WebGPU')
const backends: readonly (readonly [string, () => Promise<Backend>])[] = [
  ...wasm.map(kind => [`wasm ${kind}`, () => createWasmBackend({ kind })] as const),
  ['reference', async () => createReferenceBackend()],
  ...(webgpu ? [['webgpu', createWebGpuBackend] as const] : []),
] as const

describe.each([...demoModels, ...sharedModels()])('$name', ({ name, bytes, batch, scale }) => {
  test.each(backends)('agrees with onnxruntime-web on %s', async (label, make) => {
    if (label === 'reference' && name === 'ultraface') return // a minute of scalar arithmetic would show nothing new
    const model = loadModel(bytes)
    const backend = await make()
    const { program, weights } = planModel(model, { batch, layout: backend.layout })
    const inputs = randomInputs(program, scale)
    const got = await (await backend.compile(program, weights)).run(inputs)
    const want = await runOnnxruntime(bytes, program, inputs)
    for (const { name: port, dims } of program.outputs) {
      expect(dims).toEqual(want[port].dims)
      expect(relativeL2(got[port], want[port].data)).toBeLessThan(1e-4)
    }
    await backend.dispose()
  })
})

describe.each([...demoModels, ...sharedModels('cifar10-resnet8', 'cifar10-vgg')])(
  '$name by rows',
  ({ bytes, scale }) => {
    test.each(backends.slice(0, wasm.length))('a row has the same bits whatever its batch on %s', async (_, make) => {
      const backend = await make()
      const model = loadModel(bytes)
      const one = await openNetwork(backend, model, { batchMax: 1 })
      const many = await openNetwork(backend, model, { batchMax: 8 })
      const count = 13 // runs of 8, 4 and 1
      const rows = Float32Array.from({ length: count * one.rowElements }, (_unused, i) => Math.sin(i) ** 2 * scale)
      expect(await many.run(rows, count)).toEqual(await one.run(rows, count))
      await backend.dispose()
    })

    test('pixels give what their normalised floats give', async () => {
      const backend = await createWasmBackend()
      const model = loadModel(bytes)
      const imageToTensor = { scale: [scale / 255, scale / 255, scale / 255], bias: [0, 0, 0] }
      const { program, weights } = planModel(model, { batch: 2, input: 'uint8', imageToTensor, layout: backend.layout })
      const [, height, width] = program.inputs[0].dims
      expect(program.inputs[0]).toMatchObject({ dtype: 'uint8', dims: [2, height, width, 3] })
      const area = height * width
      const inputs = randomInputs(program, scale)
      const [[port, pixels]] = Object.entries(inputs)
      const got = await (await backend.compile(program, weights)).run(inputs)
      const floats = planModel(model, { batch: 2, layout: backend.layout })
      const planes = new Float32Array(pixels.length)
      for (let n = 0; n < 2; n++)
        for (let c = 0; c < 3; c++)
          for (let i = 0; i < area; i++) planes[(n * 3 + c) * area + i] = (pixels[(n * area + i) * 3 + c] * scale) / 255
      const executable = await backend.compile(floats.program, floats.weights)
      const want = await executable.run({ [port]: planes })
      for (const name of Object.keys(want)) expect(relativeL2(got[name], want[name])).toBeLessThan(1e-5)
      await backend.dispose()
    })
  },
)

test.each(sharedModels('cifar10-resnet8'))('$name is fused to its convolutions', ({ bytes }) => {
  const model = loadModel(bytes)
  expect(model.endsInProbability).toBe(true)
  expect(model.inputs).toEqual([{ name: 'input', dtype: 'float32', dims: ['N', 3, 32, 32] }])
  const { program } = planModel(model, { batch: 2 })
  const kinds = program.steps.map(step => step.kernel)
  expect(kinds).toEqual([...new Array(9).fill('conv2d'), 'pool2d', 'gemm', 'softmax'])
  const residuals = program.steps.filter(step => step.kernel === 'conv2d' && step.params.hasResidual)
  expect(residuals.length).toBe(3)
})

test.skipIf(!wasm.includes('simd 256-bit fma')).each(sharedModels('cifar10-resnet8'))(
  'vectors of 256 bits give $name the bits of those of 128',
  async ({ bytes, scale }) => {
    const [wide, plain] = await Promise.all(
      (['simd 256-bit fma', 'simd fma'] as const).map(async kind => {
        const network = await openNetwork(await createWasmBackend({ kind }), loadModel(bytes))
        return network.run(
          Float32Array.from({ length: 5 * network.rowElements }, (_, i) => Math.sin(i) * scale),
          5,
        )
      }),
    )
    expect(wide).toEqual(plain)
  },
)

test.each(sharedModels('mnist'))('$name insists on its batch, and is run row by row', async ({ bytes }) => {
  const model = loadModel(bytes)
  expect(model.fixedBatch).toBe(1)
  expect(() => planModel(model, { batch: 2 })).toThrow(/exactly 1 rows/)
  const network = await openNetwork(await createWasmBackend(), model)
  const { Plus214_Output_0: scores } = await network.run(new Float32Array(3 * 784).fill(0.5), 3)
  expect(scores.length).toBe(30)
  expect(scores.slice(10, 20)).toEqual(scores.slice(0, 10))
})
