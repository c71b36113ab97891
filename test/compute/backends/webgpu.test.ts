/** The WebGPU backend: the shared conformance suite, and what is its own: overlapping runs, loss, shared weights. */
import { describe, expect, test } from 'vitest'
import { createWebGpuBackend, type WebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { openGpu } from '../../../src/compute/backends/webgpu/device.ts'
import { createWeightStore } from '../../../src/compute/backends/webgpu/memory.ts'
import { type Call, type GpuTable, webGpuTable } from '../../../src/compute/backends/webgpu/table.ts'
import { kernelProgram, makeWeight } from '../../../src/compute/engine/kernel-program.ts'
import type { Unsupported } from '../../../src/compute/kernels/index.ts'
import { unaryOps } from '../../../src/compute/kernels/unary.ts'
import { kernelCases } from '../kernels/cases.ts'
import { describeConformance, findFailures } from '../kernels/conformance.ts'
import { haveWebGpu } from '../webgpu.ts'

const available = await haveWebGpu('41 tests of the WebGPU backend')

const layouts = ['direct', 'tile'] as const

const shared = new Map<string, Promise<WebGpuBackend>>()

/** One backend for each layout, which nobody disposes of: a software adapter takes seconds to compile a tile. */
async function sharedBackend(layout: (typeof layouts)[number]): Promise<WebGpuBackend> {
  const backend = shared.get(layout) ?? createWebGpuBackend({ table: webGpuTable(layout) })
  shared.set(layout, backend)
  return { ...(await backend), dispose: async () => {} }
}

describeConformance('webgpu, direct', async () => (available ? sharedBackend('direct') : undefined))
// All other kernels are the same in both layouts.
const products = ['conv2d', 'gemm', 'matmul'] as const
describeConformance('webgpu, tile', async () => (available ? sharedBackend('tile') : undefined), products)

/** x -> -x. */
function negation(values: number[]) {
  const params = { count: values.length, op: unaryOps.neg, alpha: 0, beta: 0 }
  return kernelProgram('unary', [{ params, operands: [{ data: Float32Array.from(values) }] }], values.length)
}

describe.skipIf(!available)('the webgpu backend', () => {
  /** One workgroup less: a part of the output is not written. */
  const short = (call: Call | Unsupported): Call | Unsupported => {
    if ('unsupported' in call) return call
    const [x, y, z] = call.workgroups
    return { variant: call.variant, workgroups: [Math.max(0, x - 1), y, z] }
  }

  test('the canary: a kernel that leaves out its last workgroup is found', async () => {
    const right = webGpuTable('direct')
    const { softmax, unary, pool2d } = right
    if ('unsupported' in softmax || 'unsupported' in unary || 'unsupported' in pool2d)
      throw new Error('a gap in the table')
    const table: GpuTable = {
      ...right,
      softmax: p => short(softmax(p)),
      unary: p => short(unary(p)),
      pool2d: p => short(pool2d(p)),
    }
    const backend = await createWebGpuBackend({ table })
    for (const kernel of ['softmax', 'unary', 'pool2d'] as const) {
      expect((await findFailures(backend, kernel)).length, kernel).toBeGreaterThan(0)
    }
    await backend.dispose()
  })

  test('a convolution has the same bits through workgroup memory and without', { timeout: 120_000 }, async () => {
    const [direct, tile] = await Promise.all(layouts.map(sharedBackend))
    const bits = async (backend: WebGpuBackend, one: ReturnType<typeof kernelCases>[number]) => {
      const { out } = await (await backend.compile(one.program, one.weights)).run(one.inputs)
      return new Uint32Array(out.buffer)
    }
    for (const one of kernelCases('conv2d')) {
      expect(await bits(tile, one), `${one.kernel} ${one.name}`).toEqual(await bits(direct, one))
    }
  })

  test('runs that overlap, more than may be under way, each get their own result', async () => {
    const backend = await createWebGpuBackend()
    const { program, weights } = negation([0, 0, 0])
    const executable = await backend.compile(program, weights)
    const runs = Array.from({ length: 25 }, (_, i) => executable.run({ in0: Float32Array.of(i, i + 0.5, -i) }))
    const results = await Promise.all(runs)
    expect(results.map(({ out }) => [...out])).toEqual(runs.map((_, i) => [-i, -i - 0.5, i === 0 ? 0 : i]))
    await backend.dispose()
  })

  test('what is under way when an executable is disposed of ends as usual', async () => {
    const backend = await createWebGpuBackend()
    const { program, weights } = negation([0])
    const executable = await backend.compile(program, weights)
    const runs = Array.from({ length: 25 }, (_, i) => executable.run({ in0: Float32Array.of(i + 1) }))
    executable.dispose()
    expect((await Promise.all(runs)).map(({ out }) => out[0])).toEqual(runs.map((_, i) => -1 - i))
    await expect(executable.run({ in0: Float32Array.of(1) })).rejects.toThrow('disposed')
    await backend.dispose()
  })

  test('a profile gives the same outputs, and a time for every step', async () => {
    const backend = await createWebGpuBackend()
    const { program, weights, inputs } = negation([1, 2])
    // The second step does nothing, and takes no time.
    const nothing = {
      ...program.steps[0],
      params: { ...program.steps[0].params, count: 0 },
    } as (typeof program.steps)[0]
    const executable = await backend.compile({ ...program, steps: [...program.steps, nothing] }, weights)
    const { profile } = executable
    if (!profile) return expect((await openGpu()).device.features.has('timestamp-query')).toBe(false)
    const [first, second] = [await profile(inputs), await profile(inputs)]
    for (const { outputs, stepMs } of [first, second]) {
      expect([...outputs.out]).toEqual([-1, -2])
      expect(stepMs).toEqual([expect.any(Number), 0])
      expect(stepMs[0]).toBeGreaterThanOrEqual(0)
    }
    await backend.dispose()
  })

  test('a wrong port is an input error and leaves the executable usable', async () => {
    const backend = await createWebGpuBackend()
    const { program, weights, inputs } = negation([1, 2])
    const executable = await backend.compile(program, weights)
    await expect(executable.run({ in0: new Float32Array(3) })).rejects.toMatchObject({
      code: 'INPUT_PORT',
      kind: 'input',
    })
    expect([...(await executable.run(inputs)).out]).toEqual([-1, -2])
    await backend.dispose()
  })

  test('a lost device rejects what is under way and all that follows, for another backend to take', async () => {
    const backend = await createWebGpuBackend()
    const { program, weights, inputs } = negation([1, 2])
    const executable = await backend.compile(program, weights)
    const lost = { name: 'PeerError', code: 'DEVICE_LOST', kind: 'resource', retry: 'elsewhere' }
    const underWay = [1, 2, 3, 4, 5, 6].map(() => expect(executable.run(inputs)).rejects.toMatchObject(lost))
    await backend.dispose()
    await Promise.all(underWay)
    await expect(backend.lost).resolves.toMatchObject(lost)
    await expect(executable.run(inputs)).rejects.toMatchObject(lost)
    await expect(backend.compile(program, weights)).rejects.toMatchObject(lost)
  })

  test('more memory than the device binds is refused before it is asked for', async () => {
    const backend = await createWebGpuBackend()
    const { program, weights } = negation([1])
    const huge = { ...program, slots: program.slots.map(() => 2 ** 45), arenaBytes: 2 ** 46 }
    const message = expect.stringMatching(/a tensor of a single row takes \d+ bytes.*the CPU/)
    const refused = { code: 'WEBGPU_OUT_OF_MEMORY', kind: 'resource', retry: 'elsewhere', message }
    await expect(backend.compile(huge, weights)).rejects.toMatchObject(refused)
    await backend.dispose()
  })

  test('a kernel missing in the table is a model error that says why', async () => {
    const table = { ...webGpuTable('direct'), unary: { unsupported: 'left out for this test' } }
    const backend = await createWebGpuBackend({ table })
    const { program, weights } = negation([1])
    await expect(backend.compile(program, weights)).rejects.toThrow(/unary.*left out for this test/)
    await backend.dispose()
  })

  test('equal weights are one buffer, freed with their last user', async () => {
    const context = await openGpu()
    const store = createWeightStore(context)
    const [a, same, other] = [[1, 2, 3], [1, 2, 3], [4]].map(values =>
      makeWeight(Float32Array.from(values), [values.length]),
    )
    const buffer = store.acquire(a)
    expect(store.acquire(same)).toBe(buffer)
    expect(store.acquire(other)).not.toBe(buffer)
    store.release(a)
    expect(store.acquire(a)).toBe(buffer)
    store.release(a)
    store.release(same)
    expect(store.acquire(a)).not.toBe(buffer)
    context.close()
  })

  test('a software adapter is refused where hardware is asked for', async () => {
    const backend = await createWebGpuBackend()
    if (backend.adapter.isFallback) {
      const refused = { code: 'WEBGPU_SOFTWARE_ADAPTER', kind: 'resource', retry: 'elsewhere' }
      await expect(createWebGpuBackend({ adapter: 'hardware' })).rejects.toMatchObject(refused)
    } else {
      await (await createWebGpuBackend({ adapter: 'hardware' })).dispose()
    }
    await backend.dispose()
  })
})
