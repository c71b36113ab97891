/**
 * What a job can be. A workload turns a shard's blocks into one result block on an assignee, and the
 * result blocks, in shard order, into one merged result on the leader. It knows nothing of peers.
 */
import type { Backend } from '../../compute/backends/types.ts'

export interface ShardOutput {
  /** The result block. */
  bytes: Uint8Array
  items: number
  /** Items that could not be read; each has its reason in the block. */
  errors: number
}

/** Runs the shards of one job on one compute lane. */
export interface ShardRunner {
  /** `blocks`: the shard's blocks in order, already verified. */
  run(blocks: Uint8Array[]): Promise<ShardOutput>
  close(): void
}

export interface MergeSink {
  /** Stores a block of the merged result; resolves to its id. */
  put(bytes: Uint8Array): Promise<string>
}

/** Merges the result blocks of one job; the bytes it writes depend on their order alone. */
export interface Merger {
  add(resultBlock: Uint8Array): Promise<void>
  /** Writes the root block; resolves to its id. */
  end(): Promise<string>
}

export interface Workload {
  readonly kind: string
  /** Ids of the block lists (models and such) that a lane needs before `open`; bounded and validated. */
  files(body: unknown): { name: string; bytes: number; blocks: string[] }[]
  /** `files`: their bytes, by name. Throws PeerError when the spec or a file is not sound. */
  open(body: unknown, files: ReadonlyMap<string, Uint8Array>, backend: Backend): Promise<ShardRunner>
  merger(body: unknown, sink: MergeSink): Merger
}
