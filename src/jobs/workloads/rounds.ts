/**
 * Makes a workload of an iterative method: k-means, a mixture, gradient descent. The method says how parameters begin, what a
 * shard adds under them, how two such partials become one, and what follows from the sum of all; this file makes rounds
 * of it. Invariant: partials are merged through a tree that the number of shards alone decides (neighbours first, the last
 * of an odd level goes up alone), so that the bits are those of one process, whoever computed what, in whatever order.
 */
import { PeerError } from '../../base/errors.ts'
import type { Backend } from '../../compute/backends/types.ts'
import type { KeepRoom, Merger, MergeSink, NextRound, ReadFile, Round, ShardRunner, Workload } from './workload.ts'

/** What one shard adds to a round. */
export interface ShardPartial<Partial> {
  partial: Partial
  items: number
  /** Items that could not be read. */
  errors: number
}

/** Computes partials on one compute lane. */
export interface PartialRunner<Parameters, Partial> {
  /**
   * A method may keep what it decoded for the next round.
   * @param blocks, key as `ShardRunner.run` has them
   * @param round from 0
   */
  partial(parameters: Parameters, blocks: Uint8Array[], round: number, key?: string): Promise<ShardPartial<Partial>>
  /** As `ShardRunner.keeps`. */
  keeps?(key: string): boolean
  close(): void
}

/**
 * An iterative method on a job's spec. All but `open` is a pure function of its arguments; what is decoded comes from other
 * peers and is bounded and checked by the method, which throws PeerError.
 */
export interface IterativeMethod<Body, Parameters, Partial> {
  readonly kind: string
  /** The spec's body, checked. */
  body(raw: unknown): Body
  /** As `Workload.files`; absent: none. */
  files?(body: Body): ReturnType<Workload['files']>
  open(
    body: Body,
    files: ReadonlyMap<string, Uint8Array>,
    backend: Backend,
    room?: KeepRoom,
  ): Promise<PartialRunner<Parameters, Partial>>
  /** What round 0 is computed under. */
  start(body: Body): Parameters
  /** Of two neighbours, the left one first. */
  merge(body: Body, left: Partial, right: Partial): Partial
  /** What follows from a round: the next parameters, and whether they are the last. */
  update(body: Body, parameters: Parameters, merged: Partial): { parameters: Parameters; done: boolean }
  /** Writes what the job ends with; resolves to its root block. */
  result(body: Body, parameters: Parameters, sink: MergeSink, file?: ReadFile): Promise<string>
  /** At most `limits.blockBytesMax` bytes. */
  encodeParameters(body: Body, parameters: Parameters): Uint8Array
  decodeParameters(body: Body, bytes: Uint8Array): Parameters
  encodePartial(body: Body, partial: Partial): Uint8Array
  /** `parameters`: those that the partial was computed under. */
  decodePartial(body: Body, bytes: Uint8Array, parameters: Parameters): Partial
}

/** The workload that runs the method in rounds. */
export function roundsWorkload<Body, Parameters, Partial>(
  method: IterativeMethod<Body, Parameters, Partial>,
): Workload {
  const parametersOf = (body: Body, round?: Round) =>
    round?.params ? method.decodeParameters(body, round.params) : method.start(body)

  return {
    kind: method.kind,
    files: raw => method.files?.(method.body(raw)) ?? [],
    async open(raw, files, backend, room): Promise<ShardRunner> {
      const body = method.body(raw)
      const runner = await method.open(body, files, backend, room)
      // Every shard of a round has the same parameters: they are decoded once. By their bytes, for a new leader may go on
      // from an earlier round.
      let known: { bytes: Uint8Array; parameters: Parameters } | undefined
      return {
        async run(blocks, round, key) {
          const bytes = round?.params ?? none
          if (!known || Buffer.compare(known.bytes, bytes) !== 0)
            known = { bytes, parameters: parametersOf(body, round) }
          const { partial, items, errors } = await runner.partial(known.parameters, blocks, round?.round ?? 0, key)
          return { bytes: method.encodePartial(body, partial), items, errors }
        },
        keeps: key => runner.keeps?.(key) ?? false,
        close: () => runner.close(),
      }
    },
    merger: (raw, sink, round, file) => {
      const body = method.body(raw)
      return roundMerger(method, body, parametersOf(body, round), sink, file)
    },
  }
}

const none = new Uint8Array(0)

function roundMerger<Body, Parameters, Partial>(
  method: IterativeMethod<Body, Parameters, Partial>,
  body: Body,
  parameters: Parameters,
  sink: MergeSink,
  file: ReadFile | undefined,
): Merger<string | NextRound> {
  const tree = streamingTree<Partial>((left, right) => method.merge(body, left, right))
  return {
    async add(block) {
      tree.add(method.decodePartial(body, block, parameters))
    },
    async end() {
      const merged = tree.end()
      if (merged === undefined) {
        throw new PeerError({
          code: 'INPUT_NONE',
          kind: 'input',
          message: `there is nothing to learn from: give ${method.kind} some rows`,
        })
      }
      const next = method.update(body, parameters, merged.value)
      if (next.done) return method.result(body, next.parameters, sink, file)
      return { params: await sink.put(method.encodeParameters(body, next.parameters)) }
    },
  }
}

/**
 * Merges what comes in order, holding log2(n) values: like a binary counter, in which two of one level make one of the
 * next. Gives the bits of a tree that is built level by level.
 */
export function streamingTree<T>(merge: (left: T, right: T) => T) {
  const waiting: { level: number; value: T }[] = []
  return {
    add(value: T): void {
      let right = { level: 0, value }
      for (let left = waiting.at(-1); left?.level === right.level; left = waiting.at(-1)) {
        waiting.pop()
        right = { level: right.level + 1, value: merge(left.value, right.value) }
      }
      waiting.push(right)
    },
    /** Undefined when nothing was added. */
    end(): { value: T } | undefined {
      let right = waiting.pop()
      if (!right) return undefined
      for (let left = waiting.pop(); left; left = waiting.pop()) {
        right = { level: left.level + 1, value: merge(left.value, right.value) }
      }
      return { value: right.value }
    },
  }
}
