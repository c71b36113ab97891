/**
 * Results as a leader unites them: one a shard. While inventories are gathered the smallest block id wins, so that the
 * choice does not depend on who answered first; from then on the first result stands, and later ones are only thanked for.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { assigneeFacts, lease } from './leases.ts'
import { emitMerge } from './merging.ts'
import { inRound } from './rounds.ts'
import { type Collected, type Job, type LeaderRole, send, type Turn } from './state.ts'
import type { ShardResult } from './types.ts'

/** Enough places to fetch a result block from. */
const holdersMax = 4

function addHolders(collected: Collected, holders: PeerKey[]): void {
  for (const peer of holders) {
    if (collected.holders.length < holdersMax && !collected.holders.includes(peer)) collected.holders.push(peer)
  }
}

/** The better of two results of one shard, by a precedence that is the same on every peer. */
function unite(
  known: Collected | undefined,
  result: ShardResult,
  holders: PeerKey[],
  by: PeerKey,
  replace: boolean,
): Collected {
  if (known && (known.result.block === result.block || !replace || known.result.block < result.block)) {
    if (known.result.block === result.block) addHolders(known, holders)
    return known
  }
  return { result, by, holders: holders.slice(0, holdersMax) }
}

/** Takes one result. True when the shard was not done before. */
export function collect(
  turn: Turn,
  job: Job,
  leader: LeaderRole,
  result: ShardResult,
  holders: PeerKey[],
  from: PeerKey,
): boolean {
  const { shard } = result
  if (shard >= limits.shardsMax) return false
  if (shard >= job.items.length) {
    leader.earlyResults.set(shard, unite(leader.earlyResults.get(shard), result, holders, from, true))
    return false
  }
  const errors = Math.min(result.errors, job.items[shard])
  const known = leader.results.get(shard)
  const collected = unite(known, { ...result, errors }, holders, from, leader.stage === 'gathering')
  leader.results.set(shard, collected)
  leader.errors += collected.result.errors - (known?.result.errors ?? 0)
  if (known) assigneeFacts(leader, known.by).itemsDone -= job.items[shard]
  assigneeFacts(leader, collected.by).itemsDone += job.items[shard]
  if (known) return false
  setDone(leader, shard)
  leader.itemsDone += job.items[shard]
  dropLeases(turn, job, leader, shard, from)
  if (leader.lost.delete(shard)) emitMerge(turn, job, leader, shard)
  return true
}

function setDone(leader: LeaderRole, shard: number): void {
  if (shard >> 3 >= leader.done.length) {
    const grown = new Uint8Array(Math.max(64, 2 * ((shard >> 3) + 1)))
    grown.set(leader.done)
    leader.done = grown
  }
  leader.done[shard >> 3] |= 1 << (shard & 7)
}

/** The shard is done: whoever else works on it may stop. */
function dropLeases(turn: Turn, job: Job, leader: LeaderRole, shard: number, from: PeerKey): void {
  const leases = leader.leases.get(shard)
  if (!leases) return
  leader.leases.delete(shard)
  for (const { peer } of leases) {
    leader.assignees.get(peer)?.leased.delete(shard)
    if (peer !== from)
      send(turn, peer, { type: 'revoke', job: job.id, ballot: leader.ballot, shards: [shard], ...inRound(job.round) })
  }
}

/** Shards `first` and on have just become known: what was heard of them before now counts. */
export function collectEarly(turn: Turn, job: Job, leader: LeaderRole, first: number): void {
  if (leader.earlyResults.size === 0 && leader.earlyWorking.size === 0) return
  for (let shard = first; shard < job.items.length; shard++) {
    const early = leader.earlyResults.get(shard)
    if (early) {
      leader.earlyResults.delete(shard)
      collect(turn, job, leader, early.result, early.holders, early.by)
    }
    const peer = leader.earlyWorking.get(shard)
    if (peer === undefined) continue
    leader.earlyWorking.delete(shard)
    if (!leader.results.has(shard)) lease(turn, leader, shard, peer)
  }
}
