/** The world around simulated peers: what jobs really are, what machines keep, and what happens to whom. */
import type { BlockId, JobId, PeerKey } from '../../src/base/ids.ts'
import type { Effect, Event } from '../../src/jobs/core/types.ts'
import type { PeerWatch } from './checks.ts'
import type { Network } from './network.ts'
import type { Reduce, SimJobOptions } from './options.ts'
import type { Serial, Toy } from './toy.ts'

/** A job as the world knows it, which no peer does. */
export interface SimJob {
  id: JobId
  options: SimJobOptions
  owner: PeerKey
  toy: Toy
  serial: Serial
  chain: { block: BlockId; shards: { items: number }[] }[]
  submitted: boolean
  inputsEnded: boolean
  /** The owner died without its disk, or before all inputs were read: less is promised then. */
  ownerLost: boolean
  cancelled: boolean
  /** How often each shard's computation was made to fail, by round and shard. */
  failures: Map<string, number>
}

export interface World {
  nowMs(): number
  after(delayMs: number, run: () => void): void
  random(): number
  faulty(): boolean
  /** Its machine cannot compute now, whatever the shard. */
  sick(peer: PeerKey): boolean
  job(id: JobId): SimJob
  rates: { runFail: number; blockLoss: number }
  reduce: Reduce
  network: Network
  note(peer: PeerKey, event: Event, effects: readonly Effect[]): void
  /** The peer died in the middle of a step. */
  died(peer: PeerKey): void
}

/** What outlives a life, if the machine is lucky. */
export interface Disk {
  kept: Map<JobId, Uint8Array>
  results: Map<JobId, Map<number, Uint8Array>>
  blocks: Map<BlockId, Uint8Array>
  specs: Set<JobId>
  /** Manifests read, by job. */
  manifests: Map<JobId, number>
  watches: Map<JobId, PeerWatch>
}

export const emptyDisk = (): Disk => ({
  kept: new Map(),
  results: new Map(),
  blocks: new Map(),
  specs: new Set(),
  manifests: new Map(),
  watches: new Map(),
})
