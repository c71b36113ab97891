/** Lines whose lanes join in subgroups: the same bits as in workgroup memory, and the reference's results. */
import { afterAll, describe, expect, test } from 'vitest'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { openGpu } from '../../../src/compute/backends/webgpu/device.ts'
import { subgroupSize } from '../../../src/compute/backends/webgpu/subgroups.ts'
import { webGpuTable } from '../../../src/compute/backends/webgpu/table.ts'
import { kernelCases } from '../kernels/cases.ts'
import { findFailures } from '../kernels/conformance.ts'
import { haveWebGpu } from '../webgpu.ts'

const available = await haveWebGpu('5 tests of subgroups')
const size = available ? await look() : 0
if (available && size === 0) console.warn('SKIPPED 4 tests of subgroups: the adapter has none that lines can join in')

async function look(): Promise<number> {
  const context = await openGpu()
  const found = await subgroupSize(context)
  context.close()
  return found
}

test.skipIf(!available)('are used in the size that the adapter states, or not at all', async () => {
  const context = await openGpu()
  expect([0, context.adapter.subgroupMin]).toContain(size)
  // Powers of two, as the shader walks them.
  expect(size & (size - 1)).toBe(0)
  context.close()
})

describe.skipIf(size === 0)('lines that join in subgroups', async () => {
  const [joined, plain] =
    size === 0
      ? []
      : await Promise.all([size, 0].map(lanes => createWebGpuBackend({ table: webGpuTable('direct', lanes) })))
  afterAll(async () => {
    await joined?.dispose()
    await plain?.dispose()
  })

  test.each(['global-average-pool', 'normalize', 'reduce', 'softmax'] as const)('%s', async kernel => {
    if (!joined || !plain) throw new Error('no backend')
    expect(await findFailures(joined, kernel)).toEqual([])
    for (const { name, program, weights, inputs } of kernelCases(kernel)) {
      const [got, want] = await Promise.all(
        [joined, plain].map(async backend => (await (await backend.compile(program, weights)).run(inputs)).out),
      )
      expect(new Uint32Array(got.buffer), name).toEqual(new Uint32Array(want.buffer))
    }
  })
})
