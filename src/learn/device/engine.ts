/**
 * Rows of a shard through a program on a backend, some thousands at a time, with sums that do not show how many.
 *
 * Invariant: sums over rows are made on the device in float32 over `blockRows` neighbouring rows, counted from the
 * shard's start, and from block to block in float64 in that order. The number of rows that a run takes changes no bit.
 */
import type { Backend, Executable, RunInputs, RunOutputs } from '../../compute/backends/types.ts'
import type { PlannedModel } from '../../compute/engine/program.ts'

/** Rows that one float32 sum goes over: few enough that their rounding is that of the products. */
export const blockRows = 128

export interface Engine {
  readonly backend: Backend
  /**
   * Runs the program of that name, which is built and compiled when it is first asked for.
   * @throws PeerError as `Backend.compile` and `Executable.run`
   */
  run(key: string, build: () => PlannedModel, inputs: RunInputs): Promise<RunOutputs>
  dispose(): void
}

/** Programs that are kept; the one used longest ago goes. A round of any method needs two at most. */
const programsMax = 8

export function openEngine(backend: Backend): Engine {
  const programs = new Map<string, Promise<Executable>>()
  const release = (program: Promise<Executable>) =>
    program.then(
      executable => executable.dispose(),
      () => {},
    )
  return {
    backend,
    async run(key, build, inputs) {
      let program = programs.get(key)
      programs.delete(key)
      if (!program) {
        const { program: planned, weights } = build()
        program = backend.compile(planned, weights)
        program.catch(() => programs.delete(key))
      }
      programs.set(key, program)
      for (const [oldest, other] of programs) {
        if (programs.size <= programsMax) break
        programs.delete(oldest)
        release(other)
      }
      return (await program).run(inputs)
    },
    dispose() {
      for (const program of programs.values()) release(program)
      programs.clear()
    },
  }
}

/** Neighbouring rows, filled up to a program's length with zeros. */
export interface Chunk {
  /** Place in the shard of the first row. */
  first: number
  /** Rows that are real. */
  rows: number
  /** [length, features] */
  x: Float32Array
  /** [length]: 1 for a real row, else 0. */
  mask: Float32Array
}

/** Values that a run has in memory: what a processor's second cache holds, and what keeps a GPU busy. */
const chunkValues = { wasm: 512 * 1024, reference: 64 * 1024, webgpu: 8 * 1024 * 1024 } as const

/** How many rows a run takes: a multiple of `blockRows`, no more than the shard has. */
export function chunkLength(engine: Engine, rows: number, valuesPerRow: number): number {
  const most = Math.min(65_536, chunkValues[engine.backend.name] / valuesPerRow)
  const blocks = Math.min(Math.ceil(rows / blockRows), Math.floor(most / blockRows))
  return Math.max(1, blocks) * blockRows
}

/**
 * Visits the rows in order; the next run is started before the last one's results are taken, so that a device does not wait.
 * @param x [rows, features]
 */
export async function eachChunk(
  { x, rows, features }: { x: Float32Array; rows: number; features: number },
  length: number,
  start: (chunk: Chunk) => Promise<RunOutputs>,
  take: (chunk: Chunk, outputs: RunOutputs) => void,
): Promise<void> {
  const whole = new Float32Array(length).fill(1)
  const chunkAt = (first: number): Chunk => {
    const count = Math.min(length, rows - first)
    const part = x.subarray(first * features, (first + count) * features)
    if (count === length) return { first, rows: count, x: part, mask: whole }
    const padded = new Float32Array(length * features)
    padded.set(part)
    return { first, rows: count, x: padded, mask: new Float32Array(length).fill(1, 0, count) }
  }
  let pending: { chunk: Chunk; outputs: Promise<RunOutputs> } | undefined
  for (let first = 0; first < rows || pending; first += length) {
    const chunk = first < rows ? chunkAt(first) : undefined
    const next = chunk && { chunk, outputs: start(chunk) }
    // Should the earlier run fail, nobody is left who waits for this one.
    next?.outputs.catch(() => {})
    if (pending) take(pending.chunk, await pending.outputs)
    pending = next
  }
}

/** Adds sums of blocks [blocks, into.length] to float64 sums, block by block. */
export function addBlocks(into: Float64Array, blocks: Float32Array): void {
  const length = into.length
  for (let at = 0; at < blocks.length; at += length) for (let i = 0; i < length; i++) into[i] += blocks[at + i]
}

/** The same where the blocks lie inside: [outer, blocks, inner] into [outer, inner]. */
export function addInnerBlocks(into: Float64Array, sums: Float32Array, outer: number, inner: number): void {
  const blocks = sums.length / (outer * inner)
  for (let o = 0; o < outer; o++) {
    for (let b = 0; b < blocks; b++) {
      const at = (o * blocks + b) * inner
      for (let i = 0; i < inner; i++) into[o * inner + i] += sums[at + i]
    }
  }
}
