/** Every method on WebAssembly. */
import { createWasmBackend } from '../../src/compute/backends/wasm/backend.ts'
import { describeReferences } from './references.ts'
import { describeSameBits } from './same-bits.ts'

describeReferences('wasm', () => createWasmBackend())
describeSameBits('wasm', () => createWasmBackend())
