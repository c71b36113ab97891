/**
 * The order in which results reach the merge: by shard, once each, under the leader's ballot alone. Arrival order never
 * shows. What waits for an earlier shard is bounded by `lookaheadShards`, which bounds the leases.
 */
import type { PeerKey } from '../../base/ids.ts'
import { gossipDigest } from './digest.ts'
import { endOf, finish, tell } from './outcome.ts'
import { inRound } from './rounds.ts'
import { allRead, type Job, type LeaderRole, type Turn } from './state.ts'
import type { Event } from './types.ts'

/** Shards handed to the merge by one event; a successor with a long prefix goes on at its next event. */
const mergeBurst = 4096

export function emitMerge(turn: Turn, job: Job, leader: LeaderRole, shard: number): boolean {
  const collected = leader.results.get(shard)
  if (!collected) return false
  const { result, holders } = collected
  turn.effects.push({
    type: 'merge-shard',
    job: job.id,
    ballot: leader.ballot,
    result,
    holders: [...holders],
    ...inRound(job.round),
  })
  return true
}

/** Hands over what is next in order, and ends the merge when no shard is missing and no input is unread. */
export function pumpMerge(turn: Turn, job: Job, leader: LeaderRole): void {
  if (leader.stage === 'gathering') return
  for (let n = 0; n < mergeBurst && emitMerge(turn, job, leader, leader.mergeNext); n++) leader.mergeNext++
  const whole = allRead(job) && leader.mergeNext === job.items.length && leader.lost.size === 0
  if (leader.endSent || !whole) return
  leader.endSent = true
  leader.stage = 'merging'
  turn.effects.push({
    type: 'merge-end',
    job: job.id,
    ballot: leader.ballot,
    shards: job.items.length,
    ...inRound(job.round),
  })
  gossipDigest(turn, job, leader, true)
}

/** The merged result is there: the job is final, and its owner must hear it. */
export function onMerged(turn: Turn, job: Job, leader: LeaderRole, event: Event & { type: 'merged' }): void {
  if (!leader.endSent) return
  finish(turn, job, { phase: 'final', ballot: leader.ballot, result: event.result }, true)
  tellOwner(turn, job)
}

/** The leader gives the job up; `byTime`: for nothing but the time that somebody was away. */
export function failJob(turn: Turn, job: Job, leader: LeaderRole, reason: string, byTime = false): void {
  finish(turn, job, { phase: 'failed', ballot: leader.ballot, reason, ...(byTime && { byTime }) }, true)
  tellOwner(turn, job)
}

function tellOwner(turn: Turn, job: Job): void {
  if (job.outcome && job.owner !== undefined && job.owner !== turn.config.self) {
    tell(turn, job, job.owner, { type: 'outcome', job: job.id, outcome: job.outcome, ...endOf(job) })
  }
}

/**
 * The result block of a merged shard was found nowhere, or is another shard's: the shard is pending again and the merge waits
 * at it. Gives back who told of the result, the first one first.
 */
export function onResultLost(turn: Turn, job: Job, leader: LeaderRole, shard: number): PeerKey[] {
  const collected = leader.results.get(shard)
  if (!collected) return []
  leader.results.delete(shard)
  leader.done[shard >> 3] &= ~(1 << (shard & 7))
  leader.itemsDone -= job.items[shard]
  leader.errors -= collected.result.errors
  const by = leader.assignees.get(collected.by)
  if (by) by.itemsDone -= job.items[shard]
  leader.cursor = Math.min(leader.cursor, shard)
  for (const facts of leader.assignees.values()) facts.homeNext = 0
  if (shard < leader.mergeNext) leader.lost.add(shard)
  leader.endSent = false
  if (leader.stage === 'merging') leader.stage = 'running'
  turn.changed.add(job.id)
  return collected.holders
}
