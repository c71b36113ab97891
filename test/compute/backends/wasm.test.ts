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
