/**
 * What a person or a program can ask of a peer. The peer itself implements it, and so does the client
 * that reaches a running peer through its socket: a command works the same on either.
 */
import type { JobId, PeerKey } from '../base/ids.ts'
import type { JobOutcome, JobPhase } from '../jobs/core/types.ts'
import type { MergedRoot } from '../jobs/workloads/classify/result.ts'
import type { MergeKind, ScoreKind } from '../jobs/workloads/classify/spec.ts'
import type { Reachability } from '../mesh/types.ts'

export interface PeerInfo {
  peer: PeerKey
  name: string
  mesh: string
  version: string
  data: string
  /** For people: what it computes with. */
  device: string
  lanes: { backend: 'wasm' | 'webgpu'; device: string; numericClass: string }[]
  addresses: string[]
  token: string
  /** What went wrong lately and what to do, newest last. */
  warnings: string[]
}

export interface PeerView {
  peer: PeerKey
  name: string
  device: string
  backend: string
  slots: number
  itemsPerSecond: number
  load: number
  /** Why it takes no work now, such as a full disk; absent while it does. */
  paused?: string
  connected: boolean
  lastHeardMs: number
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

export interface JobSummary {
  job: JobId
  workload: string
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
  shares: JobShare[]
  outcome?: JobOutcome
  /** Bytes of the job's blocks on this peer's disk. */
  keptBytes: number
  /** At the submitter, where copies of the inputs were asked for. */
  copies?: JobCopies
}

/** Where the copies of a job's inputs stand. */
export interface JobCopies {
  /** Other peers that shall hold everything. */
  wanted: number
  /** Other peers that do. */
  placed: number
  /** The leader knows of all inputs, and as many others hold them as are wanted or connected: the submitter may leave. */
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

export interface ClassifyRequest {
  workload: 'classify'
  /** Folders, files or globs, relative to `cwd`. */
  inputs: string[]
  cwd: string
  /** `.onnx` files or folders as Hugging Face exports are, relative to `cwd`. */
  models: string[]
  merge: MergeKind
  /** One a model; all 1 when absent. */
  weights?: number[]
  top: number
  /** One label a line, for networks that bring none. */
  labels?: string
  /** Overrides what the graph's last operator suggests. */
  scores?: ScoreKind
  /** Images of one shard, at most what is usual: fewer spread a small job further. */
  itemsPerShard?: number
  /** Other peers that shall hold the inputs before this one may leave; as many as there are, if fewer. Default 0. */
  copies?: number
  /** The job is cancelled when this process ends before it: for a submitter that is the peer itself. Default false. */
  attached?: boolean
}

export interface Submitted {
  job: JobId
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

export type ResultItem =
  | ({ type: 'header' } & ResultHeader)
  | ({ type: 'row' } & ResultRow)
  | { type: 'error'; path: string; reason: string }

export interface Control {
  info(): Promise<PeerInfo>
  peers(): Promise<PeerView[]>
  jobs(): Promise<JobSummary[]>
  /** `id`: any unambiguous prefix. Throws JOB_UNKNOWN or JOB_AMBIGUOUS. */
  job(id: string): Promise<JobSummary>
  /** Everything that can be checked beforehand is, before it resolves. */
  submit(request: ClassifyRequest): Promise<Submitted>
  /** The job's state now and at every change, until it ends or `signal` aborts. */
  watch(id: string, signal?: AbortSignal): AsyncIterable<JobSummary>
  /** The merged result, in the order of the inputs: a header, then rows and errors. Throws JOB_NOT_FINAL. */
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
