/**
 * The leader's part: to take results, to keep every pending shard leased to somebody, and to end the job. It acts under
 * its own ballot alone and stops at the first sight of a higher one. Results are facts whatever ballot they were asked
 * for under, so late ones still count.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { collect, collectEarly } from './collecting.ts'
import { gossipDigest, leaderDigest } from './digest.ts'
import { adoptHead } from './fetches.ts'
import { advance, noLongerAwaited, tryEndGathering } from './gathering.ts'
import { holdResult } from './keeping.ts'
import { assign, assigneeFacts, expireLeases, lease, measure, release, releaseAll } from './leases.ts'
import { failJob } from './merging.ts'
import { askAhead, inRound, noteAhead, roundOf, sameRound } from './rounds.ts'
import { type AssigneeFacts, type Attempt, allRead, type Job, type LeaderRole, send, type Turn } from './state.ts'
import type { Ballot, RoundHead, StreamMessage } from './types.ts'

type From<K extends StreamMessage['type']> = StreamMessage & { type: K }

const newAttempt = (): Attempt => ({ failed: 0, peers: new Set() })

/** An owner that is away for so long, with inputs unread, has its job set aside. */
const setAsideMs = 1_000

/** After n failures in a row an assignee rests: this long, doubled n - 1 times, to a maximum; a shorter one where it is not at fault. */
const restMs = { first: 500, max: 30_000, maxMissing: 4_000 }

/**
 * Begins to lead under `ballot`. A successor first gathers inventories from `awaiting`; the first leader has nothing to
 * gather. Starts from what this peer itself holds and works on.
 */
export function becomeLeader(turn: Turn, job: Job, ballot: Ballot, awaiting: PeerKey[]): void {
  const leader: LeaderRole = {
    ballot,
    stage: 'gathering',
    gatherUntilMs: turn.nowMs + turn.config.inventoryMs,
    awaiting: new Set(awaiting),
    results: new Map(),
    earlyResults: new Map(),
    earlyWorking: new Map(),
    done: new Uint8Array(0),
    itemsDone: 0,
    errors: 0,
    leases: new Map(),
    assignees: new Map(),
    attempts: new Map(),
    cursor: 0,
    mergeNext: 0,
    lost: new Set(),
    endSent: false,
    homes: new Map(),
    digestAtMs: Number.NEGATIVE_INFINITY,
    digestSoon: true,
    digests: 0,
    version: 0,
    setAside: false,
  }
  job.leader = leader
  job.unacked.clear()
  const { self } = turn.config
  for (const result of job.results.values()) collect(turn, job, leader, result, [self], self)
  for (const shard of job.held.keys()) noteWorking(turn, job, leader, shard, self)
  job.roundBallot = ballot
  gossipDigest(turn, job, leader, true)
  tryEndGathering(turn, job, leader)
}

/** A higher ballot leads: everything of ours is void but the results, which the inventory passes on. */
export function stepDown(turn: Turn, job: Job, leader: LeaderRole): void {
  turn.effects.push({ type: 'merge-drop', job: job.id, ballot: leader.ballot })
  job.seen = leaderDigest(turn, job, leader)
  job.leader = undefined
}

/** More manifests were read: from shard `first` on there is new work. */
export function onMoreShards(turn: Turn, job: Job, leader: LeaderRole, first: number): void {
  leader.starvedMs = undefined
  collectEarly(turn, job, leader, first)
  advance(turn, job, leader)
}

export function onResults(turn: Turn, job: Job, leader: LeaderRole, from: PeerKey, message: From<'results'>): void {
  const { self } = turn.config
  const facts = assigneeFacts(leader, from)
  const round = roundOf(message)
  const shards = message.results.map(result => result.shard)
  if (!sameRound(round, job.round)) {
    // Of a round that is over, or of a later one that this leader may yet take up: thanks, but not now.
    noteAhead(turn, job, leader, from, round)
    acknowledge(turn, job, leader, from, shards, round)
    return
  }
  let items = 0
  for (const result of message.results) {
    // The blocks came with the message, so this peer holds them from now on and says so to a successor.
    if (result.shard < limits.shardsMax) holdResult(turn, job, result)
    const holders = from === self ? [self] : [self, from]
    if (collect(turn, job, leader, result, holders, from)) items += job.items[result.shard]
  }
  measure(turn, facts, items)
  facts.failures = 0
  facts.unfit = false
  leader.unfitMs = undefined
  acknowledge(turn, job, leader, from, shards)
  advance(turn, job, leader, from)
  turn.changed.add(job.id)
}

function acknowledge(
  turn: Turn,
  job: Job,
  leader: LeaderRole,
  to: PeerKey,
  shards: number[],
  round: RoundHead = job.round,
): void {
  if (shards.length === 0) return
  send(turn, to, { type: 'results-ack', job: job.id, ballot: leader.ballot, shards, ...inRound(round) })
}

function revoke(turn: Turn, job: Job, leader: LeaderRole, to: PeerKey, shards: number[], round: RoundHead): void {
  if (shards.length === 0) return
  send(turn, to, { type: 'revoke', job: job.id, ballot: leader.ballot, shards, ...inRound(round) })
}

/** Extends what is listed, adopts what was thought lost, takes back what is no longer listed. */
export function onRenew(turn: Turn, job: Job, leader: LeaderRole, from: PeerKey, message: From<'renew'>): void {
  const round = roundOf(message)
  if (!sameRound(round, job.round)) {
    revoke(turn, job, leader, from, message.shards, round)
    return
  }
  const listed = new Set(message.shards)
  const done: number[] = []
  const unwanted: number[] = []
  for (const shard of listed) {
    if (leader.results.has(shard)) done.push(shard)
    else if (!noteWorking(turn, job, leader, shard, from)) unwanted.push(shard)
  }
  for (const shard of [...assigneeFacts(leader, from).leased]) {
    const mine = leader.leases.get(shard)?.find(one => one.peer === from)
    // A renewal may have crossed with its grant: only an older lease counts as given back.
    if (!listed.has(shard) && mine && turn.nowMs - mine.sinceMs > turn.config.renewMs) release(leader, shard, from)
  }
  // A renewed shard that is done: either its result is on its way here and this ends the resending, or it is stopped.
  const held = done.filter(shard => leader.results.get(shard)?.holders.includes(from))
  acknowledge(turn, job, leader, from, held)
  const revoked = [...unwanted, ...done.filter(shard => !held.includes(shard))]
  revoke(turn, job, leader, from, revoked, job.round)
  assign(turn, job, leader, from)
}

/** Leases to `peer` what it says it works on. False when it should stop. */
function noteWorking(turn: Turn, job: Job, leader: LeaderRole, shard: number, peer: PeerKey): boolean {
  if (shard >= limits.shardsMax) return false
  if (shard >= job.items.length) {
    leader.earlyWorking.set(shard, peer)
    return true
  }
  return !leader.results.has(shard) && lease(turn, leader, shard, peer)
}

export function onShardFailed(
  turn: Turn,
  job: Job,
  leader: LeaderRole,
  from: PeerKey,
  message: From<'shard-failed'>,
): void {
  const { shard, reason, retryable, unfit = false } = message
  // Without a lease this is a repetition, or news of a shard that was taken back: it must not count twice.
  if (!sameRound(roundOf(message), job.round) || !release(leader, shard, from)) return
  const facts = assigneeFacts(leader, from)
  restAfterFailure(turn, facts, message.missing ? restMs.maxMissing : restMs.max)
  if (unfit) return onUnfit(turn, job, leader, facts, reason)
  const attempt = leader.attempts.get(shard) ?? newAttempt()
  leader.attempts.set(shard, attempt)
  attempt.peers.add(from)
  if (message.missing) attempt.missingMs ??= turn.nowMs
  else attempt.failed++
  const missedMs = attempt.missingMs === undefined ? 0 : turn.nowMs - attempt.missingMs
  if (!retryable) failJob(turn, job, leader, `shard ${shard} cannot be computed: ${reason}`)
  else if (attempt.failed >= turn.config.attemptsMax) {
    failJob(turn, job, leader, `shard ${shard} failed on ${attempt.failed} attempts, last: ${reason}`)
  } else if (missedMs >= turn.config.ownerGraceMs) {
    failJob(
      turn,
      job,
      leader,
      `what shard ${shard} needs was not to be had for ${Math.round(missedMs / 1000)} s: ${reason}`,
      job.owner !== undefined && !turn.state.peers.has(job.owner),
    )
  } else advance(turn, job, leader)
}

/**
 * A machine that cannot do such work is no word on the shard, which others take meanwhile. Where nobody is left who can, the
 * job waits, for as long as for an owner that is away, and then fails by the name of the trouble.
 */
function onUnfit(turn: Turn, job: Job, leader: LeaderRole, facts: AssigneeFacts, reason: string): void {
  facts.unfit = true
  leader.unfitReason = reason
  leader.unfitMs ??= turn.nowMs
  advance(turn, job, leader)
}

function failIfUnfit(turn: Turn, job: Job, leader: LeaderRole): void {
  if (leader.unfitMs === undefined) return
  const fit = [...turn.state.peers].some(
    ([peer, { slots }]) => slots > 0 && !job.givenUpBy.has(peer) && !leader.assignees.get(peer)?.unfit,
  )
  const sinceMs = turn.nowMs - leader.unfitMs
  if (fit) leader.unfitMs = undefined
  if (fit || sinceMs < turn.config.ownerGraceMs) return
  failJob(turn, job, leader, `no peer could compute it for ${Math.round(sinceMs / 1000)} s: ${leader.unfitReason}`)
}

/**
 * A result did not match its shard: counts as a failed attempt of the peer that reported it. That peer gets the shard again only
 * if no other is left, and rests as a peer does at which shards fail.
 */
export function onWrongResult(turn: Turn, job: Job, leader: LeaderRole, shard: number, holders: PeerKey[]): void {
  const attempt = leader.attempts.get(shard) ?? newAttempt()
  leader.attempts.set(shard, attempt)
  attempt.failed++
  for (const peer of holders) {
    attempt.peers.add(peer)
    restAfterFailure(turn, assigneeFacts(leader, peer), restMs.max)
  }
  if (attempt.failed >= turn.config.attemptsMax)
    failJob(turn, job, leader, `shard ${shard} came back ${attempt.failed} times with a result that is not its own`)
}

/** Failures that come while it rests are of the same trouble, and make the rest no longer. */
function restAfterFailure(turn: Turn, facts: AssigneeFacts, maxMs: number): void {
  if (turn.nowMs < facts.restUntilMs) return
  facts.failures++
  facts.restUntilMs = turn.nowMs + Math.min(restMs.first * 2 ** Math.min(facts.failures - 1, 10), maxMs)
}

/** Unites what another peer holds and does with what is known; from late or early answers alike. */
export function onInventory(turn: Turn, job: Job, leader: LeaderRole, from: PeerKey, message: From<'inventory'>): void {
  adoptHead(job, message.manifest, message.complete, from)
  const round = roundOf(message)
  if (sameRound(round, job.round)) {
    for (const result of message.results) collect(turn, job, leader, result, [from], from)
    const unwanted = message.working.filter(shard => !noteWorking(turn, job, leader, shard, from))
    revoke(turn, job, leader, from, unwanted, round)
  } else {
    noteAhead(turn, job, leader, from, round)
    if (!leader.ahead) revoke(turn, job, leader, from, message.working, round)
  }
  turn.changed.add(job.id)
  if (leader.stage === 'gathering') noLongerAwaited(turn, job, leader, from)
  else advance(turn, job, leader)
}

/** A peer cannot be reached with `what` the leader sent. */
export function onUndelivered(turn: Turn, job: Job, leader: LeaderRole, to: PeerKey, message: StreamMessage): void {
  if (message.type === 'claim') noLongerAwaited(turn, job, leader, to)
  if (message.type !== 'grant') return
  const facts = assigneeFacts(leader, to)
  facts.restUntilMs = Math.max(facts.restUntilMs, turn.nowMs + turn.config.retryMs)
  if (sameRound(roundOf(message), job.round)) for (const shard of message.shards) release(leader, shard, to)
  assign(turn, job, leader)
}

export function onAssigneeDown(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey): void {
  releaseAll(leader, peer)
  noLongerAwaited(turn, job, leader, peer)
  assign(turn, job, leader)
}

export function tickLeader(turn: Turn, job: Job, leader: LeaderRole): void {
  if (leader.ahead && turn.nowMs >= leader.ahead.dueMs) askAhead(turn, job, leader)
  if (leader.stage === 'gathering') tryEndGathering(turn, job, leader)
  else {
    expireLeases(turn, leader)
    advance(turn, job, leader)
  }
  gossipDigest(turn, job, leader, false)
  failIfStarved(turn, job, leader)
  if (!job.outcome) failIfUnfit(turn, job, leader)
}

/**
 * Of a job whose owner is away with inputs unread nobody holds a shard: what was read may have been in vain, and others' work
 * is certain. It goes on when the owner is back.
 */
function setAsideIfOrphan(turn: Turn, job: Job, leader: LeaderRole): void {
  const before = leader.setAside
  leader.setAside =
    leader.starvedMs !== undefined && !leader.starvedBeside && turn.nowMs - leader.starvedMs >= setAsideMs
  if (leader.setAside === before) return
  if (!leader.setAside) return advance(turn, job, leader)
  for (const [peer, { leased }] of leader.assignees) {
    const shards = [...leased]
    releaseAll(leader, peer)
    revoke(turn, job, leader, peer, shards, job.round)
  }
}

/** Inputs that nobody will ever name: their owner is gone, or it said its last and the manifests can be had nowhere. */
function failIfStarved(turn: Turn, job: Job, leader: LeaderRole): void {
  const ownerHere = job.owner === undefined || turn.state.peers.has(job.owner)
  if (allRead(job) || (ownerHere && !job.complete)) leader.starvedMs = undefined
  else if (leader.starvedMs === undefined || leader.starvedBeside !== ownerHere) {
    // An owner that is back has time to hand over the list that was not to be had without it.
    leader.starvedMs = turn.nowMs
    leader.starvedBeside = ownerHere
  }
  setAsideIfOrphan(turn, job, leader)
  const graceMs = job.ownerPassing && !ownerHere ? turn.config.passingGraceMs : turn.config.ownerGraceMs
  if (leader.starvedMs === undefined || turn.nowMs - leader.starvedMs < graceMs) return
  const why = ownerHere ? 'the list of its inputs is lost' : 'its owner left before all inputs were read'
  failJob(turn, job, leader, `${why}: submit it again`, !ownerHere)
}
