/**
 * Who computes what. Credit follows each assignee's measured rate in this job, so that about `creditMs` of work waits at
 * it, and never less than its driver takes at once, so that no lane idles while the next shard arrives and no job of lower
 * priority slips in. Near the end nobody holds more than its fair share, and an idle peer doubles up on the oldest lease.
 * In later rounds a shard goes to the peer that has its inputs from the round before, unless that one is gone or another
 * idle.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { leaseTermMs } from './config.ts'
import { inRound } from './rounds.ts'
import { type AssigneeFacts, type Job, type LeaderRole, type Lease, type PeerFacts, send, type Turn } from './state.ts'

/** No shard is leased to more peers than this at once. */
const leasesPerShardMax = 2
/** Weight of a newly measured rate against the earlier ones. */
const rateBlend = 0.5
/** A rate is measured over at least this time. */
const rateWindowMs = 500

export function assigneeFacts(leader: LeaderRole, peer: PeerKey): AssigneeFacts {
  let facts = leader.assignees.get(peer)
  if (!facts) {
    facts = {
      leased: new Set(),
      home: [],
      homeNext: 0,
      itemsDone: 0,
      itemsBefore: 0,
      itemsPerSecond: 0,
      windowStartMs: 0,
      windowItems: 0,
      idleSinceMs: 0,
      failures: 0,
      restUntilMs: Number.NEGATIVE_INFINITY,
      silentUntilMs: Number.NEGATIVE_INFINITY,
      unfit: false,
    }
    leader.assignees.set(peer, facts)
  }
  return facts
}

/** Notes that `peer` works on the shard; its lease is renewed if it has one. False when enough others do. */
export function lease(turn: Turn, leader: LeaderRole, shard: number, peer: PeerKey): boolean {
  const leases = leader.leases.get(shard) ?? []
  const expiresMs = turn.nowMs + leaseTermMs(turn.config, turn.state.peers.size)
  const mine = leases.find(one => one.peer === peer)
  if (mine) {
    mine.expiresMs = expiresMs
    return true
  }
  if (leases.length >= leasesPerShardMax) return false
  const facts = assigneeFacts(leader, peer)
  // Time without work is not counted: of a job in short rounds no one of them is as long as a window.
  if (facts.leased.size === 0) facts.windowStartMs += turn.nowMs - Math.max(facts.idleSinceMs, facts.windowStartMs)
  facts.leased.add(shard)
  leases.push({ peer, sinceMs: turn.nowMs, expiresMs })
  leader.leases.set(shard, leases)
  return true
}

/** Takes the shard from `peer`; it is pending again when nobody else has it. False when it had none. */
export function release(leader: LeaderRole, shard: number, peer: PeerKey): boolean {
  const leases = leader.leases.get(shard)
  if (!leases?.some(one => one.peer === peer)) return false
  const rest = leases.filter(one => one.peer !== peer)
  if (rest.length > 0) leader.leases.set(shard, rest)
  else {
    leader.leases.delete(shard)
    leader.cursor = Math.min(leader.cursor, shard)
    const home = leader.assignees.get(leader.homes.get(shard) ?? '')
    if (home) home.homeNext = 0
  }
  leader.assignees.get(peer)?.leased.delete(shard)
  return true
}

/** The peer is gone, or gives everything back. */
export function releaseAll(leader: LeaderRole, peer: PeerKey): void {
  for (const shard of [...(leader.assignees.get(peer)?.leased ?? [])]) release(leader, shard, peer)
}

/** Ends leases that were not renewed in time; their assignees get no new lease for one lease term, or until heard from. */
export function expireLeases(turn: Turn, leader: LeaderRole): void {
  for (const [shard, leases] of [...leader.leases]) {
    for (const one of [...leases]) {
      if (one.expiresMs > turn.nowMs) continue
      release(leader, shard, one.peer)
      assigneeFacts(leader, one.peer).silentUntilMs = turn.nowMs + leaseTermMs(turn.config, turn.state.peers.size)
    }
  }
}

/** The assignee lives. */
export function noteHeard(leader: LeaderRole, peer: PeerKey): void {
  const facts = leader.assignees.get(peer)
  if (facts) facts.silentUntilMs = Number.NEGATIVE_INFINITY
}

/** Counts finished items towards the peer's rate in this job. */
export function measure(turn: Turn, facts: AssigneeFacts, items: number): void {
  facts.windowItems += items
  facts.idleSinceMs = turn.nowMs
  const elapsedMs = turn.nowMs - facts.windowStartMs
  if (elapsedMs < rateWindowMs) return
  const rate = (facts.windowItems / elapsedMs) * 1000
  facts.itemsPerSecond = facts.itemsPerSecond === 0 ? rate : facts.itemsPerSecond * (1 - rateBlend) + rate * rateBlend
  facts.windowStartMs = turn.nowMs
  facts.windowItems = 0
}

const isPending = (leader: LeaderRole, shard: number) => !leader.results.has(shard) && !leader.leases.has(shard)

/** Peers that may be given work now. */
function workers(turn: Turn, job: Job, leader: LeaderRole): [PeerKey, PeerFacts][] {
  return [...turn.state.peers].filter(
    ([peer, { slots }]) => slots > 0 && !job.givenUpBy.has(peer) && isReady(turn, leader, peer),
  )
}

function isReady({ nowMs }: Turn, leader: LeaderRole, peer: PeerKey): boolean {
  const facts = leader.assignees.get(peer)
  return facts === undefined || Math.max(facts.restUntilMs, facts.silentUntilMs) <= nowMs
}

/** Relative speed: measured here, else by heartbeat, else as the others are for each slot. */
function weights(leader: LeaderRole, peers: [PeerKey, PeerFacts][]): Map<PeerKey, number> {
  const rateOf = ([peer, facts]: [PeerKey, PeerFacts]) =>
    leader.assignees.get(peer)?.itemsPerSecond || facts.itemsPerSecond
  let rate = 0
  let slots = 0
  for (const one of peers) {
    if (rateOf(one) === 0) continue
    rate += rateOf(one)
    slots += one[1].slots
  }
  const perSlot = slots === 0 ? 1 : rate / slots
  return new Map(peers.map(one => [one[0], rateOf(one) || one[1].slots * perSlot]))
}

/** Shards that the peer may hold at once, the end of the job aside. */
function creditShards(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey, facts: PeerFacts): number {
  const rate = leader.assignees.get(peer)?.itemsPerSecond || facts.itemsPerSecond
  const itemsPerShard = job.itemsTotal / Math.max(1, job.items.length)
  const byRate = itemsPerShard > 0 ? Math.ceil((rate * turn.config.creditMs) / 1000 / itemsPerShard) : 0
  return Math.min(Math.max(facts.slots * turn.config.aheadPerSlot, byRate), limits.messageShardsMax)
}

/** The look-ahead is meant for so many lanes; more lanes look further, so that one late shard does not idle a crowd. */
const lanesPerLookahead = 512

/** No shard from here on is leased yet. */
function leaseEnd({ config, state }: Turn, job: Job, leader: LeaderRole): number {
  let lanes = 0
  for (const { slots } of state.peers.values()) lanes += slots
  const ahead = config.lookaheadShards * Math.max(1, lanes / lanesPerLookahead)
  return Math.min(job.items.length, leader.mergeNext + Math.floor(ahead))
}

/** Grants whatever may be granted to everyone, or to `only`. */
export function assign(turn: Turn, job: Job, leader: LeaderRole, only?: PeerKey): void {
  if (leader.stage !== 'running' || leader.setAside) return
  const peers = workers(turn, job, leader)
  const weight = weights(leader, peers)
  let total = 0
  for (const one of weight.values()) total += one
  for (const [peer, facts] of peers) {
    if (only !== undefined && peer !== only) continue
    const held = assigneeFacts(leader, peer).leased.size
    const remaining = job.items.length - leader.results.size
    const share = Math.max(1, Math.ceil((remaining * (weight.get(peer) ?? 0)) / total))
    // In later rounds half of it at a time: what is leased no idle peer can take over, and the speeds are those of the round before.
    const ahead = facts.slots * turn.config.aheadPerSlot
    const halved = leader.homes.size > 0 && peers.length > 1
    const fair = halved ? Math.max(Math.min(share, ahead), Math.ceil(share / 2)) : share
    const credit = creditShards(turn, job, leader, peer, facts)
    const room = Math.min(credit, fair) - held
    // A full lane needs no drip of single shards: wait until a quarter of the credit is free.
    if (room <= 0 || (only !== undefined && held > facts.slots && room < credit / 4)) continue
    const alone = peers.length === 1
    let shards = takePending(turn, job, leader, peer, room, alone)
    if (shards.length === 0 && held === 0) shards = takeFromHome(turn, job, leader, peer, Math.min(room, facts.slots))
    if (shards.length === 0 && held < facts.slots) shards = speculate(turn, leader, peer, facts.slots - held)
    if (shards.length > 0) grant(turn, job, leader, peer, shards)
  }
}

/** The lowest pending shards within the look-ahead, at most `count`; not those that failed at this peer, unless it is alone. */
function takePending(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey, count: number, alone: boolean): number[] {
  const home = takeOwn(turn, job, leader, peer, count)
  if (home.length > 0) return home
  // What is pending now is mostly at home elsewhere: not worth a search while there is enough to do.
  const facts = turn.state.peers.get(peer)
  if (leader.homes.size > 0 && facts && assigneeFacts(leader, peer).leased.size > facts.slots) return []
  while (leader.cursor < job.items.length && !isPending(leader, leader.cursor)) leader.cursor++
  const end = leaseEnd(turn, job, leader)
  const shards: number[] = []
  for (let shard = leader.cursor; shard < end && shards.length < count; shard++) {
    if (!isPending(leader, shard) || isAtHomeElsewhere(turn, leader, shard, peer)) continue
    if (alone || mayTry(turn, job, leader, peer, shard)) shards.push(shard)
  }
  return shards
}

/** Of the shards that the peer computed in the round before: it has their inputs. */
function takeOwn(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey, count: number): number[] {
  const facts = assigneeFacts(leader, peer)
  const end = leaseEnd(turn, job, leader)
  while (facts.homeNext < facts.home.length && !isPending(leader, facts.home[facts.homeNext])) facts.homeNext++
  const shards: number[] = []
  for (let at = facts.homeNext; at < facts.home.length && shards.length < count; at++) {
    const shard = facts.home[at]
    if (shard < end && isPending(leader, shard) && mayTry(turn, job, leader, peer, shard)) shards.push(shard)
  }
  return shards
}

/** Another worker has the shard's inputs from the round before, and may yet ask for it. */
function isAtHomeElsewhere(turn: Turn, leader: LeaderRole, shard: number, peer: PeerKey): boolean {
  const home = leader.homes.get(shard)
  if (home === undefined || home === peer) return false
  return (turn.state.peers.get(home)?.slots ?? 0) > 0 && isReady(turn, leader, home)
}

/** An idle peer takes shards from the others' homes, those that they will reach last: balance is worth moving inputs for. */
function takeFromHome(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey, count: number): number[] {
  const shards: number[] = []
  if (leader.homes.size === 0) return shards
  const end = leaseEnd(turn, job, leader)
  for (let shard = end - 1; shard >= leader.cursor && shards.length < count; shard--) {
    if (isPending(leader, shard) && mayTry(turn, job, leader, peer, shard)) shards.push(shard)
  }
  return shards
}

/** A shard that failed at this peer goes to one that has not tried it, while there is one. */
function mayTry(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey, shard: number): boolean {
  const tried = leader.attempts.get(shard)?.peers
  if (!tried?.has(peer)) return true
  return !workers(turn, job, leader).some(([other]) => !tried.has(other))
}

/**
 * Second leases for an idle peer: the oldest single leases of others. Of equally old ones the last granted, which their
 * holder will reach last.
 */
function speculate(turn: Turn, leader: LeaderRole, peer: PeerKey, count: number): number[] {
  const old: { shard: number; since: number }[] = []
  for (const [shard, leases] of leader.leases) {
    const [only] = leases
    if (leases.length !== 1 || !isStraggling(turn, only, peer) || leader.attempts.get(shard)?.peers.has(peer)) continue
    old.push({ shard, since: only.sinceMs })
  }
  old.sort((a, b) => a.since - b.since || b.shard - a.shard)
  return old.slice(0, count).map(one => one.shard)
}

const isStraggling = (turn: Turn, one: Lease, idle: PeerKey) =>
  one.peer !== idle && turn.nowMs - one.sinceMs >= turn.config.speculateMs

function grant(turn: Turn, job: Job, leader: LeaderRole, peer: PeerKey, shards: number[]): void {
  for (const shard of shards) lease(turn, leader, shard, peer)
  send(turn, peer, {
    type: 'grant',
    job: job.id,
    ballot: leader.ballot,
    shards,
    leaseMs: leaseTermMs(turn.config, turn.state.peers.size),
    manifest: job.known,
    ...inRound(job.round),
  })
}
