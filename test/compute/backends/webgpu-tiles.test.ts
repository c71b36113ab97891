/** The tiles of a matrix product on WebGPU: whichever is chosen, and however operands are read, the bits are the same. */
import { afterAll, describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createWebGpuBackend, type WebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { tiles } from '../../../src/compute/backends/webgpu/matrix.ts'
import {
  type Call,
  type GpuTable,
  type Implementation,
  webGpuTable,
} from '../../../src/compute/backends/webgpu/table.ts'
import { kernelProgram, type OperandInit } from '../../../src/compute/engine/kernel-program.ts'
import type { KernelName, KernelParams, Unsupported } from '../../../src/compute/kernels/index.ts'
import { normals } from '../kernels/case.ts'
import { haveWebGpu } from '../webgpu.ts'

const available = await haveWebGpu('13 tests of the tiles of matrix products')

const backends: WebGpuBackend[] = []
afterAll(async () => {
  for (const backend of backends) await backend.dispose()
})

async function open(table: GpuTable): Promise<WebGpuBackend> {
  const backend = await createWebGpuBackend({ table })
  backends.push(backend)
  return backend
}

function callOf<K extends KernelName>(table: GpuTable, kernel: K, params: KernelParams[K]): Call {
  const implementation: Implementation<K> | Unsupported = table[kernel]
  const call = 'unsupported' in implementation ? implementation : implementation(params)
  if ('unsupported' in call) throw new Error(call.unsupported)
  return call
}

const tile = webGpuTable('tile')

/** The same table, whose matrix products take the tile of this name. */
function always(name: string): GpuTable {
  const pick = (call: Call): Call => {
    const found = [call, ...(call.others ?? [])].find(one => one.name === name)
    if (!found) throw new Error(`no tile ${name} for this product`)
    return { ...found, others: undefined }
  }
  return {
    ...tile,
    gemm: p => pick(callOf(tile, 'gemm', p)),
    conv2d: p => pick(callOf(tile, 'conv2d', p)),
    matmul: p => pick(callOf(tile, 'matmul', p)),
  }
}

type Product = 'gemm' | 'conv2d' | 'matmul'

/** Float32 data whose sums round, so that another order or a missing fused operation shows. */
async function bits<K extends Product>(
  backend: WebGpuBackend,
  kernel: K,
  params: KernelParams[K],
  sizes: (number | null)[],
  outputs: number,
): Promise<Uint32Array> {
  const random = prng(3)
  const operands = sizes.map((size): OperandInit | null => (size === null ? null : { data: normals(random, size) }))
  const { program, weights, inputs } = kernelProgram(kernel, [{ params, operands }], outputs)
  const executable = await backend.compile(program, weights)
  const { out } = await executable.run(inputs)
  executable.dispose()
  return new Uint32Array(out.buffer)
}

const plain = { activation: 0, clipMin: 0, clipMax: 0 }

function gemm(m: number, n: number, k: number, transposeB: 0 | 1) {
  const bias = { hasBias: 1, biasStrideM: 0, biasStrideN: 1 }
  const params = { batch: 1, m, n, k, transposeB, sharedB: 1, ...bias, ...plain }
  return { params, sizes: [m * k, n * k, n], outputs: m * n }
}

function conv2d(channels: number, side: number, filters: number, kernel: number) {
  const outputs = 2 * filters * side * side
  const params = {
    ...{ batch: 2, channels, height: side, width: side, filters, kernelH: kernel, kernelW: kernel },
    ...{ outHeight: side, outWidth: side, strideH: 1, strideW: 1, padTop: kernel >> 1, padLeft: kernel >> 1 },
    ...{ dilationH: 1, dilationW: 1, groups: 1, hasBias: 0, hasResidual: 1, ...plain },
  }
  return { params, sizes: [2 * channels * side * side, filters * channels * kernel ** 2, null, outputs], outputs }
}

// A software adapter takes a second or two to compile a large tile: the usual one is held against the same product in
// webgpu.test.ts, and here each of the others once.
const others = tiles.map(({ name }) => name).filter(name => name !== '64x64/256')
const some = ['64x64/64']

describe.skipIf(!available)('every tile gives the same bits as a product without workgroup memory', () => {
  /** Opened once: its shaders are the same for all. */
  let direct: Promise<WebGpuBackend> | undefined

  async function expectSame<K extends Product>(
    kernel: K,
    { params, sizes, outputs }: { params: KernelParams[K]; sizes: (number | null)[]; outputs: number },
    names: string[],
  ) {
    direct ??= open(webGpuTable('direct'))
    const want = await bits(await direct, kernel, params, sizes, outputs)
    await Promise.all(
      names.map(async name => {
        expect(await bits(await open(always(name)), kernel, params, sizes, outputs), name).toEqual(want)
      }),
    )
  }

  test.each(others)('%s, and sizes that are no multiples of anything', { timeout: 120_000 }, async name => {
    await expectSame('gemm', gemm(131, 137, 37, 0), [name])
  })

  test('read four at a time', { timeout: 120_000 }, async () => {
    const { variant } = callOf(tile, 'gemm', gemm(129, 132, 36, 0).params)
    expect(variant.constants).toMatchObject({ FOUR_A: true, FOUR_B: true, FOUR_B_DOWN: false })
    expect(variant.operands.map(operand => operand.four)).toEqual([true, true, false, true])
    await expectSame('gemm', gemm(129, 132, 36, 0), some)
  })

  test('read four at a time along k', { timeout: 120_000 }, async () => {
    expect(callOf(tile, 'gemm', gemm(129, 130, 36, 1).params).variant.constants).toMatchObject({ FOUR_B_DOWN: true })
    await expectSame('gemm', gemm(129, 130, 36, 1), some)
  })

  test('matrices read by strides', { timeout: 120_000 }, async () => {
    // b lies transposed, as keys in attention do.
    const strides = { strideA0: 0, strideA1: 70 * 20, strideAM: 20, strideAK: 1 }
    const more = { strideB0: 0, strideB1: 68 * 20, strideBK: 1, strideBN: 20 }
    const params = { batch0: 1, batch1: 2, m: 70, n: 68, k: 20, ...strides, ...more }
    expect(callOf(tile, 'matmul', params).variant.constants).toMatchObject({ FOUR_A: true, FOUR_B_DOWN: true })
    await expectSame('matmul', { params, sizes: [2 * 70 * 20, 2 * 68 * 20], outputs: 2 * 70 * 68 }, ['64x64/64'])
  })

  test('convolutions of single pixels', { timeout: 120_000 }, async () => {
    const one = conv2d(12, 10, 70, 1)
    expect(callOf(tile, 'conv2d', one.params).variant.constants).toMatchObject({ FOUR_A: true, FOUR_B: true })
    await expectSame('conv2d', one, some)
  })

  test('convolutions of windows', { timeout: 120_000 }, async () => {
    const one = conv2d(3, 9, 70, 3)
    expect(callOf(tile, 'conv2d', one.params).variant.constants).toMatchObject({ FOUR_A: false, FOUR_B: false })
    await expectSame('conv2d', one, some)
  })
})
