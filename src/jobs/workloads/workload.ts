/**
 * What a job can be. A workload turns a shard's blocks into one result block on an assignee, and the
 * result blocks, in shard order, into one merged result on the leader. It knows nothing of peers.
 *
 * A workload that learns does so in rounds: its shards are computed under parameters, its merger ends with the parameters
 * of the next round, and so on until it ends with a result (`roundsWorkload` in rounds.ts makes one of a few pure functions).
 */
import type { Backend } from '../../compute/backends/types.ts'

export interface ShardOutput {
  /** The result block. */
  bytes: Uint8Array
  items: number
  /** Items that could not be read; each has its reason in the block. */
  errors: number
}

/** One round of a job. */
export interface Round {
  /** From 0. */
  round: number
  /** What the merger of the round before put; absent in round 0, which begins with what the spec says. */
  params?: Uint8Array
}

/** The merger's end of a round that is not the last: the block of the next round's parameters. */
export interface NextRound {
  params: string
}

/** Memory of a lane for what outlives a round, shared by its jobs. */
export interface KeepRoom {
  /** False where there is not so much left. */
  take(bytes: number): boolean
  give(bytes: number): void
}

/** Runs the shards of one job on one compute lane. */
export interface ShardRunner {
  /**
   * @param blocks the shard's, in order, already verified; none are needed where the runner keeps the shard
   * @param key names the shard by its blocks' ids, so that a later round finds what was kept of it; absent: nothing is kept
   */
  run(blocks: Uint8Array[], round?: Round, key?: string): Promise<ShardOutput>
  /** Whether the shard of that key is here since an earlier round, so that its blocks are not wanted. Absent: never. */
  keeps?(key: string): boolean
  close(): void
}

export interface MergeSink {
  /** Stores a block of the merged result; resolves to its id. */
  put(bytes: Uint8Array): Promise<string>
}

/** Merges the result blocks of one round of a job; the bytes it writes depend on their order alone. */
export interface Merger<End = string> {
  add(resultBlock: Uint8Array): Promise<void>
  /** Writes the root block; resolves to its id, or to the next round's parameters. */
  end(): Promise<End>
}

export interface JobFile {
  name: string
  bytes: number
  blocks: string[]
  /** Only the leader needs it, once the job ends: no lane is given it. */
  atEnd?: true
}

/** One of the job's files by its name. Throws PeerError of kind `transport` where nobody has it. */
export type ReadFile = (name: string) => Promise<Uint8Array>

export interface Workload {
  readonly kind: string
  /** Block lists (models and such) that belong to the job; bounded and validated. */
  files(body: unknown): JobFile[]
  /** `files`: their bytes, by name. Throws PeerError when the spec or a file is not sound. */
  open(body: unknown, files: ReadonlyMap<string, Uint8Array>, backend: Backend, room?: KeepRoom): Promise<ShardRunner>
  /** `round`: which one is merged; absent where there is one alone. `file`: the bytes of one of the job's files. */
  merger(body: unknown, sink: MergeSink, round?: Round, file?: ReadFile): Merger<string | NextRound>
}
