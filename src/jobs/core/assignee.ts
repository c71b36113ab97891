/**
 * The assignee's part: to compute what it was granted, to say in time that it still does, and to keep each result until
 * the leader has it. It obeys the leader of the highest ballot it accepted; computed results outlive ballots.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { adoptHead, wantManifests, wantParams, wantSpec } from './fetches.ts'
import { holdResult } from './keeping.ts'
import { tell } from './outcome.ts'
import { followRound, inRound, roundOf, sameRound } from './rounds.ts'
import { joinLanes, letGo, noteShardTime } from './scheduling.ts'
import { allRead, type Job, send, type Turn } from './state.ts'
import type { Event, ShardResult, StreamMessage } from './types.ts'

/** Fetches of spec or manifests that may fail in a row before the leases that need them are given back. */
const fetchFailuresMax = 6

/** No leader may bind a shard for longer, whatever it says. */
const leaseMsMax = 120_000

/** As many renewals to a lease as the usual settings have, whatever its term. */
const renewMs = ({ config }: Turn, job: Job) =>
  (Math.max(job.leaseMs, config.leaseMs) * config.renewMs) / config.leaseMs

/** Under the leader's ballot, which was already accepted. */
export function onGrant(turn: Turn, job: Job, from: PeerKey, message: StreamMessage & { type: 'grant' }): void {
  adoptHead(job, message.manifest, false, from)
  if (!followRound(turn, job, roundOf(message))) return
  job.leaseMs = Math.min(Math.max(message.leaseMs, turn.config.leaseMs), leaseMsMax)
  if (job.held.size === 0) {
    job.renewDueMs = turn.nowMs + renewMs(turn, job)
    joinLanes(turn, job)
  }
  for (const shard of message.shards) {
    // A result that is here already needs no computing: the leader lost it, or never heard.
    if (job.results.has(shard)) job.unacked.set(shard, turn.nowMs)
    else if (!job.held.has(shard) && shard < limits.shardsMax) job.held.set(shard, false)
  }
  startHeld(turn, job)
  sendResults(turn, job, message.shards)
}

/** Asks for whatever the leased shards wait for, and lets the ready ones take their turn. */
export function startHeld(turn: Turn, job: Job): void {
  if (job.held.size === job.running) return
  turn.schedule = true
  wantParams(turn, job)
  if (job.specKnown && allRead(job)) return
  let waiting = !job.specKnown
  for (const [shard, running] of job.held) waiting ||= !running && shard >= job.items.length
  if (!waiting) return
  wantSpec(turn, job)
  wantManifests(turn, job)
}

export function onRevoke(turn: Turn, job: Job, message: StreamMessage & { type: 'revoke' }): void {
  if (!sameRound(roundOf(message), job.round)) return
  for (const shard of message.shards) {
    if (letGo(turn, job, shard)) turn.effects.push({ type: 'abandon', job: job.id, shard })
  }
}

export function onResultsAck(job: Job, message: StreamMessage & { type: 'results-ack' }): void {
  if (!sameRound(roundOf(message), job.round)) return
  for (const shard of message.shards) job.unacked.delete(shard)
}

/** A shard is computed; its block is in the store before this event. */
export function onRan(turn: Turn, job: Job, event: Event & { type: 'ran' }): void {
  if (!sameRound(roundOf(event), job.round)) return
  letGo(turn, job, event.result.shard)
  noteShardTime(job, event.elapsedMs)
  holdResult(turn, job, event.result)
  job.unacked.set(event.result.shard, turn.nowMs)
  sendResults(turn, job, [event.result.shard])
}

export function onRunFailed(turn: Turn, job: Job, event: Event & { type: 'run-failed' }): void {
  if (!job.held.has(event.shard) || !sameRound(roundOf(event), job.round)) return
  letGo(turn, job, event.shard)
  giveBack(turn, job, event.shard, event)
}

/** The block of a result that was to be sent is gone here: what is asked for again must be computed again. */
export function onOwnResultLost(job: Job, shard: number): void {
  job.results.delete(shard)
  job.unacked.delete(shard)
}

interface Failure {
  reason: string
  retryable: boolean
  missing?: boolean
  unfit?: boolean
}

function giveBack(turn: Turn, job: Job, shard: number, { reason, retryable, missing, unfit }: Failure): void {
  tell(turn, job, job.ballot.peer, {
    type: 'shard-failed',
    job: job.id,
    ballot: job.ballot,
    shard,
    reason: reason.slice(0, limits.reasonCharsMax),
    retryable,
    ...(missing ? { missing } : {}),
    ...(unfit ? { unfit } : {}),
    ...inRound(job.round),
  })
}

/** Spec or manifests cannot be had: others may do better with the shards that wait for them. */
export function giveBackWaiting(turn: Turn, job: Job): void {
  const fetches = { spec: job.specFetch, manifests: job.manifestFetch, parameters: job.paramsFetch }
  for (const [what, fetch] of Object.entries(fetches)) {
    if (!fetch || fetch.failures < fetchFailuresMax) continue
    fetch.failures = 0
    for (const [shard, running] of job.held) {
      if (running) continue
      letGo(turn, job, shard)
      giveBack(turn, job, shard, { reason: `could not fetch the job's ${what}`, retryable: true, missing: true })
    }
  }
}

/**
 * Sends the results that are due, of `shards` if they are given: an event costs what it brought, not all that waits. The
 * blocks travel with them; an acknowledgement is waited for, `ackMs` long.
 */
export function sendResults(turn: Turn, job: Job, shards: Iterable<number> = job.unacked.keys()): void {
  if (job.ballot.counter === 0) return
  const results: ShardResult[] = []
  for (const shard of shards) {
    const dueMs = job.unacked.get(shard)
    if (dueMs === undefined || dueMs > turn.nowMs || results.length >= limits.messageShardsMax) continue
    const result = job.results.get(shard)
    if (!result) continue
    job.unacked.set(shard, turn.nowMs + turn.config.ackMs)
    results.push(result)
  }
  if (results.length === 0) return
  send(turn, job.ballot.peer, { type: 'results', job: job.id, ballot: job.ballot, results, ...inRound(job.round) })
}

export function onResultsUndelivered(turn: Turn, job: Job, message: StreamMessage & { type: 'results' }): void {
  if (!sameRound(roundOf(message), job.round)) return
  for (const { shard } of message.results) {
    if (job.unacked.has(shard)) job.unacked.set(shard, turn.nowMs + turn.config.retryMs)
  }
}

export function tickAssignee(turn: Turn, job: Job): void {
  startHeld(turn, job)
  sendResults(turn, job)
  if (job.held.size + job.unacked.size === 0 || turn.nowMs < job.renewDueMs || job.ballot.counter === 0) return
  job.renewDueMs = turn.nowMs + renewMs(turn, job)
  const shards = [...job.held.keys(), ...job.unacked.keys()].slice(0, limits.messageShardsMax)
  send(turn, job.ballot.peer, { type: 'renew', job: job.id, ballot: job.ballot, shards, ...inRound(job.round) })
}
