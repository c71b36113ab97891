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

/** What a peer says of itself: `peer token`, `peer status` and `peer doctor` show it. */
export interface PeerInfo {
  /** Its id: the libp2p peer id of its key. */
  peer: PeerKey
  /** What people call it. */
  name: string
  /** Name of the mesh that it belongs to, such as `amber-otter`. */
  mesh: string
  /** Version of shardmesh that it runs, such as `0.1.0+6e176da`. */
  version: string
  /** Absolute path of its data folder. */
  data: string
  /** For people: what it computes with. */
  device: string
  /** What computes shards here, one entry a lane; `numericClass` names its arithmetic (equal class, equal bits). */
  lanes: { backend: 'wasm' | 'webgpu'; device: string; numericClass: string }[]
  /** Multiaddrs that it tells to other peers. */
  addresses: string[]
  /** Multiaddrs where it listens, also those that lead to this machine alone. */
  listening: string[]
  /** Join token. Whoever has it can join the mesh: keep it secret. */
  token: string
  /** Why machines elsewhere cannot join with the token, where it holds no address that leads to this one. */
  tokenNote?: string
  /** How discovery on the local network goes; absent where it is turned off. */
  discovery?: DiscoveryState
  /** What went wrong lately and what to do, newest last. */
  warnings: string[]
  /** Id of the process that runs the peer. */
  pid: number
  /** When the peer started, in milliseconds since 1970. */
  startedMs: number
  /** Why it takes no work now; absent while it takes work. */
  paused?: string
  /** What it cannot do now, though it does other work. */
  trouble?: string
  /** Path of its log; absent where it writes none. */
  logFile?: string
}

/** A peer as another peer sees it: a row of `peer peers`. */
export interface PeerView {
  /** Its id: the libp2p peer id of its key. */
  peer: PeerKey
  /** What people call it. */
  name: string
  /** Version of shardmesh that it runs, such as `0.1.0+6e176da`. */
  version: string
  /** For people: what it computes with. */
  device: string
  /** `wasm`, `webgpu`, `both`, or `none` where it does not compute. */
  backend: string
  /** Shards that it can compute at once; 0: it takes no work. */
  slots: number
  /** Items a second that it reached lately, over all lanes; 0 while unknown. */
  itemsPerSecond: number
  /** Shards that are queued or running there. */
  load: number
  /** Why it takes no work now, such as a full disk; absent while it takes work. */
  paused?: string
  /** What it cannot do now, though it does other work: `cannot decode images: …`. */
  trouble?: string
  /** This peer heard from it lately. */
  connected: boolean
  /** Milliseconds since this peer last heard from it. */
  lastHeardMs: number
  /** How often it broke the rules of the protocol. */
  offences: number
  /** For how many more milliseconds this peer refuses it; 0: it does not. */
  refusedMs: number
  /** Multiaddrs that it told. */
  addresses: string[]
  /** It is the peer that was asked. */
  self: boolean
}

/** What one peer did for a job. */
export interface JobShare {
  /** Its id. */
  peer: PeerKey
  /** What people call it. */
  name: string
  /** For people: what it computes with. */
  device: string
  /** `wasm` or `webgpu`. */
  backend: string
  /** Items whose results counted: images or rows. */
  itemsDone: number
  /** Shards that it has a lease of now. */
  leased: number
  /** Its rate for this job, in items a second. */
  itemsPerSecond: number
}

/** A job whose submitter and leader could not be asked yet what it is. */
export const unknownKind = 'unknown'

/** A job as one peer knows it: a row of `peer jobs`, and each state that `watch` gives. */
export interface JobSummary {
  /** Its id, 64 hex digits; the calls take any unambiguous prefix. */
  job: JobId
  /** classify, embed, features, score, train, probe; `unknownKind` until somebody who knows it was asked. */
  workload: string
  /** Name, inputs and models in short; absent until this peer has read what the job is. */
  title?: JobTitle
  /** When it was submitted, in milliseconds since 1970 by the submitter's clock; absent as `title` is. */
  createdMs?: number
  /** The peer that submitted it; it alone may cancel or drop the job. */
  owner: PeerKey
  /** What people call that peer. */
  ownerName: string
  /** Where the job is on its way; `outcome` is there once it ended. */
  phase: JobPhase
  /** The peer that gives out the shards now; absent while none is known. */
  leader?: PeerKey
  /** What people call the leader. */
  leaderName?: string
  /** Items (images or rows) that are computed, of the round that is computed now. */
  itemsDone: number
  /** Items of the inputs that are read so far; all of them once `complete`. */
  itemsTotal: number
  /** All inputs are read. */
  complete: boolean
  /** Items that could not be read. */
  errors: number
  /** Shards that are computed, of the round that is computed now. */
  shardsDone: number
  /** Shards of the inputs that are read so far. */
  shardsTotal: number
  /** Rate over the last seconds, in items a second. */
  itemsPerSecond: number
  /** Milliseconds until its end at the rate of now; absent where it cannot be told. */
  etaMs?: number
  /** Milliseconds since this peer heard of the job, or that the job took. */
  elapsedMs: number
  /** The round that is computed now, from 0, of a job in rounds; the counts are of this round. */
  round: number
  /** Rows that were left out so far; at the submitter alone. */
  skipped?: SkippedRows
  /** Files of the inputs' folders that are of another kind and were passed over; at the submitter alone. */
  passedOver?: PassedOverFiles
  /** Objective of a training after its last round: its name and its value. */
  objective?: { name: string; value: number }
  /** What each peer did. */
  shares: JobShare[]
  /** How the job ended, and why; absent while it runs. */
  outcome?: JobOutcome
  /** Bytes of the job's blocks on this peer's disk. */
  keptBytes: number
  /** At the submitter, where copies of the inputs were asked for; later, at whichever peer sees to the copies. */
  copies?: JobCopies
}

/** Rows of a table that were left out because they could not be read. */
export interface SkippedRows {
  /** How many. */
  rows: number
  /** File, place and reason of the first one. */
  first: string
}

/** Files that folders hold besides what was asked for; hidden ones are not counted. */
export interface PassedOverFiles {
  /** How many. */
  files: number
  /** Path of the first by name. */
  first: string
}

/** Copies of a job’s inputs at other peers; of its result once it has one. */
export interface JobCopies {
  /** Other peers that shall hold a copy of everything. */
  wanted: number
  /** Other peers that hold a copy of everything. */
  placed: number
  /** True once min(wanted, other peers) hold a copy and the leader knows all inputs: the submitter may leave. */
  safe: boolean
}

/** What `gc` frees. */
export interface GcRequest {
  /** Only say what would be freed. */
  dryRun: boolean
  /** Jobs that ended more milliseconds ago are given up here. Default: the peer’s retention. */
  olderThanMs?: number
}

/** What `gc` freed, or would free. */
export interface GcReport {
  /** Jobs that are given up, with the bytes of their blocks. */
  jobs: { job: JobId; bytes: number }[]
  /** Blocks that belong to no job. */
  orphans: { blocks: number; bytes: number }
  /** Bytes that remain, and how many of them no job pins. */
  kept: { bytes: number; evictable: number }
  /** Nothing was freed: it was only asked. */
  dryRun: boolean
}

export type { ClassifyRequest, JobRequest } from '../jobs/workloads/requests.ts'
export type { JobTitle }

/** What `submit` gives for a job that passed all checks. */
export interface Submitted {
  /** The id of the job, 64 hex digits. */
  job: JobId
  /** What computes it, and how many classes, columns or features each has. */
  models: { name: string; labels: number }[]
  /** What the user should know, such as a guessed preprocessing. */
  notes: string[]
}

/** What the rows of a classification mean. One numeric class alone: the bits do not depend on which peers took part. */
export interface ResultHeader extends Omit<MergedRoot, 'parts'> {
  /** The job’s id. */
  job: JobId
}

/** A label and its score. */
export interface Ranked {
  /** Name of the class. */
  label: string
  /** Probability from 0 to 1; share of the votes where the merge is `vote`. */
  score: number
}

/** What was found for one image. */
export interface ResultRow {
  /** Path of the image, as the inputs name it. */
  path: string
  /** The best labels of all models together, best first. */
  top: Ranked[]
  /** The best labels of each model alone, best first, in the order of the request. */
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

/**
 * What a program can ask of a peer, in this process (`startPeer`) or in another one (`connect`). Every call throws
 * PeerError; those of a `Client` throw NO_PEER when the peer is gone.
 */
export interface Control {
  /** What the peer says of itself. */
  info(): Promise<PeerInfo>
  /** Every peer of the mesh that it knows, itself first. */
  peers(): Promise<PeerView[]>
  /** Every job that it knows. */
  jobs(): Promise<JobSummary[]>
  /** `id`: any unambiguous prefix. Throws JOB_UNKNOWN or JOB_AMBIGUOUS. */
  job(id: string): Promise<JobSummary>
  /**
   * Checks the request, its models and the first input, then starts the job and resolves; the inputs are read
   * meanwhile. Throws REQUEST_INVALID, an error of kind `input` or `model` that says what is wrong, or SUBMIT_STOPPED
   * where `signal` aborts before it resolved.
   */
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
