/**
 * Where a leader goes on from: the inventories of everyone it knows when it begins, the next round when one is merged, and a
 * later round than its own when others tell of one whose parameters it can get.
 * Invariant: a leader that grants has asked everyone, and holds the parameters of its round.
 */
import type { BlockId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { gossipDigest } from './digest.ts'
import { fetchFailed, nobodyToAsk, wantParams } from './fetches.ts'
import { assign } from './leases.ts'
import { failJob, pumpMerge } from './merging.ts'
import { askAhead, clearBooks, enterRound, firmRound, sameRound } from './rounds.ts'
import { allRead, type Job, type LeaderRole, send, type Turn } from './state.ts'
import type { Ballot, RoundHead } from './types.ts'

/** Does whatever the newest facts allow. */
export function advance(turn: Turn, job: Job, leader: LeaderRole, only?: PeerKey): void {
  pumpMerge(turn, job, leader)
  assign(turn, job, leader, only)
}

/** Claims, or claims again under the same ballot: everyone this peer knows is to say what it holds. Returns whom it asked. */
export function askInventories(turn: Turn, job: Job, ballot: Ballot): PeerKey[] {
  const others = [...turn.state.peers.keys()].filter(peer => peer !== turn.config.self)
  for (const peer of others) {
    send(turn, peer, { type: 'claim', job: job.id, ballot, manifest: job.known, complete: allRead(job) })
  }
  return others
}

/** A round's parameters were not to be had from so many sources, or there is none: the leader falls back to the round before. */
const paramsFailuresMax = 4

/**
 * Ends the gathering once everybody has answered, or time is up: leases what nobody mentioned and merges from shard 0. Not
 * without the round's parameters, and not while those of a later round are on their way.
 */
export function tryEndGathering(turn: Turn, job: Job, leader: LeaderRole): void {
  const lateMs = turn.nowMs - leader.gatherUntilMs
  if (leader.stage !== 'gathering' || (leader.awaiting.size > 0 && lateMs < 0)) return
  if (leader.ahead && lateMs < turn.config.inventoryMs) return
  if (!job.paramsHere) {
    wantParams(turn, job)
    if ((job.paramsFetch?.failures ?? 0) < paramsFailuresMax && !nobodyToAsk(turn, job)) return
    clearBooks(leader)
    enterRound(turn, job, firmRound(job), true)
  }
  leader.stage = 'running'
  leader.awaiting.clear()
  advance(turn, job, leader)
  gossipDigest(turn, job, leader, true)
}

/** The driver merged a round and wrote the parameters of the next one. */
export function onRoundMerged(turn: Turn, job: Job, leader: LeaderRole, params: BlockId): void {
  if (!leader.endSent) return
  if (job.round.round >= limits.roundsMax) {
    failJob(turn, job, leader, `it is not done after ${limits.roundsMax} rounds: submit it with a weaker end`)
    return
  }
  clearBooks(leader, true)
  enterRound(turn, job, { round: job.round.round + 1, params }, true)
  if (leader.ahead && leader.ahead.head.round <= job.round.round) leader.ahead = undefined
  leader.stage = 'running'
  advance(turn, job, leader)
  gossipDigest(turn, job, leader, true)
}

/** The parameters of a later round are here: this leader goes on there, with what others already computed in it. */
function jump(turn: Turn, job: Job, leader: LeaderRole, head: RoundHead): void {
  turn.effects.push({ type: 'merge-drop', job: job.id, ballot: leader.ballot })
  clearBooks(leader)
  enterRound(turn, job, head, true)
  leader.ahead = undefined
  leader.stage = 'gathering'
  leader.gatherUntilMs = turn.nowMs + turn.config.inventoryMs
  leader.awaiting = new Set(askInventories(turn, job, leader.ballot))
  tryEndGathering(turn, job, leader)
}

/** A round's parameters are here. */
export function onParams(turn: Turn, job: Job, round: RoundHead): void {
  const { leader } = job
  if (leader?.ahead && sameRound(leader.ahead.head, round)) {
    if (round.round > job.round.round) jump(turn, job, leader, round)
    else leader.ahead = undefined
  } else if (sameRound(round, job.round)) {
    job.paramsHere = true
    job.paramsFetch = undefined
  }
  if (leader) tryEndGathering(turn, job, leader)
}

/** They could not be had. */
export function onParamsFailed(turn: Turn, job: Job, round: RoundHead): void {
  const { leader } = job
  if (leader?.ahead && sameRound(leader.ahead.head, round)) askAhead(turn, job, leader)
  else if (sameRound(round, job.round)) fetchFailed(turn, job.paramsFetch)
  if (leader) tryEndGathering(turn, job, leader)
}

/** The peer has answered, or never will. */
export function noLongerAwaited(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey): void {
  leader.awaiting.delete(peer)
  tryEndGathering(turn, job, leader)
}
