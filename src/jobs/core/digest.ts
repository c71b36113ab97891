/** What a leader gossips of its job, and what remains to be gossiped of an ended one. */
import { firmRound, inRound } from './rounds.ts'
import { allRead, type Job, type LeaderRole, type Turn } from './state.ts'
import type { Digest } from './types.ts'

/** So many peers' shares go with every digest; more of them with every `sharesEvery`-th, for they are what makes it large. */
const sharesAlways = 32
const sharesEvery = 8

/** The state of a running job as its leader knows it; `shares` of everyone unless told otherwise. `done` is a copy. */
export function leaderDigest(turn: Turn, job: Job, leader: LeaderRole, withShares = true): Digest {
  // Time as the version's floor: a leader that came back without its memory still counts upwards.
  leader.version = Math.max(leader.version + 1, Math.floor(turn.nowMs))
  const shards = job.items.length
  return {
    type: 'digest',
    job: job.id,
    owner: job.owner ?? '',
    ballot: leader.ballot,
    version: leader.version,
    phase: leader.stage === 'merging' ? 'merging' : 'running',
    manifest: job.known,
    complete: allRead(job),
    // A leader that gathers may yet have to fall back to this one, and under one ballot rounds only go up.
    ...inRound(firmRound(job)),
    done: leader.done.slice(0, (shards + 7) >> 3),
    itemsDone: leader.itemsDone,
    itemsTotal: job.itemsTotal,
    shards,
    shardsDone: leader.results.size,
    errors: leader.errors,
    shares: withShares ? sharesOf(leader) : [],
  }
}

/** Who does what. The items of one round sum to those that are done. */
export function sharesOf({ assignees }: LeaderRole): Digest['shares'] {
  return [...assignees]
    .map(([peer, { leased, itemsBefore, itemsDone, itemsPerSecond }]) => ({
      ...{ peer, leased: leased.size },
      ...{ itemsDone: itemsBefore + itemsDone, itemsPerSecond },
    }))
    .filter(share => share.leased > 0 || share.itemsDone > 0)
}

/**
 * The last digest of an ended job: totals as they were seen last, no bitmap, and the outcome. None of a job whose owner was
 * never heard of: no peer could read it.
 */
export function endDigest(turn: Turn, job: Job): Digest | undefined {
  if (job.owner === undefined) return undefined
  const last = job.seen
  const phase = job.outcome?.phase ?? 'running'
  return {
    type: 'digest',
    job: job.id,
    owner: job.owner,
    ballot: job.ballot,
    version: Math.max((last?.version ?? 0) + 1, Math.floor(turn.nowMs)),
    phase,
    manifest: last?.manifest ?? job.known,
    complete: last?.complete ?? allRead(job),
    ...inRound(last?.round ?? job.round),
    done: new Uint8Array(0),
    itemsDone: last?.itemsDone ?? 0,
    itemsTotal: last?.itemsTotal ?? job.itemsTotal,
    shards: last?.shards ?? job.items.length,
    shardsDone: last?.shardsDone ?? 0,
    errors: last?.errors ?? 0,
    shares: (last?.shares ?? []).map(share => ({ ...share, leased: 0 })),
    outcome: job.outcome,
  }
}

/** Gossips the digest when it is due: every `digestMs`, sooner after an important change but at most four times as often. */
export function gossipDigest(turn: Turn, job: Job, leader: LeaderRole, important: boolean): void {
  if (important) leader.digestSoon = true
  const wait = leader.digestSoon ? turn.config.digestMs / 4 : turn.config.digestMs
  if (turn.nowMs - leader.digestAtMs < wait) return
  leader.digestAtMs = turn.nowMs
  leader.digestSoon = false
  const withShares = leader.assignees.size <= sharesAlways || leader.digests++ % sharesEvery === 0
  turn.effects.push({ type: 'gossip', message: leaderDigest(turn, job, leader, withShares) })
  turn.changed.add(job.id)
}
