/**
 * What a backend is: a device that compiles programs and runs them. All backends pass one conformance suite
 * (test/compute/kernels/conformance.ts).
 *
 * Invariant: within one `numericClass` a row's result is the same to the bit, whatever the batch, the tile, the
 * thread or the machine.
 */
import type { ImageLayout, Program, Weight } from '../engine/program.ts'
import type { KernelArray } from '../tensor/dtype.ts'

export type BackendName = 'wasm' | 'webgpu' | 'reference'

export interface Backend {
  readonly name: BackendName
  /** For people: `NVIDIA RTX 4070`, `wasm simd 256-bit fma`. */
  readonly device: string
  /** Backend, arithmetic, precision and kernel version: `wasm/fma/f32/1`. */
  readonly numericClass: string
  /** How the programs that it compiles best lay images between steps. */
  readonly layout: ImageLayout
  /** Bytes of a run's arena from which more rows at a time cost rather than save time, as caches go; absent: none. */
  readonly arenaBest?: number
  /** Bytes of the largest buffer that it holds or hands back; absent: memory alone is the bound. */
  readonly bufferMax?: number
  /**
   * Prepacks weights, reserves memory, builds pipelines; nothing of that is left to `run`. The program must hold
   * `checkProgram`'s invariants. Executables of one backend share equal weights.
   * @throws PeerError kind `resource` (no memory, device lost), or `model` (a kernel that this backend lacks)
   */
  compile(program: Program, weights: readonly Weight[]): Promise<Executable>
  /**
   * A copy of float32 values where runs read them: an input that is a part of it is not copied again. For rows that many rounds
   * go over. Absent: the device has no memory that the host sees too.
   * @throws PeerError OUT_OF_MEMORY
   */
  keep?(values: Float32Array): KeptValues
  /** What the device does at best, measured now: tens of milliseconds. Absent where nobody compares with it. */
  ceilings?(): Promise<Ceilings>
  /** Frees everything, its executables included. */
  dispose(): Promise<void>
}

/** What kernels are compared with: of one thread where the backend has one, else of the whole device. */
export interface Ceilings {
  /** Float32 operations a second of multiply-adds on registers alone; a multiply-add counts as two. */
  flopsPerSecond: number
  /** Bytes a second of a copy far larger than caches, read and written counted. */
  bytesPerSecond: number
}

export interface KeptValues {
  /** Valid until it is released. */
  readonly values: Float32Array
  release(): void
}

/** By port name; lengths and types as the program's ports say. */
export type RunInputs = Readonly<Record<string, KernelArray>>
export type RunOutputs = Record<string, Float32Array>

export interface Executable {
  readonly program: Program
  /**
   * One batch. Inputs are read before the promise resolves and stay the caller's; outputs are fresh arrays of
   * the caller's. Runs of one executable may be started together; they are queued.
   * @throws PeerError kind `input` (wrong ports), `resource` (the device is lost; the work may go elsewhere)
   */
  run(inputs: RunInputs): Promise<RunOutputs>
  /** One batch like `run`, with the milliseconds of each step of the program; absent where steps cannot be told apart. */
  profile?(inputs: RunInputs): Promise<{ outputs: RunOutputs; stepMs: number[] }>
  /** Takes no more; runs that are under way end as usual, and memory is given back after the last. */
  dispose(): void
}
