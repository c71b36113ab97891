/**
 * The kernels' WebAssembly module and the memory that all compute threads of a process share. One thread makes it; the
 * others attach to what structured cloning (a worker's `workerData`) brings them.
 *
 * Which module runs is decided once: the one with relaxed SIMD where `relaxed_madd` rounds once, which a test of its
 * value tells, else the plain one. A faster module (256-bit, see V8's revectorisation) is another entry of `modules`.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PeerError } from '../../../base/errors.ts'
import { packageRoot } from '../../../base/package-root.ts'
import { createMemory, openMemory, pagesMax, type SharedMemory } from './memory.ts'

/** `simd fma`: multiply-adds round once; `simd`: twice. They give different last bits. */
export type WasmKind = 'simd fma' | 'simd'

/** Survives structured cloning to a worker of the same process. */
export interface SharedWasm {
  readonly kind: WasmKind
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
}

/** A kernel: addresses, then params, as its contract orders them. */
export type WasmFunction = (...args: number[]) => number

export interface WasmRuntime {
  readonly shared: SharedWasm
  readonly memory: SharedMemory
  /** An exported function. */
  function(name: string): WasmFunction
}

export interface WasmRuntimeInit {
  /** Bytes that the shared memory may grow to; default and most 4 GiB. */
  maxBytes?: number
  /** Insist on one kind, as tests do; default: the best that this machine has. */
  kind?: WasmKind
}

const modules: { readonly [K in WasmKind]: string } = {
  'simd fma': 'kernels-relaxed.wasm',
  simd: 'kernels-simd.wasm',
}

/**
 * Reads and compiles the kernels and tests which kind this machine runs.
 * @throws PeerError WASM_NOT_BUILT, WASM_UNSUPPORTED
 */
export async function createWasmRuntime(init: WasmRuntimeInit = {}): Promise<WasmRuntime> {
  const memory = createMemory(init.maxBytes ?? pagesMax * 65_536)
  const kinds: WasmKind[] = init.kind ? [init.kind] : ['simd fma', 'simd']
  for (const kind of kinds) {
    const bytes = await readModule(modules[kind])
    if (!WebAssembly.validate(bytes)) continue
    const runtime = attachWasmRuntime({ kind, module: await WebAssembly.compile(bytes), memory })
    // Relaxed without fusing computes what the plain module computes: it gets no name of its own.
    if ((runtime.function('fused')() === 1) === (kind === 'simd fma')) return runtime
  }
  throw new PeerError({
    code: 'WASM_UNSUPPORTED',
    kind: 'resource',
    message: `this machine's JavaScript engine does not run WebAssembly ${kinds.join(' or ')}; use a newer one`,
    retry: 'elsewhere',
  })
}

async function readModule(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(join(packageRoot, 'dist/wasm', file)))
  } catch (cause) {
    throw new PeerError({
      code: 'WASM_NOT_BUILT',
      kind: 'resource',
      message: `dist/wasm/${file} cannot be read; run \`npm run build:kernels\``,
      cause,
    })
  }
}

/** A thread's own instance on the shared memory. */
export function attachWasmRuntime(shared: SharedWasm): WasmRuntime {
  const { exports } = new WebAssembly.Instance(shared.module, { env: { memory: shared.memory } })
  return {
    shared,
    memory: openMemory(shared.memory),
    function(name) {
      const found = exports[name]
      if (typeof found !== 'function') throw new Error(`broken invariant: the kernels export ${name}`)
      return (...args) => found(...args)
    },
  }
}

/** Whether a value that came from another thread is a runtime. */
export function isSharedWasm(value: unknown): value is SharedWasm {
  if (typeof value !== 'object' || value === null) return false
  return (
    'module' in value &&
    value.module instanceof WebAssembly.Module &&
    'memory' in value &&
    value.memory instanceof WebAssembly.Memory &&
    'kind' in value &&
    (value.kind === 'simd' || value.kind === 'simd fma')
  )
}
