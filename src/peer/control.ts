/**
 * What a person or a program can ask of a peer. The peer itself implements it, and so does the client
 * that reaches a running peer through its socket: a command works the same on either.
 */

import type { JobId, PeerKey } from '../base/ids.ts'
import type { JobOutcome, JobPhase } from '../jobs/core/types.ts'
import type { JobTitle } from '../jobs/wire/title.ts'
import type { MergedRoot } from '../jobs/workloads/classify/result.ts'
import type { JobRequest } from '../jobs/workloads/requests.ts'
import type { Rows, RowsRoot } from '../jobs/workloads/rows/result.ts'
import type { ModelRoot } from '../jobs/workloads/train/result.ts'
import type { DiscoveryState, Reachability } from '../mesh/types.ts'

export interface PeerInfo {
  peer: PeerKey
  name: string
  mesh: string
  version: string
  data: string
  /** For people: what it computes with. */
  device: string
  lanes: { backend: 'wasm' | 'webgpu'; device: string; numericClass: string }[]
  /** What others are told to reach it by. */
  addresses: string[]
  /** Where it listens, also where that leads to this machine alone. */
  listening: string[]
  token: string
  /** Why machines elsewhere cannot join with the token, where it holds no address that leads to this one. */
  tokenNote?: string
  /** How discovery on the local network goes; absent where it is turned off. */
  discovery?: DiscoveryState
  /** What went wrong lately and what to do, newest last. */
  warnings: string[]
  /** The process that runs the peer, and since when: milliseconds since 1970. */
  pid: number
  startedMs: number
  /** Why it takes no work now; absent while it does. */
  paused?: string
  /** Where its log is, where it writes one. */
  logFile?: string
}

export interface PeerView {
  peer: PeerKey
  name: string
  /** Of the program, such as `0.1.0+6e176da`. */
  version: string
  device: string
  backend: string
  slots: number
  itemsPerSecond: number
  load: number
  /** Why it takes no work now, such as a full disk; absent while it does. */
  paused?: string
  connected: boolean
  lastHeardMs: number
  /** How often it broke the rules, and for how many milliseconds this peer still refuses it. */
  offences: number
  refusedMs: number
  addresses: string[]
  self: boolean
}

export interface JobShare {
  peer: PeerKey
  name: string
  device: string
  backend: string
  itemsDone: number
  /** Shards that it holds leases of. */
  leased: number
  itemsPerSecond: number
}

/** A job whose submitter and leader could not be asked yet what it is. */
export const unknownKind = 'unknown'

export interface JobSummary {
  job: JobId
  /** classify, embed, features, score, train, probe; `unknownKind` until somebody who knows it was asked. */
  workload: string
  /** Name, inputs and models in short; absent until this peer has read what the job is. */
  title?: JobTitle
  /** When it was submitted, in milliseconds since 1970 by the submitter's clock; absent as `title` is. */
  createdMs?: number
  owner: PeerKey
  ownerName: string
  phase: JobPhase
  leader?: PeerKey
  leaderName?: string
  itemsDone: number
  /** Of the inputs read so far; all of them once `complete`. */
  itemsTotal: number
  complete: boolean
  errors: number
  shardsDone: number
  shardsTotal: number
  /** Over the last seconds. */
  itemsPerSecond: number
  etaMs?: number
  elapsedMs: number
  /** Of a job in rounds the one that is computed now, from 0; the counts above are of it. */
  round: number
  /** At the submitter of a table whose bad rows are left out: those so far. */
  skipped?: SkippedRows
  /** Of a training what its last round came to. */
  objective?: { name: string; value: number }
  shares: JobShare[]
  outcome?: JobOutcome
  /** Bytes of the job's blocks on this peer's disk. */
  keptBytes: number
  /** At the submitter, where copies of the inputs were asked for; later, at whichever peer sees to the copies. */
  copies?: JobCopies
}

/** Rows that were left out, with the file, the place and the reason of the first one. */
export interface SkippedRows {
  rows: number
  first: string
}

/** Where the copies of a job's inputs stand, or once it has one of its result. */
export interface JobCopies {
  /** Other peers that shall hold everything. */
  wanted: number
  /** Other peers that do. */
  placed: number
  /**
   * There are as many as are wanted, of inputs or as many as there are peers, and the leader knows of all inputs: the
   * submitter may leave.
   */
  safe: boolean
}

export interface GcRequest {
  /** Only say what would be freed. */
  dryRun: boolean
  /** Jobs that ended longer ago are given up here; default the peer's retention. */
  olderThanMs?: number
}

/** What was freed, or would be. */
export interface GcReport {
  jobs: { job: JobId; bytes: number }[]
  /** Blocks that belong to no job. */
  orphans: { blocks: number; bytes: number }
  /** Bytes that remain, and how many of them no job pins. */
  kept: { bytes: number; evictable: number }
  dryRun: boolean
}

export type { ClassifyRequest, JobRequest } from '../jobs/workloads/requests.ts'
export type { JobTitle }

export interface Submitted {
  job: JobId
  /** What computes it, and how many classes, columns or features each has. */
  models: { name: string; labels: number }[]
  /** What the user should know, such as a guessed preprocessing. */
  notes: string[]
}

/** What the rows mean. One numeric class alone: the bits do not depend on which peers took part. */
export interface ResultHeader extends Omit<MergedRoot, 'parts'> {
  job: JobId
}

export interface Ranked {
  label: string
  score: number
}

export interface ResultRow {
  path: string
  top: Ranked[]
  models: { name: string; top: Ranked[] }[]
}

/**
 * A classification is a header, then rows and errors; columns of images or tables (embed, features, score) are `columns`, then
 * `rows` many at a time and errors; a training is one `model`, then its file in pieces.
 */
export type ResultItem =
  | ({ type: 'header' } & ResultHeader)
  | ({ type: 'row' } & ResultRow)
  | { type: 'error'; path: string; reason: string }
  | ({ type: 'columns'; job: JobId } & Omit<RowsRoot, 'parts'>)
  | { type: 'rows'; rows: Rows }
  | ({ type: 'model'; job: JobId } & Omit<ModelRoot, 'parts'>)
  | { type: 'bytes'; bytes: Uint8Array }

export interface Control {
  info(): Promise<PeerInfo>
  peers(): Promise<PeerView[]>
  jobs(): Promise<JobSummary[]>
  /** `id`: any unambiguous prefix. Throws JOB_UNKNOWN or JOB_AMBIGUOUS. */
  job(id: string): Promise<JobSummary>
  /** Everything that can be checked beforehand is, before it resolves. Throws SUBMIT_STOPPED where `signal` aborts before. */
  submit(request: JobRequest, signal?: AbortSignal): Promise<Submitted>
  /** The job's state now and at every change, until it ends or `signal` aborts. */
  watch(id: string, signal?: AbortSignal): AsyncIterable<JobSummary>
  /** The merged result, in the order of the inputs. Throws JOB_NOT_FINAL. */
  results(id: string): AsyncIterable<ResultItem>
  /** Throws NOT_OWNER on any peer but the one that the job was submitted from. */
  cancel(id: string): Promise<JobSummary>
  /**
   * Gives up a job that is over, and its result, on every peer; those that are away do so when they are back. Throws
   * NOT_OWNER on any peer but the one that the job was submitted from, JOB_RUNNING while it runs.
   */
  drop(id: string): Promise<JobSummary>
  /** Who reaches whom, tried from both sides; takes some seconds. */
  reachability(): Promise<Reachability>
  /** Frees what no job needs on this peer, and jobs that expired. */
  gc(request: GcRequest): Promise<GcReport>
}
