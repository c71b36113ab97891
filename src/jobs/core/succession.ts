/**
 * How a job outlives its leader, and how two leaders become one. Every peer obeys the highest ballot that it has heard
 * of, wherever it heard it; a leader that is down or silent is succeeded by the candidate of the highest rank that
 * notices, after a wait that grows with the rank. As in Raft (Ongaro and Ousterhout, 2014) a ballot has one leader; unlike
 * there no quorum is asked, because both halves of a parted mesh may go on and results unite by shard.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { compareBallots } from './ballots.ts'
import { adoptHead, wantManifests, wantSpec } from './fetches.ts'
import { askInventories } from './gathering.ts'
import { becomeLeader, stepDown } from './leader.ts'
import { absorb, endOf } from './outcome.ts'
import { prefetch } from './prefetch.ts'
import { rankPeers } from './ranking.ts'
import { ensureJob } from './registry.ts'
import { firmRound, hearRound, inRound, roundOf } from './rounds.ts'
import { allRead, type Job, send, type Turn } from './state.ts'
import type { Ballot, Digest, StreamMessage } from './types.ts'

/**
 * Beyond this rank the extra wait grows slowly: if the first eight are gone, a fast claim matters more than avoiding a collision, but
 * not all peers may claim at once.
 */
const staggeredRanks = 8
const crowdedRanks = 64

/** How many turns the candidate of this rank waits. */
const turnsOf = (rank: number) =>
  Math.min(rank, staggeredRanks) + Math.min(Math.max(0, rank - staggeredRanks), crowdedRanks) / staggeredRanks

/**
 * The timeout doubles after each leader that led for less than `calmSilences` timeouts, up to `unrestMax` doublings: where machines
 * are too busy to be heard in time, another leader is no better, and each new one begins by asking everyone.
 */
const calmSilences = 8
const unrestMax = 3

const silenceMs = ({ config }: Turn, job: Job) => config.leaderSilenceMs * 2 ** job.unrest
/** A leader that others call lost gets this long as well, unless no leader was lost lately: it may only be busy. */
const graceMs = (turn: Turn, job: Job) => (job.unrest === 0 ? 0 : silenceMs(turn, job) / 4)

/** Accepts a higher ballot: steps down if need be, and passes on to the new leader what this peer holds. */
export function obey(turn: Turn, job: Job, ballot: Ballot): void {
  if (job.outcome || compareBallots(ballot, job.ballot) <= 0) return
  if (job.leader) stepDown(turn, job, job.leader)
  const brief = job.ballot.counter > 0 && turn.nowMs - job.ledSinceMs < calmSilences * turn.config.leaderSilenceMs
  job.unrest = brief ? Math.min(job.unrest + 1, unrestMax) : 0
  job.ledSinceMs = turn.nowMs
  job.ballot = ballot
  job.heardMs = turn.nowMs
  job.suspectMs = undefined
  if (job.ownerRole) {
    job.ownerRole.led = true
    job.ownerRole.offered = undefined
    // What was read since the offer: a small job is all there by now, and does not wait for a tick.
    tellLeader(turn, job)
  }
  for (const shard of job.unacked.keys()) job.unacked.set(shard, turn.nowMs)
  job.inventoryDueMs = Number.POSITIVE_INFINITY
  if (ballot.peer !== turn.config.self && holdsAnything(job)) sendInventory(turn, job)
  turn.changed.add(job.id)
}

/** The owner's word of how far it has read its inputs, when there is more of them or somebody else leads. */
export function tellLeader(turn: Turn, job: Job): void {
  const role = job.ownerRole
  if (!role?.led || job.ballot.peer === turn.config.self) return
  role.tellDueMs = Number.POSITIVE_INFINITY
  send(turn, job.ballot.peer, { type: 'manifest', job: job.id, manifest: job.known, complete: allRead(job) })
}

const holdsAnything = (job: Job) => job.results.size > 0 || job.held.size > 0 || job.round.round > 0

/** Tells the leader what this peer holds and is at; in several messages when it is much. */
function sendInventory(turn: Turn, job: Job): void {
  job.inventoryDueMs = Number.POSITIVE_INFINITY
  const round = firmRound(job)
  // Without the round’s parameters this peer cannot compute, so it reports no work in progress.
  const results = job.paramsHere ? [...job.results.values()] : []
  const working = job.paramsHere ? [...job.held.keys()] : []
  const size = limits.messageShardsMax
  const parts = Math.max(1, Math.ceil(Math.max(results.length, working.length) / size))
  for (let part = 0; part < parts; part++) {
    send(turn, job.ballot.peer, {
      type: 'inventory',
      job: job.id,
      ballot: job.ballot,
      results: results.slice(part * size, (part + 1) * size),
      working: working.slice(part * size, (part + 1) * size),
      manifest: job.known,
      complete: job.complete && job.known.count === job.target.count,
      ...inRound(round),
    })
  }
}

/** What a peer hears that acts under an older ballot, or for an ended job. */
export function refuse(turn: Turn, job: Job, to: PeerKey): void {
  if (to === turn.config.self) return
  send(turn, to, { type: 'superseded', job: job.id, ballot: job.ballot, outcome: job.outcome, ...endOf(job) })
}

/** False, and the sender is told, when the ballot is older than ours or the job is over. Obeys it otherwise. */
export function admits(turn: Turn, job: Job, from: PeerKey, ballot: Ballot): boolean {
  if (job.outcome || compareBallots(ballot, job.ballot) < 0) {
    refuse(turn, job, from)
    return false
  }
  obey(turn, job, ballot)
  // Any message proves that the leader is alive.
  if (from === job.ballot.peer) job.heardMs = turn.nowMs
  return true
}

export function onClaim(turn: Turn, from: PeerKey, message: StreamMessage & { type: 'claim' }): void {
  if (message.ballot.peer !== from) return
  const job = ensureJob(turn, message.job)
  if (!job) return
  const told = compareBallots(message.ballot, job.ballot) > 0 && holdsAnything(job)
  if (!admits(turn, job, from, message.ballot) || from === turn.config.self) return
  adoptHead(job, message.manifest, message.complete, from)
  // Who holds nothing says so too, for the leader waits for it.
  if (!told) sendInventory(turn, job)
}

export function onSuperseded(turn: Turn, from: PeerKey, message: StreamMessage & { type: 'superseded' }): void {
  const job = turn.state.jobs.get(message.job)
  if (!job) return
  // Under the ballot of a job that is over nobody leads.
  if (message.outcome) absorb(turn, job, from, message.outcome, message.end)
  else obey(turn, job, message.ballot)
}

/** How most peers learn of most things. */
export function onDigest(turn: Turn, from: PeerKey, message: Digest): void {
  if (from === turn.config.self || (!message.outcome && message.ballot.peer !== from)) return
  const job = ensureJob(turn, message.job, message.owner)
  if (!job) return
  const absorbed = message.outcome !== undefined
  if (message.outcome) absorb(turn, job, from, message.outcome, message)
  if (job.outcome || absorbed) {
    if (!absorbed) answerStale(turn, job, from)
    return
  }
  if (compareBallots(message.ballot, job.ballot) < 0) {
    answerStale(turn, job, from)
    return
  }
  obey(turn, job, message.ballot)
  job.heardMs = turn.nowMs
  job.suspectMs = undefined
  adoptHead(job, message.manifest, message.complete, from)
  hearRound(turn, job, roundOf(message))
  keepSeen(turn, job, message)
  noteLag(turn, job, message)
  prefetch(turn, job)
}

/** A stale digest is answered at most once in `digestMs`: many peers hear it. */
function answerStale(turn: Turn, job: Job, from: PeerKey): void {
  if (turn.nowMs - job.answeredMs < turn.config.digestMs) return
  job.answeredMs = turn.nowMs
  refuse(turn, job, from)
}

function keepSeen(turn: Turn, job: Job, digest: Digest): void {
  if (job.leader) return
  const order = job.seen ? compareBallots(digest.ballot, job.seen.ballot) : 1
  if (order < 0 || (order === 0 && digest.version <= (job.seen?.version ?? 0))) return
  // A digest without shares leaves them as they were.
  job.seen = digest.shares.length === 0 && job.seen ? { ...digest, shares: job.seen.shares } : digest
  turn.changed.add(job.id)
}

/** The owner sees whether its leader knows of all manifests. */
function noteLag(turn: Turn, job: Job, digest: Digest): void {
  const role = job.ownerRole
  if (!role) return
  if (digest.manifest.count >= job.known.count && digest.complete === job.complete) {
    role.tellDueMs = Number.POSITIVE_INFINITY
  } else role.tellDueMs = Math.min(role.tellDueMs, turn.nowMs + 2 * turn.config.digestMs)
}

/** Claims when the leader is down or silent and this peer's turn has come; fetches the spec first if it must. */
export function tickSuccession(turn: Turn, job: Job): void {
  const { config, nowMs } = turn
  if (job.inventoryDueMs <= nowMs) sendInventory(turn, job)
  if (job.leader || job.ballot.counter === 0) return
  const forgot = job.ballot.peer === config.self
  // After a restart with its state a leader waits to hear of a successor; without its state it claims at once.
  const lostMs = job.suspectMs === undefined ? undefined : job.suspectMs + graceMs(turn, job)
  const sinceMs = forgot && !job.restored ? job.heardMs : (lostMs ?? job.heardMs + silenceMs(turn, job))
  if (nowMs < sinceMs) return
  if (!job.specKnown) {
    wantSpec(turn, job)
    return
  }
  const others = new Map(turn.state.peers)
  if (!forgot) others.delete(job.ballot.peer)
  const rank = forgot ? 0 : rankPeers(job.id, others, job.owner).indexOf(config.self)
  if (nowMs >= sinceMs + turnsOf(rank) * config.claimStaggerMs) claim(turn, job)
}

function claim(turn: Turn, job: Job): void {
  const { self } = turn.config
  const ballot = { counter: job.ballot.counter + 1, peer: self }
  obey(turn, job, ballot)
  const others = askInventories(turn, job, ballot)
  becomeLeader(turn, job, ballot, others)
  wantManifests(turn, job)
}

/** The leader's connection closed: no need to wait for its silence. */
export function suspect(turn: Turn, job: Job): void {
  if (job.leader || job.ballot.peer === turn.config.self) return
  job.suspectMs ??= turn.nowMs
  tickSuccession(turn, job)
}
