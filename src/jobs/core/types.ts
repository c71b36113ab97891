/**
 * The vocabulary of the protocol core: what may happen to a peer (events), what it then wants done
 * (effects), and what peers say to each other (messages). Plain data, no class, no promise.
 *
 * `reduce(config, state, event)` is deterministic: the same state and event give the same state and
 * effects on every machine. Time comes in with each event; deadlines are data in the state.
 */
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'

export type { CoreConfig } from './knobs.ts'

/** Unique by construction: no two peers can hold the same one. Ordered by counter, then by peer. */
export interface Ballot {
  /** Grows with each leader of the job. */
  counter: number
  /** The leader. */
  peer: PeerKey
}

/** What the core knows of a shard: its number is its place in the list, and this is its size. */
export interface ShardFacts {
  /** Items (images, rows) in the shard: the unit of progress and of throughput. */
  items: number
}

/** Where the chain of manifest blocks stands; each block names the one before it. */
export interface ManifestHead {
  /** Manifest blocks so far. */
  count: number
  /** The newest block, absent while count is 0. */
  head?: BlockId
}

/** One round of an iterative job. A job that is computed once has the first round alone, which messages leave out. */
export interface RoundHead {
  /** From 0. */
  round: number
  /** The block of the round's parameters; absent in round 0, which begins with what the spec says. */
  params?: BlockId
}

/** `open`: no leader yet; `running`; `merging`: all shards are computed; the last three are ends. */
export type JobPhase = 'open' | 'running' | 'merging' | 'final' | 'cancelled' | 'failed'

/** How a job ended. */
export interface JobOutcome {
  /** Which end: a result, the submitter’s cancel, or a failure. */
  phase: 'final' | 'cancelled' | 'failed'
  /** The ballot under which it ended. */
  ballot: Ballot
  /** `final`: the root block of the merged result. */
  result?: BlockId
  /** `failed`: one line for the user. */
  reason?: string
  /** `failed`, because somebody was away for too long: who has the owner at hand and still works on it knows better. */
  byTime?: true
}

/** What peers say over acknowledged streams; every one names its job. */
export type StreamMessage =
  /** Owner to a ranked candidate: lead this job under this ballot (whose peer is the receiver). */
  | { type: 'offer'; job: JobId; ballot: Ballot; manifest: ManifestHead; complete: boolean }
  /** The candidate's answer. */
  | { type: 'offer-reply'; job: JobId; ballot: Ballot; accepted: boolean; reason?: string }
  /** Owner to leader: the chain of manifests has grown; `complete` once the inputs were all read. */
  | { type: 'manifest'; job: JobId; manifest: ManifestHead; complete: boolean }
  /** Leader to assignee: compute these shards; renew before `leaseMs` is over. */
  | {
      type: 'grant'
      job: JobId
      ballot: Ballot
      shards: number[]
      leaseMs: number
      manifest: ManifestHead
      round?: RoundHead
    }
  /** Leader to assignee: these are no longer wanted from you. */
  | { type: 'revoke'; job: JobId; ballot: Ballot; shards: number[]; round?: RoundHead }
  /** Assignee to leader: still at it; what is not listed was never received or is given back. */
  | { type: 'renew'; job: JobId; ballot: Ballot; shards: number[]; round?: RoundHead }
  /** Assignee to leader; the result blocks travel with it. */
  | { type: 'results'; job: JobId; ballot: Ballot; results: ShardResult[]; round?: RoundHead }
  /** Leader to assignee: these results are safe with me. */
  | { type: 'results-ack'; job: JobId; ballot: Ballot; shards: number[]; round?: RoundHead }
  /** Assignee to leader: this shard did not work here. */
  | {
      type: 'shard-failed'
      job: JobId
      ballot: Ballot
      shard: number
      reason: string
      retryable: boolean
      /** What it needs could not be had: that says nothing of the shard. Absent: it was tried. */
      missing?: boolean
      /** The sender cannot do such work now, whatever the shard: its machine is at fault. */
      unfit?: boolean
      round?: RoundHead
    }
  /** A candidate to everyone it knows: I lead now; answer with your inventory. */
  | { type: 'claim'; job: JobId; ballot: Ballot; manifest: ManifestHead; complete: boolean }
  /** A peer to a new leader: what I hold (results), what I am at, how far I know the manifests. */
  | {
      type: 'inventory'
      job: JobId
      ballot: Ballot
      results: ShardResult[]
      working: number[]
      manifest: ManifestHead
      complete: boolean
      /** The newest round whose parameters the sender holds; results and work are of it. */
      round?: RoundHead
    }
  /** A refusal: the sender knows a higher ballot, or the job's end. */
  | { type: 'superseded'; job: JobId; ballot: Ballot; outcome?: JobOutcome; end?: Digest }
  /** Owner to leader, or to whoever leads: stop. Honoured only from the owner. */
  | { type: 'cancel'; job: JobId }
  /** Leader to owner: it is over, and what it came to (`end`, its last digest). Also gossiped. */
  | { type: 'outcome'; job: JobId; outcome: JobOutcome; end?: Digest }

export interface ShardResult {
  shard: number
  /** The result block's id. */
  block: BlockId
  /** Items that could not be read, counted in the block. */
  errors: number
}

/** What a leader gossips: small, lossy, never the only way to learn anything. */
export interface Digest {
  type: 'digest'
  job: JobId
  owner: PeerKey
  ballot: Ballot
  /** Grows with every digest of this ballot. */
  version: number
  phase: JobPhase
  manifest: ManifestHead
  complete: boolean
  /** All counts below are of this round. */
  round?: RoundHead
  /** Bit s of byte s >> 3 is set when shard s has a result. */
  done: Uint8Array
  itemsDone: number
  /** Of the manifests read so far. */
  itemsTotal: number
  /** Of the manifests read so far; stated, because `done` may be left out when it is too large to gossip. */
  shards: number
  shardsDone: number
  errors: number
  /** By peer: shards leased now, and items completed so far. Empty: as in the digest before. */
  shares: { peer: PeerKey; leased: number; itemsDone: number; itemsPerSecond: number }[]
  outcome?: JobOutcome
}

export type Message = StreamMessage | Digest

/** A job that is over, as one peer tells another. */
export interface EndedJob {
  /** Its last digest, with the outcome. */
  end: Digest
  /** How long ago it ended, by the sender's clock. */
  agoMs: number
}

/** What two peers say to each other of the jobs that are over; see ends.ts. */
export type EndsMessage =
  /** Over the jobs that ended in the last `withinMs`: a sum for each bucket. */
  | { type: 'sums'; withinMs: number; sums: number[] }
  /** The sums of these buckets differ: what is in them. */
  | { type: 'list'; withinMs: number; buckets: number[]; marks: { job: JobId; mark: number }[] }
  /** What the receiver lacks or has otherwise, and what it is asked for. */
  | { type: 'told'; ends: EndedJob[]; want: JobId[] }

/**
 * What must outlive a restart of this peer, its results aside: one small record a job, of which the newest replaces the
 * one before. Spec and manifest blocks lie in the block store and are read again from there.
 */
export interface JobKept {
  owner?: PeerKey
  priority: number
  startedMs: number
  /** The highest ballot accepted: nothing below is obeyed, or used again, after a restart either. */
  ballot: Ballot
  specKnown: boolean
  /** Manifests read, the longest chain heard of, and whether that is the last word. */
  known: ManifestHead
  target: ManifestHead
  complete: boolean
  /** The newest round whose parameters are here; the kept results are of it. */
  round?: RoundHead
  /** At the owner: offers made, each of which used up a counter. Absent elsewhere. */
  offers?: number
  outcome?: JobOutcome
  endedMs: number
  /** Of an ended job: the totals that are shown of it. */
  seen?: Digest
}

/** What happens to a peer. */
export type Event = { nowMs: number } & (
  | { type: 'tick' }
  /**
   * At the start, before anything else of this job: what `keep` and `keep-results` stored. The driver then reads the
   * manifests that it has (`manifest` events, in order); missing ones are fetched like any others.
   */
  | { type: 'restore'; job: JobId; kept: JobKept; results: ShardResult[] }
  /** A peer is reachable; repeated when its capability changes. For this peer itself it only states the capability. */
  | {
      type: 'peer-up'
      peer: PeerKey
      itemsPerSecond: number
      slots: number
      /** It is there for one command alone: once it is gone it does not come back. */
      passing?: boolean
    }
  | { type: 'peer-down'; peer: PeerKey }
  /** The user of this peer submits a job whose signed spec is `job`. This peer is its owner. */
  | { type: 'submit'; job: JobId; priority: number }
  /** The owner's reader appended a manifest block (local), or a fetched one was verified (remote). */
  | { type: 'manifest'; job: JobId; index: number; block: BlockId; shards: ShardFacts[] }
  /** The owner's reader reached the end of the inputs. */
  | { type: 'inputs-end'; job: JobId }
  /** The owner's user cancels. */
  | { type: 'cancel'; job: JobId }
  /** The owner's side could not go on (inputs gone, disk full): the job fails with this reason. */
  | { type: 'abort'; job: JobId; reason: string }
  | { type: 'message'; from: PeerKey; message: Message }
  /** Of jobs that are over. */
  | { type: 'ends'; from: PeerKey; message: EndsMessage }
  /** A `send-ends` did not get through. */
  | { type: 'ends-failed'; to: PeerKey }
  /** An acknowledged send did not get through. */
  | { type: 'send-failed'; to: PeerKey; message: StreamMessage }
  /** A `fetch-spec` effect ended well: the signature holds. */
  | { type: 'spec'; job: JobId; owner: PeerKey; priority: number }
  /** A `fetch-*` effect failed; the core asks again elsewhere or later. */
  | { type: 'fetch-failed'; job: JobId; what: 'spec' | 'manifest' }
  /** A `fetch-params` effect ended: the block is here and verified, or could not be had. */
  | { type: 'params'; job: JobId; round: RoundHead }
  | { type: 'params-failed'; job: JobId; round: RoundHead }
  /** A local `run` effect ended. */
  | { type: 'ran'; job: JobId; result: ShardResult; items: number; elapsedMs: number; round?: RoundHead }
  | {
      type: 'run-failed'
      job: JobId
      shard: number
      reason: string
      retryable: boolean
      /** Its inputs could not be fetched. */
      missing?: boolean
      /** This machine cannot do such work now, whatever the shard. */
      unfit?: boolean
      round?: RoundHead
    }
  /** Local `merge-shard` found the result block nowhere: the shard must be computed again. */
  /** `wrong`: the block is there and is no result of this shard: who sent it made a mistake, or lies. */
  | { type: 'result-lost'; job: JobId; shard: number; round?: RoundHead; wrong?: true }
  /** Local `merge-end` of a round wrote the next round's parameters, which are durable here. */
  | { type: 'round-merged'; job: JobId; ballot: Ballot; round?: RoundHead; params: BlockId }
  /** Local `merge-end` wrote the merged result. */
  | { type: 'merged'; job: JobId; ballot: Ballot; result: BlockId }
  | { type: 'merge-failed'; job: JobId; ballot: Ballot; reason: string }
)

/**
 * What a peer wants done, in the order in which it must be done. `send` to oneself is delivered like any
 * other message. Everything is idempotent.
 */
export type Effect =
  /** Store the record durably before any later effect of the same step is performed: what follows promises it. */
  | { type: 'keep'; job: JobId; kept: JobKept }
  /** The same for results whose blocks this peer holds: these are added; their blocks must be durable too. */
  | { type: 'keep-results'; job: JobId; results: ShardResult[] }
  /** The results kept of this job are no longer needed; with `record`, nothing is: the job is forgotten. */
  | { type: 'forget'; job: JobId; record: boolean }
  /** The results kept so far are of an earlier round: they go, and those that follow are of the new one. */
  | { type: 'forget-results'; job: JobId }
  | { type: 'send'; to: PeerKey; message: StreamMessage }
  | { type: 'gossip'; message: Digest }
  /** Best effort, answered by `ends-failed` where it does not get through. */
  | { type: 'send-ends'; to: PeerKey; message: EndsMessage }
  /** Get and verify the signed spec (its id is the job id), from `from` first; answer `spec` or `fetch-failed`. */
  | { type: 'fetch-spec'; job: JobId; from: PeerKey }
  /** Get, verify and read manifest blocks `known.count` … `manifest.count - 1`; answer `manifest` for each, in order, or `fetch-failed`. */
  | { type: 'fetch-manifest'; job: JobId; known: ManifestHead; manifest: ManifestHead; from: PeerKey }
  /** Get and verify the block of a round's parameters, from `from` first; answer `params` or `params-failed`. */
  | { type: 'fetch-params'; job: JobId; round: RoundHead; from: PeerKey }
  /** Compute a shard, under the parameters of `round` (the first one: none); answer `ran` or `run-failed` with the same round. */
  | { type: 'run'; job: JobId; shard: number; round?: RoundHead }
  /** Stop a shard that was to run; no answer. */
  | { type: 'abandon'; job: JobId; shard: number }
  /**
   * Leader: merge this shard's result; come in shard order, once each, in one round under one ballot. `holders`: who has the block.
   * The one exception: after `result-lost` of shard s the merge waits at s, and s alone comes again.
   */
  | { type: 'merge-shard'; job: JobId; ballot: Ballot; result: ShardResult; holders: PeerKey[]; round?: RoundHead }
  /** Leader: no shard is missing; finish and answer `merged`, or `round-merged` if the job is to go on. */
  | { type: 'merge-end'; job: JobId; ballot: Ballot; shards: number; round?: RoundHead }
  /** A merge under an older ballot is void. */
  | { type: 'merge-drop'; job: JobId; ballot: Ballot }
  /** The job's view changed: tell whoever watches. */
  | { type: 'changed'; job: JobId }
  /** The job is over here: free what it held, keep the result. */
  | { type: 'ended'; job: JobId; outcome: JobOutcome }

/** What a watcher is shown of a job; the same on every peer that has heard of it. */
export interface JobView {
  job: JobId
  owner: PeerKey
  phase: JobPhase
  ballot?: Ballot
  leader?: PeerKey
  shardsDone: number
  shardsTotal: number
  itemsDone: number
  itemsTotal: number
  /** False while inputs are still being read: totals may grow. */
  complete: boolean
  /** From 0; the counts are of this round. */
  round: number
  errors: number
  shares: { peer: PeerKey; leased: number; itemsDone: number; itemsPerSecond: number }[]
  outcome?: JobOutcome
  /** How long this peer has known of the job, or knew of it until it ended. */
  sinceMs: number
}
