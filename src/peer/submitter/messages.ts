/** What the peer and the thread that reads a submission say to each other. */
import type { PeerErrorInit } from '../../base/errors.ts'
import type { BlockId } from '../../base/ids.ts'
import type { CutShard } from '../../data/sharding.ts'
import type { TableReport } from '../../data/tables/options.ts'
import type { Inputs } from '../../jobs/workloads/inputs.ts'
import type { PreparedJob } from '../../jobs/workloads/prepare.ts'
import type { JobRequest } from '../../jobs/workloads/requests.ts'

/** Shards that a job has already, of inputs that are read on. */
export type KnownShards = readonly { items: number; blocks: readonly BlockId[] }[]

/** What the thread is asked for, and what it answers. */
export interface Calls {
  prepare: { ask: JobRequest; answer: PreparedJob }
  /** Looks for the first input; with `known` it reads on behind these. */
  open: { ask: { inputs: Inputs; known?: KnownShards }; answer: undefined }
  /** No shard: there are no more. */
  next: { ask: undefined; answer: { shard?: CutShard; report: TableReport } }
}

/** What the thread needs of the peer meanwhile. */
export interface Wants {
  put: { ask: Uint8Array; answer: BlockId }
  local: { ask: BlockId; answer: Uint8Array | undefined }
}

type Asked<Table extends { [K in keyof Table]: { ask: unknown } }> = {
  [K in keyof Table]: { type: K; id: number; ask: Table[K]['ask'] }
}[keyof Table]

export type Answer = { type: 'answer'; id: number } & ({ value: unknown } | { error: PeerErrorInit })
export type ToThread = Asked<Calls> | Answer
export type FromThread = Asked<Wants> | Answer
