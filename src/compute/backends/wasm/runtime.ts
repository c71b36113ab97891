/**
 * The kernels' WebAssembly module and the memory that all compute threads of a process share. One thread makes it; the
 * others attach to what structured cloning (a worker's `workerData`) brings them.
 *
 * Which module runs is decided once: the one with relaxed SIMD where `relaxed_madd` rounds once, which a test of its
 * value tells, else the plain one; and beside the first its twin with 256-bit vectors where that passes its self-test (wide.ts).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PeerError } from '../../../base/errors.ts'
import { packageRoot } from '../../../base/package-root.ts'
import { createMemory, openMemory, pagesMax, type SharedMemory } from './memory.ts'
import { type CompiledKernels, compileWide, wideEntries } from './wide.ts'

/** `fma`: multiply-adds round once, else twice, which gives other last bits; the width of the vectors changes none. */
const wasmKinds = ['simd 256-bit fma', 'simd fma', 'simd'] as const

export type WasmKind = (typeof wasmKinds)[number]

/** Survives structured cloning to a worker of the same process. */
export interface SharedWasm {
  readonly kind: WasmKind
  readonly module: WebAssembly.Module
  /** The same kernels with 256-bit vectors, for those that gain by it. */
  readonly wide: WebAssembly.Module | undefined
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

/**
 * Reads and compiles the kernels and tests which kind this machine runs.
 * @throws PeerError WASM_NOT_BUILT, WASM_UNSUPPORTED
 */
export async function createWasmRuntime(init: WasmRuntimeInit = {}): Promise<WasmRuntime> {
  const memory = createMemory(init.maxBytes ?? pagesMax * 65_536)
  const kinds: readonly WasmKind[] = init.kind ? [init.kind] : wasmKinds
  for (const kind of kinds) {
    const compiled = await compiledKernels(kind)
    if (!compiled) continue
    const wide = kind === 'simd 256-bit fma' ? compiled.wide : undefined
    if (kind === 'simd 256-bit fma' && !wide) continue
    const runtime = attachWasmRuntime({ kind, module: compiled.plain, wide, memory })
    // Relaxed without fusing computes what the plain module computes: it gets no name of its own.
    if ((runtime.function('fused')() === 1) === (kind !== 'simd')) return runtime
  }
  throw new PeerError({
    code: 'WASM_UNSUPPORTED',
    kind: 'resource',
    message: `this machine's JavaScript engine does not run WebAssembly ${kinds.join(' or ')}; use a newer one`,
    retry: 'elsewhere',
  })
}

/** File of dist/wasm -> its modules, compiled once in this thread. */
const compiled = new Map<string, Promise<CompiledKernels | undefined>>()

function compiledKernels(kind: WasmKind): Promise<CompiledKernels | undefined> {
  const file = kind === 'simd' ? 'kernels-simd.wasm' : 'kernels-relaxed.wasm'
  const known = compiled.get(file)
  if (known) return known
  const made = readModule(file).then(bytes => {
    if (!WebAssembly.validate(bytes)) return undefined
    return kind === 'simd' ? { plain: new WebAssembly.Module(bytes), wide: undefined } : compileWide(bytes)
  })
  compiled.set(file, made)
  return made
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
  const env = { memory: shared.memory }
  const { exports } = new WebAssembly.Instance(shared.module, { env })
  const wide = shared.wide && new WebAssembly.Instance(shared.wide, { env }).exports
  const named = (name: string): WasmFunction => {
    const found = (wide && wideEntries.has(name) ? wide : exports)[name]
    if (typeof found !== 'function') throw new Error(`broken invariant: the kernels export ${name}`)
    return (...args) => found(...args)
  }
  if (typeof wide?.useWideTiles === 'function') wide.useWideTiles(1)
  return { shared, memory: openMemory(shared.memory), function: named }
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
    wasmKinds.some(kind => kind === value.kind)
  )
}
