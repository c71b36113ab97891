/** The kinds of WebAssembly kernels that this machine runs; it says loudly which it does not. */
import { createWasmBackend } from '../../src/compute/backends/wasm/backend.ts'
import type { WasmKind } from '../../src/compute/backends/wasm/runtime.ts'

const kinds: readonly WasmKind[] = ['simd 256-bit fma', 'simd fma', 'simd']

/** @param tests that each kind has, for the message */
export async function wasmKinds(tests: number): Promise<WasmKind[]> {
  const found: WasmKind[] = []
  for (const kind of kinds) {
    try {
      await (await createWasmBackend({ kind })).dispose()
      found.push(kind)
    } catch {
      console.warn(`SKIPPED ${tests} tests: this machine does not run WebAssembly ${kind}`)
    }
  }
  return found
}
