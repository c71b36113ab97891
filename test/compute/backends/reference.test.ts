/** The reference backend against itself is trivial; what matters is that the suite notices a kernel that is wrong. */
import { expect, test } from 'vitest'
import { createReferenceBackend, referenceTable } from '../../../src/compute/backends/reference/index.ts'
import { kernelNames } from '../../../src/compute/kernels/index.ts'
import type { KernelArray } from '../../../src/compute/tensor/dtype.ts'
import { describeConformance, findFailures } from '../kernels/conformance.ts'

describeConformance('reference', async () => createReferenceBackend())

/** The right result with one value of the last quarter moved by a little. */
function spoilt<P>(right: (params: P, inputs: readonly KernelArray[], output: Float32Array) => void): typeof right {
  return (params, inputs, output) => {
    right(params, inputs, output)
    const at = output.length - 1 - (output.length >> 3)
    if (at >= 0) output[at] += 1e-3 + Math.abs(output[at]) * 1e-3
  }
}

test.each(kernelNames)('the canary: a wrong %s is found', async kernel => {
  const table = { ...referenceTable, [kernel]: spoilt(referenceTable[kernel] as never) }
  expect((await findFailures(createReferenceBackend(table), kernel)).length).toBeGreaterThan(0)
})
