/** The WGSL files: named and headed as their kernels, params in the contract's order, and every variant compiles. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { openGpu } from '../../src/compute/backends/webgpu/device.ts'
import { packParams } from '../../src/compute/backends/webgpu/memory.ts'
import { createPipelineCache, type Variant, variantSource } from '../../src/compute/backends/webgpu/shaders.ts'
import { type Call, type GpuTable, type Implementation, webGpuTable } from '../../src/compute/backends/webgpu/table.ts'
import {
  type KernelName,
  type KernelParams,
  kernelNames,
  kernels,
  type Unsupported,
} from '../../src/compute/kernels/index.ts'
import { complaint, openNullDevice } from './null-gpu.ts'
import { haveWebGpu } from './webgpu.ts'

const available = await haveWebGpu('1 test of a shader that is wrong')
const folder = join(packageRoot, 'shaders')
const read = (name: string) => readFileSync(join(folder, `${name}.wgsl`), 'utf8')

/** Files besides those that have a kernel's name: what they compute a kernel for, where it suits. */
const special: Readonly<Record<string, KernelName>> = { 'conv2d-depthwise': 'conv2d' }

test('every file is a kernel, and every kernel of the table has its file', () => {
  const files = readdirSync(folder).filter(name => name.endsWith('.wgsl'))
  const { direct, tile } = { direct: webGpuTable('direct'), tile: webGpuTable('tile') }
  const supported = kernelNames.filter(name => !('unsupported' in direct[name]) && !('unsupported' in tile[name]))
  expect(files.sort()).toEqual([...supported, ...Object.keys(special)].map(name => `${name}.wgsl`).sort())
})

const named = kernelNames.filter(name => existsSync(join(folder, `${name}.wgsl`))).map(name => [name, name] as const)

describe.each([...named, ...Object.entries(special)])('%s.wgsl', (file, name) => {
  const source = read(file)

  test('opens with what it computes, shapes, numerics and source', () => {
    const header = source.slice(0, source.indexOf('struct Params'))
    expect(header.startsWith(`// ${file}: `)).toBe(true)
    for (const word of ['Shapes: ', 'Numerics: ', 'Source: ']) expect(header).toContain(`// ${word}`)
  })

  test("has the contract's parameters in the contract's order", () => {
    const struct = /struct Params \{([^}]*)\}/.exec(source)?.[1] ?? ''
    const fields = [...struct.matchAll(/^\s*(\w+): (\w+),$/gm)].map(([, field, type]) => [field, type])
    expect(fields).toEqual(Object.entries(kernels[name].fields))
  })

  test("binds the contract's operands, the output and the parameters, in this order", () => {
    const bindings = [...source.matchAll(/@group\(0\) @binding\((\d+)\) var<([^>]*)> (\w+)/g)]
    expect(bindings.map(match => Number(match[1]))).toEqual(bindings.map((_, place) => place))
    const operands = kernels[name].operands.map(operand => operand.replace('?', ''))
    expect(bindings.map(match => match[3])).toEqual([...operands, 'y', 'p'])
    const access = [...operands.map(() => 'storage, read'), 'storage, read_write', 'uniform']
    expect(bindings.map(match => match[2])).toEqual(access)
  })
})

const ones = <K extends KernelName>(name: K, changes: Partial<KernelParams[K]> = {}): KernelParams[K] => ({
  ...(Object.fromEntries(Object.keys(kernels[name].fields).map(field => [field, 1])) as KernelParams[K]),
  ...changes,
})

const sizes = [1, 1000]

/** Parameters that lead to every variant of a kernel. */
const leading: { [K in KernelName]: KernelParams[K][] } = {
  affine: [ones('affine')],
  binary: [ones('binary'), ones('binary', { dim0: 2 })],
  conv2d: [
    ...sizes.flatMap(filters => sizes.map(outWidth => ones('conv2d', { channels: 4, filters, outWidth, strideW: 2 }))),
    ones('conv2d', { channels: 4, width: 1000, outWidth: 1000, padTop: 0, padLeft: 0 }),
    ...[1, 2].map(strideW => ones('conv2d', { strideW })),
  ],
  'conv2d-channels-last': [],
  copy: [ones('copy')],
  gemm: [
    ...sizes.flatMap(m => sizes.map(n => ones('gemm', { m, n }))),
    ones('gemm', { n: 4, k: 4 }),
    ones('gemm', { n: 4, k: 4, transposeB: 0 }),
  ],
  'global-average-pool': [1, 100, 1000].map(area => ones('global-average-pool', { area })),
  'image-to-tensor': [ones('image-to-tensor')],
  'pairwise-coupling': [ones('pairwise-coupling', { classes: 3 })],
  pool2d: [ones('pool2d')],
  'pool2d-channels-last': [],
  softmax: [1, 100, 1000].map(axis => ones('softmax', { axis })),
  unary: [ones('unary')],
  'conv-transpose': [ones('conv-transpose')],
  cumsum: [ones('cumsum')],
  gather: [ones('gather')],
  'gather-elements': [ones('gather-elements')],
  'gather-nd': [ones('gather-nd')],
  lrn: [ones('lrn')],
  matmul: [ones('matmul')],
  normalize: [ones('normalize')],
  pool3d: [ones('pool3d')],
  reduce: [ones('reduce')],
  'resample-axis': [ones('resample-axis')],
  'scatter-elements': [ones('scatter-elements')],
  'scatter-nd': [ones('scatter-nd')],
  'segment-sum': [ones('segment-sum')],
  'squared-distance': [ones('squared-distance')],
  'top-k': [ones('top-k')],
  'tree-ensemble': [ones('tree-ensemble')],
  where: [ones('where')],
}

function callsOf<K extends KernelName>(table: GpuTable, name: K): Call[] {
  const implementation: Implementation<K> | Unsupported = table[name]
  if ('unsupported' in implementation) return []
  return leading[name].map(params => implementation(params)).filter((call): call is Call => !('unsupported' in call))
}

function variantsOf(name: KernelName): Variant[] {
  const calls = (['direct', 'tile'] as const).flatMap(layout => callsOf(webGpuTable(layout), name))
  return [...new Map(calls.map(({ variant }) => [variantSource(variant), variant])).values()]
}

test('the variants are as many as their constants say', () => {
  const counts = kernelNames.map(name => [name, variantsOf(name).length])
  // Two widths without workgroup memory, two widths by two heights with it, and two ways of reading more.
  expect(Object.fromEntries(counts)).toMatchObject({
    conv2d: 9,
    gemm: 8,
    softmax: 3,
    'global-average-pool': 3,
    binary: 2,
  })
})

describe('on a device with the default limits', async () => {
  const device = await openNullDevice()

  test.each(kernelNames)('every variant of %s compiles, with every tile and with subgroups', async name => {
    const variants = [webGpuTable('direct'), webGpuTable('tile'), webGpuTable('tile', 4), webGpuTable('tile', 32)]
      .flatMap(table => callsOf(table, name))
      .flatMap(call => [call, ...(call.others ?? [])])
      .map(({ variant }) => variant)
    for (const variant of new Map(variants.map(one => [variantSource(one), one])).values()) {
      expect(await complaint(device, variant)).toBeUndefined()
    }
  })

  test('the canary: more lanes or memory than the limits allow, and a wrong name, are found', async () => {
    const [variant] = variantsOf('gemm')
    const change = (constants: Variant['constants']) => ({
      ...variant,
      constants: { ...variant.constants, ...constants },
    })
    expect(await complaint(device, variant)).toBeUndefined()
    expect(await complaint(device, change({ TILE_X: 512 }))).toMatch(/512|limit/)
    expect(await complaint(device, { ...variant, common: [] })).toMatch(/multiply_tile|unresolved/)
  })
})

describe.skipIf(!available)('on an adapter', () => {
  test('a shader that is wrong is refused with its line, as a typed error', async () => {
    const context = await openGpu()
    const [variant] = variantsOf('gemm')
    const wrong = { ...variant, constants: { ...variant.constants, TILE_X: -1 } }
    const refused = { name: 'PeerError', code: 'WEBGPU_INVALID', message: expect.stringMatching(/gemm.*:1:\d+ error/) }
    await expect(createPipelineCache(context).get(wrong)).rejects.toMatchObject(refused)
    context.close()
  })
})

test('parameters are packed little-endian, four bytes each, by their type, and padded to 16 bytes', () => {
  const bytes = packParams('unary', { count: 0x01020304, op: 2, alpha: 1, beta: -0 })
  expect([...bytes]).toEqual([4, 3, 2, 1, 2, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x80])
  const view = new DataView(packParams('copy', ones('copy', { strideX0: -3 })).buffer)
  expect(view.getInt32(4 * Object.keys(kernels.copy.fields).indexOf('strideX0'), true)).toBe(-3)
  expect(view.byteLength).toBe(80)
})
