/** The tuner: measures within its time, remembers by adapter in a file, and changes no bits. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createWebGpuBackend, type TuningInit } from '../../../src/compute/backends/webgpu/backend.ts'
import { openGpu } from '../../../src/compute/backends/webgpu/device.ts'
import { createPipelineCache } from '../../../src/compute/backends/webgpu/shaders.ts'
import { webGpuTable } from '../../../src/compute/backends/webgpu/table.ts'
import { openTileCache, type TileCache } from '../../../src/compute/backends/webgpu/tile-cache.ts'
import { createTuner } from '../../../src/compute/backends/webgpu/tuner.ts'
import { kernelProgram } from '../../../src/compute/engine/kernel-program.ts'
import { normals } from '../kernels/case.ts'
import { haveWebGpu } from '../webgpu.ts'

const available = await haveWebGpu('4 tests of the tuner')
const folder = mkdtempSync(join(tmpdir(), 'shardmesh-tiles-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A product with two tiles to choose from, so that little is compiled. */
const params = {
  ...{ batch: 1, m: 17, n: 18, k: 21, transposeB: 0, sharedB: 1, hasBias: 0, biasStrideM: 0, biasStrideN: 0 },
  ...{ activation: 0, clipMin: 0, clipMax: 0 },
}
const [a, b] = [17 * 21, 21 * 18].map(count => ({ data: normals(prng(5), count) }))
const product = kernelProgram('gemm', [{ params, operands: [a, b, null] }], 17 * 18)

async function run(tuning: TuningInit): Promise<Uint32Array> {
  const backend = await createWebGpuBackend({ table: webGpuTable('tile'), tuning })
  const { out } = await (await backend.compile(product.program, product.weights)).run(product.inputs)
  await backend.dispose()
  return new Uint32Array(out.buffer)
}

function choices(file: string): Record<string, string> {
  const { adapters } = JSON.parse(readFileSync(file, 'utf8')) as { adapters: Record<string, Record<string, string>> }
  expect(Object.keys(adapters).length).toBe(1)
  return Object.values(adapters)[0]
}

describe.skipIf(!available)('tuning', () => {
  test('measures, remembers what it chose, and takes what is remembered, with the same bits', {
    timeout: 120_000,
  }, async () => {
    const file = join(folder, 'a', 'tiles.json')
    const untuned = await run({})
    expect(await run({ file, budgetMs: 60_000 })).toEqual(untuned)
    const [[key, name]] = Object.entries(choices(file))
    expect(key).toMatch(/^gemm 1 17 18 21 /)
    const names = ['16x16/16', '32x32/64']
    expect(names).toContain(name)
    // The other one, by hand: it is taken without being measured, and gives the same bits too.
    const text = readFileSync(file, 'utf8').replace(name, names[1 - names.indexOf(name)])
    writeFileSync(file, text)
    expect(await run({ file, budgetMs: 60_000 })).toEqual(untuned)
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test('a name that no tile has is as none', { timeout: 120_000 }, async () => {
    const file = join(folder, 'old.json')
    const untuned = await run({ file, budgetMs: 60_000 })
    writeFileSync(file, readFileSync(file, 'utf8').replace(/\d+x\d+\/\d+"/, '9x9/9"'))
    expect(await run({ file })).toEqual(untuned)
  })

  test('without time, and on a software adapter unless it is given some, nothing is measured or written', async () => {
    const file = join(folder, 'none.json')
    await run({ file, budgetMs: 0 })
    expect(readdirSync(folder)).not.toContain('none.json')
  })

  test('the dearest step is measured first, each key once, and none when the time is over', async () => {
    const context = await openGpu()
    const pipelines = createPipelineCache(context)
    const asked: string[] = []
    const cache: TileCache = { get: () => undefined, set: key => asked.push(key), save: async () => {} }
    const table = webGpuTable('tile')
    if ('unsupported' in table.gemm) throw new Error('a gap in the table')
    const call = table.gemm(params)
    if ('unsupported' in call) throw new Error(call.unsupported)
    const { STORAGE, UNIFORM } = GPUBufferUsage
    const buffer = context.device.createBuffer({ size: 65_536, usage: STORAGE })
    const output = context.device.createBuffer({ size: 65_536, usage: STORAGE })
    const uniforms = context.device.createBuffer({ size: 256, usage: UNIFORM })
    const entries = [buffer, buffer, buffer, output, uniforms].map((one, binding) => ({
      binding,
      resource: { buffer: one },
    }))
    const steps = ['cheap', 'dear', 'twice', 'twice'].map((key, place) => ({
      call,
      key,
      cost: [1, 9, 5, 5][place],
      entries,
    }))
    const chosen = await createTuner({ context, pipelines, cache, budgetMs: 60_000 }).choose(steps)
    expect(asked).toEqual(['twice', 'dear', 'cheap'])
    expect(chosen.length).toBe(4)
    // What the driver refuses is passed over.
    const constants = { ...call.variant.constants, TILE_X: 512 }
    const refused = { ...call, name: 'refused', variant: { ...call.variant, constants } }
    const usual = [{ ...steps[0], call: { ...call, others: [refused] } }]
    const patient = createTuner({ context, pipelines, cache, budgetMs: 60_000 })
    expect((await patient.choose(usual)).map(({ name }) => name)).toEqual([call.name])
    expect(asked).toEqual(['twice', 'dear', 'cheap', 'cheap'])
    asked.length = 0
    expect(await createTuner({ context, pipelines, cache, budgetMs: 0 }).choose(steps)).toEqual(steps.map(() => call))
    expect(asked).toEqual([])
    context.close()
  })
})

describe('the cache of tiles', () => {
  test('is kept by adapter, written in whole, and leaves no draft behind', async () => {
    const file = join(folder, 'b', 'tiles.json')
    const [one, other] = await Promise.all(['one', 'other'].map(adapter => openTileCache(adapter, file)))
    one.set('k', 'v')
    await one.save()
    other.set('k', 'w')
    await other.save()
    expect((await openTileCache('one', file)).get('k')).toBe('v')
    expect((await openTileCache('other', file)).get('k')).toBe('w')
    expect(readdirSync(join(folder, 'b'))).toEqual(['tiles.json'])
  })

  test.each(['', '{', '[]', '{"format":2,"adapters":{}}', '{"format":1,"adapters":{"a":{"k":7}}}'])(
    'a file that holds %s is as none, and is replaced',
    async text => {
      const file = join(folder, 'corrupt.json')
      writeFileSync(file, text)
      const cache = await openTileCache('a', file)
      expect(cache.get('k')).toBeUndefined()
      cache.set('k', 'v')
      await cache.save()
      expect((await openTileCache('a', file)).get('k')).toBe('v')
    },
  )

  test('what cannot be written is no error', async () => {
    const cache = await openTileCache('a', join(folder, 'corrupt.json', 'tiles.json'))
    cache.set('k', 'v')
    await cache.save()
    expect(cache.get('k')).toBe('v')
  })
})
