/**
 * Half precision on WebGPU: what is stored as float16, that every shader is valid WGSL with it, and, where the adapter has
 * it, kernels and networks against the reference.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageRoot } from '../../../src/base/package-root.ts'
import { prng } from '../../../src/base/prng.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { openGpu } from '../../../src/compute/backends/webgpu/device.ts'
import { compileProgram } from '../../../src/compute/backends/webgpu/executable.ts'
import { halfBits } from '../../../src/compute/backends/webgpu/half-bits.ts'
import { planHalves, storable } from '../../../src/compute/backends/webgpu/halves.ts'
import { createWeightStore } from '../../../src/compute/backends/webgpu/memory.ts'
import { probeWebGpu } from '../../../src/compute/backends/webgpu/probe.ts'
import { createPipelineCache, variantSource, withHalves } from '../../../src/compute/backends/webgpu/shaders.ts'
import { type Implementation, webGpuTable } from '../../../src/compute/backends/webgpu/table.ts'
import { openTileCache } from '../../../src/compute/backends/webgpu/tile-cache.ts'
import { createTuner } from '../../../src/compute/backends/webgpu/tuner.ts'
import { copyParams } from '../../../src/compute/engine/copy-params.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import type { BufferKind, Program, Step } from '../../../src/compute/engine/program.ts'
import { type KernelName, kernelNames, type Unsupported } from '../../../src/compute/kernels/index.ts'
import { float16Bits, float16Value } from '../../../src/compute/tensor/element-type.ts'
import { elementsOf } from '../../../src/compute/tensor/shape.ts'
import { type KernelCase, kernelCases } from '../kernels/cases.ts'
import { openNullDevice } from '../null-gpu.ts'
import { haveWebGpu, offerSwiftShader } from '../webgpu.ts'

const networks = ['cifar10-resnet8/model.onnx', 'cifar10-vgg/model.onnx', 'mnist.onnx']
const models = join(packageRoot, '../shared/models')

offerSwiftShader()
const hasHalf = (await probeWebGpu({ timeoutMs: 30_000 })).hasHalf === true
if (!hasHalf) console.warn(`SKIPPED ${networks.length + 1} tests of half precision: no adapter here stores float16`)
const available = await haveWebGpu('1 test of an adapter without half precision')

type Call = [kernel: KernelName, inputs: (number | null)[], output: number, params?: Readonly<Record<string, number>>]

/** A program of which only the order, the kernels and the kinds of its buffers (`i`nput, `w`eight, `t`emporary, `o`utput) count. */
function sketch(kinds: string, calls: Call[]): Program {
  const names: Readonly<Record<string, BufferKind>> = { i: 'input', w: 'weight', t: 'temporary', o: 'output' }
  const buffers = [...kinds].map(kind => ({
    ...{ kind: names[kind], dtype: 'float32' as const, elements: 4, weight: -1, offset: 0, slot: 0 },
  }))
  const steps = calls.map(
    ([kernel, inputs, output, params = {}]) => ({ kernel, name: kernel, params, inputs, output }) as Step,
  )
  return { batch: 1, steps, buffers, inputs: [], outputs: [], arenaBytes: 256, slots: [256] }
}

const halvesOf = (kinds: string, calls: Call[]) =>
  planHalves(sketch(kinds, calls)).flatMap((half, index) => (half ? [index] : []))

test('weights are rounded to the nearest float16, ties to even, as the slow way has it', () => {
  const word = new DataView(new ArrayBuffer(4))
  const check = (bits: number) => {
    word.setUint32(0, bits)
    const want = float16Bits(word.getFloat32(0))
    // A NaN's sign and payload are free.
    expect(halfBits(bits) & (want === 0x7e00 ? 0x7fff : 0xffff), bits.toString(16)).toBe(want)
  }
  // Around every power of two, and around the ties between neighbours.
  for (let exponent = 0; exponent < 256; exponent++) {
    for (const digits of [
      0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fefff, 0x7ff000, 0x7ff001, 0x7fffff,
    ]) {
      for (const sign of [0, 1]) check(((sign << 31) | (exponent << 23) | digits) >>> 0)
    }
  }
  const random = prng(9)
  for (let i = 0; i < 20_000; i++) check(random.int(2 ** 32))
})

describe('what half precision stores as float16', () => {
  test('weights of products and what passes between them; not what comes in, goes out, or is added once', () => {
    const network: Call[] = [
      ['conv2d', [0, 1, 2, null], 3],
      ['pool2d', [3], 4],
      ['conv2d', [4, 5, null, 3], 6],
      ['gemm', [6, 7, 2], 8],
    ]
    expect(halvesOf('iwwttwtwo', network)).toEqual([1, 3, 4, 5, 6, 7])
  })

  test('not what indices are made of, however far before', () => {
    const lookup: Call[] = [
      ['conv2d', [0, 1, null, null], 2],
      ['unary', [2], 3, { op: 0 }],
      ['binary', [3, 4], 5, { op: 0 }],
      ['gather', [6, 5], 7],
    ]
    expect(halvesOf('iwttwtwo', lookup)).toEqual([1])
  })

  test('nor what is made of inputs or of places element by element', () => {
    const masks: Call[] = [
      ['binary', [0, 1], 2, { op: 2 }],
      ['softmax', [2], 3],
      ['reduce', [3], 4, { op: 10 }],
      ['binary', [4, 1], 5, { op: 0 }],
      ['matmul', [3, 5], 6],
    ]
    expect(halvesOf('iwtttto', masks)).toEqual([3])
  })

  test('nor squares, exponentials and a buffer that is also read as a bias', () => {
    const rough: Call[] = [
      ['conv2d', [0, 1, null, null], 2],
      ['binary', [2, 2], 3, { op: 2 }],
      ['unary', [3], 4, { op: 3 }],
      ['gemm', [2, 5, 4], 6],
      ['gemm', [6, 6, 6], 7],
    ]
    expect(halvesOf('iwtttwto', rough)).toEqual([1, 2, 5])
  })
})

describe('every shader is valid WGSL with half precision', async () => {
  const device = await openNullDevice()

  test('the canary: float32 written where float16 is stored is found', async () => {
    const code = 'enable f16; var<private> y: f16; @compute @workgroup_size(1) fn main() { y = 1.0f; }'
    expect((await device.createShaderModule({ code }).getCompilationInfo()).messages.length).toBeGreaterThan(0)
  })

  test.each(kernelNames)('%s', async kernel => {
    const sources = new Set<string>()
    for (const one of kernelCases(kernel)) for (const source of halfSources(wrap(one))) sources.add(source)
    for (const code of sources) {
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo()
      expect(messages.map(({ message }) => message)).toEqual([])
    }
  })
})

/** The WGSL of a program's steps that read or write float16, both layouts of matrix products. */
function halfSources(program: Program): string[] {
  const halves = storable(program)
  return program.steps.flatMap(step => {
    const half = [...step.inputs.map(input => input !== null && halves[input]), halves[step.output]]
    return (['tile', 'direct'] as const).flatMap(layout => {
      // Each step's params are its kernel's, which TypeScript does not see through the union.
      const implementation = webGpuTable(layout)[step.kernel] as Implementation<KernelName> | Unsupported
      if ('unsupported' in implementation || !half.includes(true)) return []
      const call = implementation(step.params)
      return 'unsupported' in call ? [] : [variantSource(withHalves(call.variant, half))]
    })
  })
}

/** The same program between copies, so that its inputs and its output may be stored as float16. */
function wrap({ program }: Pick<KernelCase, 'program'>): Program {
  const wrapped: Program = { ...program, buffers: [...program.buffers], steps: [], slots: [], inputs: [], outputs: [] }
  const add = (kind: BufferKind, elements: number) =>
    wrapped.buffers.push({ kind, dtype: 'float32', elements, weight: -1, offset: 0, slot: -1 }) - 1
  const copy = (elements: number, from: number, to: number): Step => {
    const place = { offset: 0, strides: [1] }
    return { kernel: 'copy', name: 'copy', params: copyParams([elements], place, place), inputs: [from], output: to }
  }
  const inside = (index: number) => {
    wrapped.buffers[index] = { ...wrapped.buffers[index], kind: 'temporary' }
  }
  for (const port of program.inputs) {
    const { elements, dtype } = program.buffers[port.buffer]
    if (dtype === 'uint8') {
      wrapped.inputs.push(port)
      continue
    }
    const buffer = add('input', elements)
    inside(port.buffer)
    wrapped.steps.push(copy(elements, buffer, port.buffer))
    wrapped.inputs.push({ ...port, buffer })
  }
  wrapped.steps.push(...program.steps)
  for (const port of program.outputs) {
    const buffer = add('output', program.buffers[port.buffer].elements)
    inside(port.buffer)
    wrapped.steps.push(copy(program.buffers[port.buffer].elements, port.buffer, buffer))
    wrapped.outputs.push({ ...port, buffer })
  }
  // Every buffer for itself.
  let offset = 0
  wrapped.buffers = wrapped.buffers.map(buffer => {
    if (buffer.kind === 'weight') return buffer
    const bytes = Math.max(1, Math.ceil(buffer.elements / 64)) * 256
    const placed = { ...buffer, offset, slot: wrapped.slots.push(bytes) - 1 }
    offset += bytes
    return placed
  })
  return { ...wrapped, arenaBytes: offset }
}

/** Half of the gap between neighbours: 11 bits of which one is implied. */
const halfRounding = 2 ** -11
/** The same among numbers too small for a normalised float16. */
const halfSubnormal = 2 ** -25
const halfMax = 65_504

function wrongAt(one: KernelCase, got: Float32Array, want: Float32Array): string | undefined {
  const { relative, absolute } = one.tolerance === 'bits' ? { relative: 0, absolute: 0 } : one.tolerance
  for (const [i, value] of want.entries()) {
    if (got[i] === value || (Number.isNaN(got[i]) && Number.isNaN(value))) continue
    // Beyond its range float16 is infinite; a driver may give its largest number.
    if (Math.abs(value) > halfMax * (1 - halfRounding) && Math.abs(got[i]) >= halfMax && got[i] > 0 === value > 0)
      continue
    const bound = absolute + (relative + 1.01 * halfRounding) * Math.abs(value) + 2 * halfSubnormal
    // A driver may flush what is too small for a normalised float16.
    if (Math.abs(value) < 2 ** -14 && got[i] === 0) continue
    if (!(Math.abs(got[i] - value) <= bound)) return `${one.kernel} ${one.name}: [${i}] is ${got[i]}, not ${value}`
  }
}

const rounded = (data: Float32Array) =>
  data.map(value => {
    const x = float16Value(float16Bits(value))
    return Math.abs(x) < 2 ** -14 ? 0 : x
  })

/** Kernels that read float16; where they only copy or look up, nothing else is told by them. */
const halfKernels = [
  'affine',
  'binary',
  'conv-transpose',
  'conv2d',
  'copy',
  'gemm',
  'global-average-pool',
  'lrn',
  'matmul',
] as const
const moreHalfKernels = [
  'normalize',
  'pool2d',
  'reduce',
  'resample-axis',
  'softmax',
  'unary',
  'image-to-tensor',
] as const

describe.skipIf(!hasHalf)('with half precision', () => {
  test.each([...halfKernels, ...moreHalfKernels])(
    '%s gives the reference of rounded operands, rounded',
    { timeout: 120_000 },
    async kernel => {
      const context = await openGpu('any', 'f16')
      const pipelines = createPipelineCache(context)
      const tuner = createTuner({ context, pipelines, cache: await openTileCache('none'), budgetMs: 0 })
      const weightStore = createWeightStore(context)
      const reference = createReferenceBackend()
      const wrong: (string | undefined)[] = []
      let halves = 0
      // Integers are not stored as float16, which would not hold them.
      const cases = kernelCases(kernel).filter(({ name }) => !name.startsWith('intDiv'))
      for (const one of cases) {
        const program = wrap(one)
        const half = storable(program)
        halves += half.filter(Boolean).length
        const table = webGpuTable('tile')
        const deps = { context, pipelines, tuner, weightStore, table, halvesOf: () => half }
        const inputs = Object.fromEntries(
          Object.entries(one.inputs).map(([name, data]) => [name, data instanceof Float32Array ? rounded(data) : data]),
        )
        const weights = one.weights.map((weight, place) => {
          const buffer = program.buffers.findIndex(other => other.weight === place)
          const data = half[buffer] && weight.data instanceof Float32Array ? rounded(weight.data) : weight.data
          return { ...weight, data, key: `${weight.key}${half[buffer]}` }
        })
        const { out: got } = await (await compileProgram(deps, program, weights)).run(inputs)
        const { out: want } = await (await reference.compile(program, weights)).run(inputs)
        wrong.push(wrongAt(one, got, want))
      }
      context.close()
      expect(halves).toBeGreaterThan(0)
      expect(wrong.filter(Boolean)).toEqual([])
    },
  )

  /** Stated for `--precision f16`: relative L2 norm of the difference from float32's result. */
  const networkTolerance = 1e-2

  test.each(existsSync(models) ? networks : [])('%s is near float32', { timeout: 120_000 }, async file => {
    const model = loadModel(readFileSync(join(models, file)))
    const batch = model.fixedBatch ?? 2
    const { program, weights } = planModel(model, { batch })
    const random = prng(5)
    const [port] = program.inputs
    const data = Float32Array.from({ length: elementsOf(port.dims) }, () => random.next())
    const backend = await createWebGpuBackend({ precision: 'f16' })
    expect(backend.numericClass).toMatch(/\/f16\//)
    const got = Object.values(await (await backend.compile(program, weights)).run({ [port.name]: data }))[0]
    await backend.dispose()
    const want = Object.values(
      await (await createReferenceBackend().compile(program, weights)).run({ [port.name]: data }),
    )[0]
    const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))
    const error = norm(got.map((value, i) => value - want[i])) / norm(want)
    expect(error).toBeLessThan(networkTolerance)
    // It was float16 that passed between the kernels, and not float32.
    expect(error).toBeGreaterThan(1e-6)
  })
})

test.skipIf(!available)('an adapter without float16 says so', async () => {
  if (hasHalf) return
  const refused = { code: 'WEBGPU_NO_F16', kind: 'resource', retry: 'elsewhere', message: /leave out --precision f16/ }
  await expect(createWebGpuBackend({ precision: 'f16' })).rejects.toMatchObject({
    ...refused,
    message: expect.stringMatching(refused.message),
  })
})
