/** The WebAssembly backend, both of its modules, against the kernels' contracts. */
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { describeConformance } from '../kernels/conformance.ts'

for (const kind of ['simd', 'simd fma'] as const) {
  describeConformance(`wasm ${kind}`, () => createWasmBackend({ kind }))
}
