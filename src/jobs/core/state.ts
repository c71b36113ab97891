/**
 * What one peer keeps in mind. One `Job` record serves every role that the peer may play in that job; a role's
 * part is present only while it is played.
 *
 * Ownership: the state handed to `reduce` is given away. `reduce` changes it in place and returns it, so that an
 * event costs what it touches and not a copy of 100,000 shards. Nobody else may keep or change any part of it.
 */
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import type {
  Ballot,
  CoreConfig,
  Digest,
  Effect,
  JobKept,
  JobOutcome,
  ManifestHead,
  RoundHead,
  ShardResult,
  StreamMessage,
} from './types.ts'

export interface PeerFacts {
  /** Items a second by its heartbeat; 0 while unknown. */
  itemsPerSecond: number
  /** Shards that it can work on at once. */
  slots: number
  /** It is there for one command alone. */
  passing?: boolean
}

/** A request to the driver that must be answered, and is asked again when it was not. */
export interface Fetch {
  /** How often it failed since it last went well; chooses whom to ask. */
  failures: number
  /** In flight: when to stop waiting. Otherwise: when to ask (again). */
  dueMs: number
  inFlight: boolean
  /** Manifests: the count that was asked for. */
  upTo: number
}

/** The owner's part: to find a leader, and to tell it of the inputs. */
export interface OwnerRole {
  /** Offers made so far: each carries the next counter. */
  offers: number
  /** Who was asked in this round, and how many whole rounds there were. */
  asked: Set<PeerKey>
  rounds: number
  /** The offer that waits for its answer. */
  offered?: Ballot
  /** When the pending offer is given up, or the next one is made. */
  offerDueMs: number
  /** True once some leader has accepted: from then on succession looks after the job. */
  led: boolean
  /** When the leader is next told of the manifests, if it lags; Infinity: nothing to tell. */
  tellDueMs: number
}

/** One peer's lease on one shard. */
export interface Lease {
  peer: PeerKey
  sinceMs: number
  expiresMs: number
}

/** A shard that failed: how often and where, and since when what it needs could not be had. */
export interface Attempt {
  failed: number
  peers: Set<PeerKey>
  missingMs?: number
}

/** What a leader knows of one assignee in this job. */
export interface AssigneeFacts {
  leased: Set<number>
  /** Shards that it computed in the round before, in order; those before `homeNext` are done or leased. */
  home: number[]
  homeNext: number
  /** Of the shards of this round whose result came from it first; and of the rounds before. Each item counts once a round. */
  itemsDone: number
  itemsBefore: number
  /** Measured in this job; 0 until the first results. */
  itemsPerSecond: number
  /** Results since this moment, which moves on while it has no work, were not yet turned into a rate. */
  windowStartMs: number
  windowItems: number
  /** Its last result. */
  idleSinceMs: number
  /** Failures in a row, and until when it therefore gets nothing. */
  failures: number
  restUntilMs: number
  /** A lease of it expired: until when it gets nothing, unless it is heard before. */
  silentUntilMs: number
  /** It said that it cannot do such work now; forgotten with its next result. */
  unfit: boolean
}

export interface Collected {
  result: ShardResult
  /** Who brought it first: the shard's items count for it. */
  by: PeerKey
  /** Who has the block, at most a few. */
  holders: PeerKey[]
}

/** The leader's part; everything in it holds under `ballot` alone and is dropped with it. */
export interface LeaderRole {
  ballot: Ballot
  stage: 'gathering' | 'running' | 'merging'
  gatherUntilMs: number
  /** Peers whose inventory has not come yet. */
  awaiting: Set<PeerKey>
  /** One result a shard; a shard is done exactly when it is in here. */
  results: Map<number, Collected>
  /** Heard of shards whose manifest is not read yet. */
  earlyResults: Map<number, Collected>
  earlyWorking: Map<number, PeerKey>
  /** Bit s of byte s >> 3 mirrors `results`. */
  done: Uint8Array
  itemsDone: number
  errors: number
  leases: Map<number, Lease[]>
  assignees: Map<PeerKey, AssigneeFacts>
  /** Shards that failed, how often and where, and since when what they need could not be had. */
  attempts: Map<number, Attempt>
  /** Every shard below is done or leased. */
  cursor: number
  /** Every shard below was handed to the merge. */
  mergeNext: number
  /** Handed to the merge, then found lost: the merge waits for them. */
  lost: Set<number>
  endSent: boolean
  /** Who computed each shard in the round before: who has its inputs. */
  homes: Map<number, PeerKey>
  /** A later round than ours that others told of, while its parameters are fetched. */
  ahead?: { head: RoundHead; holders: PeerKey[]; asked: number; dueMs: number }
  digestAtMs: number
  digestSoon: boolean
  digests: number
  version: number
  /** Since when no further manifest can be hoped for, though not all were read. */
  starvedMs?: number
  /** Whether the owner was there then. */
  starvedBeside?: boolean
  /** Its owner is away with inputs unread: nobody is given any of it meanwhile. */
  setAside: boolean
  /** Since when every peer that could compute it is unfit for it, and what the last of them said. */
  unfitMs?: number
  unfitReason?: string
}

/** A message that must arrive, after its send failed. */
export interface Retry {
  to: PeerKey
  message: StreamMessage
  dueMs: number
  tries: number
}

export interface Job {
  id: JobId
  /** Undefined while only a claim was heard. The signed spec's word is final. */
  owner?: PeerKey
  priority: number
  /** By the machine's clock, for people. */
  startedMs: number
  /** When this peer first heard of it, in the core's time. */
  knownMs: number
  /** The highest ballot accepted; its peer is the leader. Counter 0: none yet. */
  ballot: Ballot
  /** True once the signed spec is here and verified. */
  specKnown: boolean
  specFetch?: Fetch
  /** An offer that waits for the spec. */
  offer?: { from: PeerKey; ballot: Ballot }
  /** Manifests read, without a gap. */
  known: ManifestHead
  /** The longest chain heard of, from whom, and whether it is the last word. */
  target: ManifestHead
  targetFrom?: PeerKey
  complete: boolean
  manifestFetch?: Fetch
  /** Items of each shard of the manifests read. */
  items: number[]
  itemsTotal: number
  /** The round that this peer is in, whether its parameters are here, and the ballot under which it was told. */
  round: RoundHead
  paramsHere: boolean
  paramsFetch?: Fetch
  roundBallot: Ballot
  /** The last round before whose parameters are here. */
  roundBefore?: RoundHead
  /** Results of this round whose blocks this peer holds. */
  results: Map<number, ShardResult>
  /** Shards leased to this peer and not computed yet; true once handed to the driver, which `running` counts. */
  held: Map<number, boolean>
  running: number
  /** Lane time that this job was given here, by estimate, for fair sharing; and what one of its shards takes. */
  usedMs: number
  shardMs: number
  /** The term of this peer's leases: by it, it renews. */
  leaseMs: number
  /** Results not acknowledged by the leader, and when to send them (again). */
  unacked: Map<number, number>
  renewDueMs: number
  /** When the present leader is to be sent an inventory; Infinity: it has one. */
  inventoryDueMs: number
  /** When the leader was last heard, and since when it is known to be down. */
  heardMs: number
  suspectMs?: number
  /** Since when this ballot leads, and how many leaders before it lasted only for moments, one after the other. */
  ledSinceMs: number
  unrest: number
  ownerRole?: OwnerRole
  leader?: LeaderRole
  /** The newest digest, for the view. */
  seen?: Digest
  /** When a stale digest was last answered, so that answers are few. */
  answeredMs: number
  retries: Map<string, Retry>
  /** Peers to whom the job is over by time alone, while it still runs here. */
  givenUpBy: Set<PeerKey>
  /** Its owner came for one command alone, and is gone for good once it is gone. */
  ownerPassing: boolean
  outcome?: JobOutcome
  /** By the machine's clock. */
  endedMs: number
  /** Until when the end is gossiped from here, and when next. */
  announceUntilMs: number
  announceDueMs: number
  /** The record last handed out to be kept. */
  kept?: JobKept
  /** True when this peer knew the job before its restart. */
  restored: boolean
}

export interface State {
  /** The core's own time: see `reduce`. */
  nowMs: number
  /** The machine's clock at the last event; undefined before the first. */
  clockMs?: number
  /** Live peers, this one always included. */
  peers: Map<PeerKey, PeerFacts>
  jobs: Map<JobId, Job>
  /** Peers with whom ended jobs are to be compared; when next, and when and how often without an occasion. */
  ends: { met: PeerKey[]; dueMs: number; roundMs: number; round: number }
}

/** One call of `reduce`: what handlers read and where they put effects. */
export interface Turn {
  config: CoreConfig
  state: State
  nowMs: number
  effects: Effect[]
  changed: Set<JobId>
  /** True when lanes may be free or shards may wait for one. */
  schedule: boolean
  /** Results that this step brought here, by job: kept before anything else is done. */
  brought: Map<JobId, ShardResult[]>
}

/** No ballot accepted yet: lower than every real one. */
export const noBallot: Ballot = { counter: 0, peer: '' }

/** A peer that knows nobody and no job. Until told otherwise (`peer-up` of itself) it takes itself to have one slot. */
export function initialState(config: CoreConfig): State {
  return {
    nowMs: 0,
    peers: new Map([[config.self, { itemsPerSecond: 0, slots: 1 }]]),
    jobs: new Map(),
    ends: { met: [], dueMs: 0, roundMs: 0, round: 0 },
  }
}

export function newJob(id: JobId, state: State, owner?: PeerKey): Job {
  const { nowMs, clockMs = nowMs } = state
  return {
    id,
    owner,
    priority: 0,
    startedMs: clockMs,
    knownMs: nowMs,
    ballot: noBallot,
    specKnown: false,
    known: { count: 0 },
    target: { count: 0 },
    complete: false,
    items: [],
    itemsTotal: 0,
    round: { round: 0 },
    paramsHere: true,
    roundBallot: noBallot,
    results: new Map(),
    held: new Map(),
    running: 0,
    usedMs: 0,
    shardMs: 0,
    leaseMs: 0,
    unacked: new Map(),
    renewDueMs: 0,
    inventoryDueMs: Number.POSITIVE_INFINITY,
    heardMs: nowMs,
    ledSinceMs: nowMs,
    unrest: 0,
    answeredMs: Number.NEGATIVE_INFINITY,
    retries: new Map(),
    givenUpBy: new Set(),
    ownerPassing: false,
    endedMs: 0,
    announceUntilMs: 0,
    announceDueMs: 0,
    restored: false,
  }
}

export function headOf(count: number, head: BlockId | undefined): ManifestHead {
  return head === undefined ? { count } : { count, head }
}

export function send(turn: Turn, to: PeerKey, message: StreamMessage): void {
  turn.effects.push({ type: 'send', to, message })
}

/** Every manifest of the whole input is read here. */
export function allRead(job: Job): boolean {
  return job.complete && job.known.count === job.target.count
}
