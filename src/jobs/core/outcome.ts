/**
 * How a job ends, once. An outcome absorbs every running state; of two outcomes every peer keeps the same one, because
 * `betterOutcome` is a total order: a finished result before its owner's cancel before a failure, and last a failure for
 * nothing but the time that somebody was away; then the higher ballot.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { compareBallots } from './ballots.ts'
import { backoffMs } from './config.ts'
import { endDigest, leaderDigest } from './digest.ts'
import { assign, releaseAll } from './leases.ts'
import { type Job, type Retry, send, type Turn } from './state.ts'
import type { Digest, JobOutcome, StreamMessage } from './types.ts'

const precedence = ({ phase, byTime }: JobOutcome) => (byTime ? 0 : { failed: 1, cancelled: 2, final: 3 }[phase])

/** Whether `a` stands when both were declared. */
export function betterOutcome(a: JobOutcome, b: JobOutcome): boolean {
  if (precedence(a) !== precedence(b)) return precedence(a) > precedence(b)
  const ballots = compareBallots(a.ballot, b.ballot)
  if (ballots !== 0) return ballots > 0
  return (a.result ?? a.reason ?? '') < (b.result ?? b.reason ?? '')
}

/** Ends the job here: stops what runs, frees what it held, and tells the driver. Announces it when this peer decided it. */
export function finish(turn: Turn, job: Job, outcome: JobOutcome, announce: boolean): void {
  if (job.outcome && !betterOutcome(outcome, job.outcome)) return
  const leader = job.leader
  if (leader) {
    job.seen = leaderDigest(turn, job, leader)
    const mergedHere = outcome.phase === 'final' && compareBallots(outcome.ballot, leader.ballot) === 0
    if (!mergedHere) turn.effects.push({ type: 'merge-drop', job: job.id, ballot: leader.ballot })
  }
  for (const [shard, running] of job.held) {
    if (running) turn.effects.push({ type: 'abandon', job: job.id, shard })
  }
  if (compareBallots(outcome.ballot, job.ballot) > 0) job.ballot = outcome.ballot
  job.outcome = outcome.reason ? { ...outcome, reason: outcome.reason.slice(0, limits.reasonCharsMax) } : outcome
  job.endedMs = turn.state.clockMs ?? turn.nowMs
  job.leader = undefined
  job.ownerRole = undefined
  job.offer = undefined
  job.specFetch = undefined
  job.manifestFetch = undefined
  job.paramsFetch = undefined
  if (job.held.size > 0) turn.schedule = true
  job.held.clear()
  job.running = 0
  job.unacked.clear()
  job.results.clear()
  job.retries.clear()
  job.givenUpBy.clear()
  job.seen = endDigest(turn, job)
  job.items = []
  if (announce) {
    job.announceUntilMs = turn.nowMs + 10 * turn.config.digestMs
    job.announceDueMs = turn.nowMs
  }
  turn.effects.push({ type: 'ended', job: job.id, outcome: job.outcome })
  turn.changed.add(job.id)
  tickEnded(turn, job)
}

/**
 * Takes over an outcome that another peer states. A failure under an older ballot than ours is another half's
 * opinion, not the job's end, unless it is the owner who gave up.
 * @param end the sender's last digest: totals, and who did what
 */
export function absorb(turn: Turn, job: Job, from: PeerKey, outcome: JobOutcome, end?: Digest): void {
  const outdated = outcome.phase === 'failed' && compareBallots(outcome.ballot, job.ballot) < 0 && from !== job.owner
  if (!job.outcome && (outdated || (outcome.byTime && worksOn(turn, job, from)))) return
  finish(turn, job, outcome, false)
  learnEnd(turn, job, end)
}

/**
 * A half of a parted mesh gave the job up because its owner was away. Where the owner is at hand and somebody has not given it
 * up the job goes on: its end will be told to the others.
 */
function worksOn(turn: Turn, job: Job, from: PeerKey): boolean {
  const ownerHere = job.ownerRole !== undefined || (job.owner !== undefined && turn.state.peers.has(job.owner))
  if (!ownerHere) return false
  job.givenUpBy.add(from)
  if (job.leader) {
    releaseAll(job.leader, from)
    assign(turn, job, job.leader)
  }
  return [...turn.state.peers].some(([peer, { slots }]) => slots > 0 && !job.givenUpBy.has(peer))
}

/** An ended job's totals are the most that anyone knew of it: the last progress that came through may fall short of the end. */
function learnEnd(turn: Turn, job: Job, end?: Digest): void {
  if (!end?.outcome || !job.outcome || end.job !== job.id || end.owner !== job.owner) return
  if (job.seen && compareEnds(end, job.seen) <= 0) return
  job.seen = { ...end, outcome: job.outcome, phase: job.outcome.phase, done: new Uint8Array(0) }
  turn.changed.add(job.id)
}

function compareEnds(a: Digest, b: Digest): number {
  const counted = (digest: Digest) => digest.shares.reduce((sum, share) => sum + share.itemsDone, 0)
  return a.shardsDone - b.shardsDone || counted(a) - counted(b) || Number(a.complete) - Number(b.complete)
}

/** What goes along with a word of the job's end. */
export const endOf = ({ outcome, seen }: Job): { end?: Digest } => (outcome && seen ? { end: seen } : {})

/** Gossips the end for a while: gossip is lossy, and who misses all of it learns by asking. */
export function tickEnded(turn: Turn, job: Job): void {
  if (!job.seen || turn.nowMs < job.announceDueMs || turn.nowMs >= job.announceUntilMs) return
  job.announceDueMs = turn.nowMs + turn.config.digestMs
  turn.effects.push({ type: 'gossip', message: job.seen })
}

/** A message that must arrive: sent now, and again whenever its send fails. */
export function tell(turn: Turn, job: Job, to: PeerKey, message: StreamMessage): void {
  job.retries.delete(retryKey(to, message))
  send(turn, to, message)
}

const retryKey = (to: PeerKey, message: StreamMessage) =>
  `${to} ${message.type} ${message.type === 'shard-failed' ? message.shard : ''}`

/** Notes that a `tell` did not get through. */
export function retryTell(turn: Turn, job: Job, to: PeerKey, message: StreamMessage, before?: Retry): void {
  const key = retryKey(to, message)
  const tries = (before ?? job.retries.get(key))?.tries ?? 0
  if (job.retries.size >= limits.messageShardsMax && !job.retries.has(key)) return
  job.retries.set(key, { to, message, tries: tries + 1, dueMs: turn.nowMs + backoffMs(turn.config, tries) })
}

/** After so many tries a peer that is not up is waited for instead. */
const triesToAbsent = 4

/** Sends again what is due. An entry stays, undue, until it is told anew or forgotten with the job, to keep its count of tries. */
export function tickRetries(turn: Turn, job: Job): void {
  for (const retry of job.retries.values()) {
    const gone = retry.tries >= triesToAbsent && !turn.state.peers.has(retry.to)
    if (retry.dueMs > turn.nowMs || gone) continue
    retry.dueMs = Number.POSITIVE_INFINITY
    send(turn, retry.to, retry.message)
  }
}

/** A peer is back: what waited for it goes at once. */
export function hastenRetries(turn: Turn, job: Job, peer: PeerKey): void {
  for (const retry of job.retries.values()) {
    if (retry.to === peer && retry.dueMs !== Number.POSITIVE_INFINITY) retry.dueMs = turn.nowMs
  }
}
