/**
 * The one suite that every backend passes: each kernel against its scalar reference. A backend's test file calls
 * `describeConformance`; `findFailures` is what its canary calls with a kernel made wrong.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import type { Backend, Executable } from '../../../src/compute/backends/types.ts'
import { type KernelName, kernelNames } from '../../../src/compute/kernels/index.ts'
import { type KernelCase, kernelCases } from './cases.ts'

const reference = createReferenceBackend()

/** The case compiled, or undefined where the backend states that it has no such kernel. */
async function compile(backend: Backend, one: KernelCase): Promise<Executable | undefined> {
  try {
    return await backend.compile(one.program, one.weights)
  } catch (thrown) {
    if (thrown instanceof PeerError && thrown.code === 'MODEL_UNSUPPORTED_KERNEL') return undefined
    throw thrown
  }
}

/** Where a backend's result leaves the tolerance: one line for each failing case. A stated gap is no failure. */
export async function findFailures(backend: Backend, kernel: KernelName): Promise<string[]> {
  return (await checkCases(backend, kernel)).failures
}

async function checkCases(
  backend: Backend,
  kernel: KernelName,
): Promise<{ failures: string[]; gaps: number; ran: number }> {
  const failures: string[] = []
  let gaps = 0
  let ran = 0
  for (const one of kernelCases(kernel)) {
    const executable = await compile(backend, one)
    if (!executable) {
      gaps++
      continue
    }
    ran++
    const { out: got } = await executable.run(one.inputs)
    executable.dispose()
    const { out: want } = await (await reference.compile(one.program, one.weights)).run(one.inputs)
    const wrong = compare(one.tolerance, got, want)
    if (wrong) failures.push(`${kernel} ${one.name}: ${wrong}`)
  }
  return { failures, gaps, ran }
}

function compare(tolerance: KernelCase['tolerance'], got: Float32Array, want: Float32Array): string | undefined {
  if (got.length !== want.length) return `${got.length} values instead of ${want.length}`
  for (let i = 0; i < want.length; i++) {
    if (close(tolerance, got[i], want[i])) continue
    return `[${i}] is ${got[i]}, not ${want[i]}`
  }
}

function close(tolerance: KernelCase['tolerance'], got: number, want: number): boolean {
  if (tolerance === 'bits') return Object.is(got, want)
  if (got === want || (Number.isNaN(got) && Number.isNaN(want))) return true
  // Below the smallest normal number a backend may flush to zero, which a tolerance of 0 would forbid.
  return Math.abs(got - want) <= Math.max(1.2e-38, tolerance.absolute + tolerance.relative * Math.abs(want))
}

/**
 * Declares the suite.
 * @param make gives a backend, or undefined where this machine has none (the caller has said so loudly)
 * @param names the kernels to hold it to; default all
 */
export function describeConformance(
  label: string,
  make: () => Promise<Backend | undefined>,
  names: readonly KernelName[] = kernelNames,
): void {
  describe(`${label} conforms to the kernels' contracts`, () => {
    let backend: Backend | undefined
    beforeAll(async () => {
      backend = await make()
    })
    afterAll(() => backend?.dispose())
    for (const kernel of names) {
      // A software adapter compiles for seconds, on a busy machine for a minute.
      test(kernel, { timeout: 120_000 }, async context => {
        if (!backend) return context.skip()
        const { failures, gaps, ran } = await checkCases(backend, kernel)
        expect(failures).toEqual([])
        if (gaps > 0) console.warn(`SKIPPED ${gaps} cases of ${kernel}: ${label} states that it lacks them`)
        if (ran === 0) context.skip()
      })
    }
  })
}
