/**
 * The WebAssembly backend of one thread: kernels run where `run` is called. Weights are packed once for all threads on
 * the same shared memory; every executable has an arena of its own, planned, so that a run allocates nothing but its
 * results.
 */
import { assert, PeerError } from '../../../base/errors.ts'
import { checkProgram, type Program, type Step, type StepOf, type Weight } from '../../engine/program.ts'
import { type KernelName, kernels, type Unsupported } from '../../kernels/index.ts'
import type { KernelArray } from '../../tensor/dtype.ts'
import { takeInputs } from '../ports.ts'
import type { Backend, Executable, RunInputs, RunOutputs } from '../types.ts'
import { measureCeilings } from './ceilings.ts'
import type { Block, SharedMemory } from './memory.ts'
import type { Packing } from './packing.ts'
import {
  attachWasmRuntime,
  createWasmRuntime,
  isSharedWasm,
  type WasmFunction,
  type WasmRuntime,
  type WasmRuntimeInit,
} from './runtime.ts'
import { type WasmCall, type WasmKernel, wasmTable } from './table.ts'

/** Grows when a kernel's arithmetic changes its last bits. */
const kernelsVersion = 3

/** About what of a processor's caches one thread has to itself; measured, see bench/NOTES.md. */
const arenaBest = 16 * 1024 * 1024

/** A backend with a memory of its own. @throws PeerError of `createWasmRuntime` */
export async function createWasmBackend(init: WasmRuntimeInit = {}): Promise<Backend> {
  return openBackend(await createWasmRuntime(init))
}

/**
 * A thread's backend on the memory that its process shares.
 * @param shared what `sharedWasmRuntime` gave, after its way through `workerData`
 */
export async function attachWasmBackend(shared: unknown): Promise<Backend> {
  assert(isSharedWasm(shared), 'a worker is given the WebAssembly runtime of its process')
  return openBackend(attachWasmRuntime(shared))
}

function openBackend(runtime: WasmRuntime): Backend {
  const { kind } = runtime.shared
  const open = new Set<Executable>()
  const keptIn: KeptIn = new WeakSet()
  return {
    name: 'wasm',
    layout: 'channels-last',
    arenaBest,
    device: `wasm ${kind}`,
    numericClass: `wasm/${kind === 'simd' ? 'mul-add' : 'fma'}/f32/${kernelsVersion}`,
    async compile(program, weights) {
      checkProgram(program, weights)
      const executable = createExecutable(runtime, program, weights, keptIn, () => open.delete(executable))
      open.add(executable)
      return executable
    },
    keep(from) {
      const block = runtime.memory.allocate(from.byteLength)
      const values = runtime.memory.floats(block.offset, from.length)
      values.set(from)
      keptIn.add(values.buffer)
      return { values, release: () => block.release() }
    },
    ceilings: async () => measureCeilings(runtime),
    async dispose() {
      for (const executable of [...open]) executable.dispose()
    },
  }
}

function createExecutable(
  runtime: WasmRuntime,
  program: Program,
  weights: readonly Weight[],
  keptIn: KeptIn,
  onDispose: () => void,
): Executable {
  const { memory } = runtime
  const blocks: Block[] = []
  const readers = program.buffers.map((): Argument[] => [])
  try {
    const wasmCalls = program.steps.map(step => callOf(step, program))
    const scratchBytes = Math.max(0, ...wasmCalls.map(call => call.scratchBytes ?? 0))
    const arena = memory.allocate(program.arenaBytes)
    blocks.push(arena)
    const scratch = memory.allocate(scratchBytes)
    blocks.push(scratch)
    const calls = program.steps.map((step, i) => {
      const place = (input: number | null, operand: number): number => {
        if (input === null) return 0
        const { kind, offset, weight } = program.buffers[input]
        if (kind !== 'weight') return arena.offset + offset
        const block = storeWeight(memory, weights[weight], wasmCalls[i].packings?.[operand])
        blocks.push(block)
        return block.offset
      }
      const output = arena.offset + program.buffers[step.output].offset
      const args = [...step.inputs.map(place), output, scratch.offset, ...paramList(step)]
      step.inputs.forEach((input, at) => {
        if (input !== null) readers[input].push({ args, at })
      })
      return bound(runtime.function(wasmCalls[i].entry), args)
    })
    const views = program.buffers.map(({ kind, dtype, offset, elements }) => {
      if (kind !== 'input' && kind !== 'output') return undefined
      const at = arena.offset + offset
      return dtype === 'float32' ? memory.floats(at, elements) : memory.bytes(at, elements)
    })
    const returned = new Set(program.outputs.map(port => port.buffer))
    const ports = program.buffers.map(({ offset }, i): InputPlace | undefined => {
      const view = views[i]
      return view && { view, address: arena.offset + offset, readers: returned.has(i) ? undefined : readers[i], keptIn }
    })
    return executableOf(program, calls, views, ports, blocks, onDispose)
  } catch (error) {
    release(blocks)
    throw error
  }
}

/** The memory's buffers that kept values lie in: it has another object for each time that it grew. */
type KeptIn = WeakSet<ArrayBufferLike>

/** One argument of one call. */
interface Argument {
  args: number[]
  at: number
}

interface InputPlace {
  view: KernelArray
  /** Of the view in the memory. */
  address: number
  /** What reads it; undefined where it is an output too, and so must be there. */
  readers: readonly Argument[] | undefined
  keptIn: KeptIn
}

/** Copies an input to its place, or has the kernels read it where it is kept. */
function takeInput(place: InputPlace | undefined, data: KernelArray): void {
  assert(place, 'an input has a place')
  const kept = place.readers !== undefined && place.keptIn.has(data.buffer)
  if (!kept) place.view.set(data)
  for (const { args, at } of place.readers ?? []) args[at] = kept ? data.byteOffset : place.address
}

/** Functions of their own, here and below, so that no closure keeps the unpacked weights alive. */
function bound(kernel: WasmFunction, args: number[]): () => void {
  return () => kernel(...args)
}

function release(blocks: readonly Block[]): void {
  for (const block of blocks) block.release()
}

function executableOf(
  program: Program,
  calls: readonly (() => void)[],
  views: readonly (KernelArray | undefined)[],
  ports: readonly (InputPlace | undefined)[],
  blocks: readonly Block[],
  onDispose: () => void,
): Executable {
  let disposed = false
  return {
    program,
    run: async inputs => {
      assert(!disposed, 'a disposed executable is not run')
      return run(program, calls, views, ports, inputs)
    },
    profile: async inputs => {
      assert(!disposed, 'a disposed executable is not run')
      const stepMs: number[] = []
      const timed = calls.map(call => () => {
        const startMs = performance.now()
        call()
        stepMs.push(performance.now() - startMs)
      })
      return { outputs: run(program, timed, views, ports, inputs), stepMs }
    },
    dispose() {
      if (disposed) return
      disposed = true
      release(blocks)
      onDispose()
    },
  }
}

/** Synchronous from the first byte in to the last byte out, so that runs of one executable never meet. */
function run(
  program: Program,
  calls: readonly (() => void)[],
  views: readonly (KernelArray | undefined)[],
  ports: readonly (InputPlace | undefined)[],
  inputs: RunInputs,
): RunOutputs {
  for (const { port, data } of takeInputs(program, inputs)) takeInput(ports[port.buffer], data)
  for (const call of calls) call()
  return Object.fromEntries(program.outputs.map(port => [port.name, new Float32Array(views[port.buffer] ?? [])]))
}

function callOf<K extends KernelName>(step: StepOf<K>, program: Program): WasmCall {
  const kernel: WasmKernel<K> | Unsupported = wasmTable[step.kernel]
  if ('unsupported' in kernel) {
    throw new PeerError({
      code: 'MODEL_UNSUPPORTED_KERNEL',
      kind: 'model',
      message: `${step.name} needs the kernel ${step.kernel}, which WebAssembly lacks: ${kernel.unsupported}`,
    })
  }
  const fixed = step.inputs.map(input => input !== null && program.buffers[input].kind === 'weight')
  return kernel(step.params, fixed)
}

/** The params in the order of the contract's fields. */
function paramList(step: Step): number[] {
  const values: ReadonlyMap<string, number> = new Map(Object.entries(step.params))
  return Object.keys(kernels[step.kernel].fields).map(field => {
    const value = values.get(field)
    assert(value !== undefined, `${step.kernel} is given its param ${field}`)
    return value
  })
}

function storeWeight(memory: SharedMemory, weight: Weight, packing: Packing | undefined): Block {
  const { data, key } = weight
  if (packing) {
    const { tag, elements, pack } = packing
    return memory.share(`${key} ${tag}`, elements * 4, offset => pack(data, memory.floats(offset, elements)))
  }
  const type = data instanceof Float32Array ? 'float32' : 'uint8'
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return memory.share(`${key} ${type}`, bytes.length, offset => memory.bytes(offset, bytes.length).set(bytes))
}
