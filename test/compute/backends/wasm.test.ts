/** The WebAssembly backend, all kinds of its kernels, against the kernels' contracts, and the same bits whatever the batch. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { kernelProgram } from '../../../src/compute/engine/kernel-program.ts'
import { kernelNames } from '../../../src/compute/kernels/index.ts'
import { normals } from '../kernels/case.ts'
import { describeConformance } from '../kernels/conformance.ts'
import { wasmKinds } from '../wasm-kinds.ts'

for (const kind of await wasmKinds(kernelNames.length)) {
  describeConformance(`wasm ${kind}`, () => createWasmBackend({ kind }))
}

test('a row of a run-time product has the same bits whatever the number of rows and the layout of b', async () => {
  const random = prng(5)
  const [m, n, k] = [61, 19, 77]
  const a = normals(random, m * k)
  const b = normals(random, k * n)
  const transposed = Float32Array.from({ length: k * n }, (_, i) => b[(i % k) * n + Math.floor(i / k)])
  const backend = await createWasmBackend()
  const product = async (rows: number, matrix: Float32Array, strideBK: number, strideBN: number) => {
    const batches = { batch0: 1, batch1: 1, strideA0: 0, strideA1: 0, strideB0: 0, strideB1: 0 }
    const params = { ...batches, m: rows, n, k, strideAM: k, strideAK: 1, strideBK, strideBN }
    const operands = [{ data: a.slice(0, rows * k) }, { data: matrix }]
    const { program, weights, inputs } = kernelProgram('matmul', [{ params, operands }], rows * n)
    return (await (await backend.compile(program, weights)).run(inputs)).out
  }
  const whole = await product(m, b, n, 1)
  for (const rows of [1, 5, 6, 24, 25]) {
    expect(await product(rows, b, n, 1)).toEqual(whole.slice(0, rows * n))
    expect(await product(rows, transposed, 1, k)).toEqual(whole.slice(0, rows * n))
  }
  await backend.dispose()
})

test('kept values are read where they are, other inputs copied, in any order', async () => {
  const backend = await createWasmBackend()
  const random = prng(8)
  const [m, k] = [40, 24]
  const whole = normals(random, 3 * m * k)
  const b = normals(random, k)
  const params = { m, n: 1, k, hasScale: 0 }
  const { program, weights, inputs } = kernelProgram(
    'squared-distance',
    [{ params, operands: [{ data: whole.slice(0, m * k) }, { data: b }, null] }],
    m,
  )
  const executable = await backend.compile(program, weights)
  const kept = backend.keep?.(whole)
  expect(kept?.values).toEqual(whole)
  const part = (from: Float32Array, i: number) => from.subarray(i * m * k, (i + 1) * m * k)
  const run = async (in0: Float32Array) => (await executable.run({ ...inputs, in0 })).out
  const want = [await run(part(whole, 0)), await run(part(whole, 1)), await run(part(whole, 2))]
  expect(want[0]).not.toEqual(want[1])
  // What follows memory that grew is another object of the same memory.
  await backend.compile(
    kernelProgram('squared-distance', [{ params, operands: [{ data: b }, { data: b }, null] }], 9e6).program,
    [],
  )
  for (const i of [2, 0, 1]) {
    expect(await run(part(kept?.values ?? b, i))).toEqual(want[i])
    expect(await run(part(whole, (i + 1) % 3))).toEqual(want[(i + 1) % 3])
  }
  kept?.release()
  await backend.dispose()
})
