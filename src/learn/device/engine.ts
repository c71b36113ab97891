/**
 * Rows of a shard through a program on a backend, some thousands at a time, with sums that do not show how many.
 *
 * Invariant: sums over rows are made on the device in float32, over `blockRows` neighbouring rows counted from the shard's start
 * and then over `groupBlocks` such sums, and from group to group in float64 in that order. The number of rows that a run takes changes no bit.
 */
import { PeerError } from '../../base/errors.ts'
import type { Backend, Executable, KeptValues, RunInputs, RunOutputs } from '../../compute/backends/types.ts'
import type { PlannedModel } from '../../compute/engine/program.ts'
import type { TableShard } from '../../data/tables/types.ts'

/** Rows that one float32 sum goes over: few enough that their rounding is that of the products. */
export const blockRows = 128
/** Such sums that are added in float32 before they leave the device: what is left to read is an eighth. */
export const groupBlocks = 8

export interface Engine {
  readonly backend: Backend
  /**
   * Runs the program of that name, which is built and compiled when it is first asked for.
   * @throws PeerError as `Backend.compile` and `Executable.run`
   */
  run(key: string, build: () => PlannedModel, inputs: RunInputs): Promise<RunOutputs>
  /** Whether `keep` copies, as far as there is memory. */
  readonly copies: boolean
  /**
   * The shard with its rows where the device reads them, for rounds over it; the shard itself where there is no such memory, or it
   * is full. Memory is given back by `release`, or with the engine.
   */
  keep(shard: TableShard): TableShard
  release(shard: TableShard): void
  dispose(): void
}

/** Programs that are kept; the one used longest ago goes. A round of any method needs two at most. */
const programsMax = 8

export function openEngine(backend: Backend): Engine {
  const programs = new Map<string, Promise<Executable>>()
  const kept = new Map<Float32Array, KeptValues>()
  const end = (program: Promise<Executable>) =>
    program.then(
      executable => executable.dispose(),
      () => {},
    )
  return {
    backend,
    copies: backend.keep !== undefined,
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
        end(other)
      }
      return (await program).run(inputs)
    },
    keep(shard) {
      if (kept.has(shard.x)) return shard
      const held = keepValues(backend, shard.x)
      if (!held) return shard
      kept.set(held.values, held)
      return { ...shard, x: held.values }
    },
    release({ x }) {
      kept.get(x)?.release()
      kept.delete(x)
    },
    dispose() {
      for (const program of programs.values()) end(program)
      programs.clear()
      for (const held of kept.values()) held.release()
      kept.clear()
    },
  }
}

function keepValues(backend: Backend, values: Float32Array): KeptValues | undefined {
  try {
    return backend.keep?.(values)
  } catch (thrown) {
    if (thrown instanceof PeerError && thrown.kind === 'resource') return undefined
    throw thrown
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

/** How many rows a run takes: whole groups, or all of a smaller shard in whole blocks. */
export function chunkLength(engine: Engine, rows: number, valuesPerRow: number): number {
  const groupRows = blockRows * groupBlocks
  if (rows <= groupRows) return Math.max(1, Math.ceil(rows / blockRows)) * blockRows
  const most = Math.min(65_536, chunkValues[engine.backend.name] / valuesPerRow)
  const all = Math.ceil(rows / groupRows)
  const groups = Math.max(1, Math.min(all, Math.floor(most / groupRows)))
  // A somewhat smaller run that leaves no rest to fill up with zeros is better.
  for (let even = groups; 2 * even > groups; even--) if (all % even === 0) return even * groupRows
  return groups * groupRows
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

/** Adds sums of groups [groups, into.length] to float64 sums, group by group. */
export function addBlocks(into: Float64Array, blocks: Float32Array): void {
  const length = into.length
  for (let at = 0; at < blocks.length; at += length) for (let i = 0; i < length; i++) into[i] += blocks[at + i]
}

/** The same where the groups lie inside: [outer, groups, inner] into [outer, inner]. */
export function addInnerBlocks(into: Float64Array, sums: Float32Array, outer: number, inner: number): void {
  const blocks = sums.length / (outer * inner)
  for (let o = 0; o < outer; o++) {
    for (let b = 0; b < blocks; b++) {
      const at = (o * blocks + b) * inner
      for (let i = 0; i < inner; i++) into[o * inner + i] += sums[at + i]
    }
  }
}
