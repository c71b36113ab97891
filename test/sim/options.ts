/** Every fault of the simulated world in one place. Times are virtual milliseconds; rates are probabilities. */
import { type Prng, prng } from '../../src/base/prng.ts'
import type { State } from '../../src/jobs/core/state.ts'
import type { CoreConfig, Effect, Event } from '../../src/jobs/core/types.ts'

export type Reduce = (config: CoreConfig, state: State, event: Event) => { state: State; effects: Effect[] }

/** Something that is done to the world at a moment. */
export type Act = { atMs: number } /**
 * The peer dies, and comes back unless `backMs` is absent: with what it stored (`keeps`), or as a stranger of the same
 * name. With `midway` it dies after that many effects of its next step, so that what it stored and what it said differ.
 */ & (
  | { do: 'crash'; peer: number; backMs?: number; keeps: boolean; midway?: number }
  /** Whoever leads a job at that moment; nobody, when nobody leads. */
  | { do: 'crash-leader'; backMs?: number; keeps: boolean }
  /** Every peer at once: a power cut. */
  | { do: 'crash-all'; backMs: number; keeps: boolean }
  | { do: 'pause'; peer: number; forMs: number }
  /** Whatever the peer computes fails for want of memory. */
  | { do: 'sick'; peer: number; forMs: number }
  /** Peers in `group` and the others cannot reach each other. */
  | { do: 'part'; group: number[]; forMs: number }
  /** What peers in `from` send to peers in `to` is lost; the other way it arrives, and its acknowledgement is lost. */
  | { do: 'mute'; from: number[]; to: number[]; forMs: number }
  /** The peer's clock jumps. */
  | { do: 'clock'; peer: number; byMs: number }
  | { do: 'cancel'; peer: number; job: number }
)

export interface SimPeerOptions {
  lanes: number
  /** Milliseconds for one item on one lane. */
  itemMs: number
  /** A busy machine: each message waits up to this long until the peer looks at it. */
  lagMs: number
  /** Its clock was off by this much from the start, and runs this many times as fast as true time. */
  clockMs: number
  clockRate: number
}

export interface SimJobOptions {
  /** Index of the peer that submits, and when. */
  owner: number
  atMs: number
  priority: number
  shards: number
  itemsPerShard: number
  /** Manifest blocks into which the shards are cut, and the pause of the owner's reader after each. */
  manifests: number
  readMs: number
  /** 1: computed once. More: that many rounds of gradient descent (toy.ts). */
  rounds: number
}

export interface SimOptions {
  seed: number
  peers: SimPeerOptions[]
  jobs: SimJobOptions[]
  /** A message's way takes this long; its spread reorders messages. */
  delayMs: { min: number; max: number }
  gossipLossRate: number
  /** A stream message is not delivered, and the sender learns it. */
  streamLossRate: number
  /** A stream message is delivered, and the sender is told that it was not. */
  ackLossRate: number
  duplicateRate: number
  /** A shard's computation fails, retryably. */
  runFailRate: number
  /** A result block has vanished when it is merged. */
  blockLossRate: number
  /** How soon a lost connection is noticed, and how soon a silent peer is. */
  closedMs: { min: number; max: number }
  silentMs: { min: number; max: number }
  acts: Act[]
  /** From then on the network is whole and nothing fails. */
  healMs: number
  /** Every job must be over by then. */
  endMs: number
  config: Partial<CoreConfig>
  /** The reducer under test; a canary puts a broken one here. */
  reduce?: Reduce
}

const calmPeer: SimPeerOptions = { lanes: 2, itemMs: 10, lagMs: 0, clockMs: 0, clockRate: 1 }
const calmJob: SimJobOptions = {
  owner: 0,
  atMs: 50,
  priority: 0,
  shards: 24,
  itemsPerShard: 8,
  manifests: 3,
  readMs: 100,
  rounds: 1,
}

/** A quiet world: no fault at all, one job. */
export function calm(
  seed: number,
  peers: number,
  job: Partial<SimJobOptions> = {},
  peer: Partial<SimPeerOptions> = {},
): SimOptions {
  return {
    seed,
    peers: Array.from({ length: peers }, () => ({ ...calmPeer, ...peer })),
    jobs: [{ ...calmJob, ...job }],
    delayMs: { min: 2, max: 2 },
    gossipLossRate: 0,
    streamLossRate: 0,
    ackLossRate: 0,
    duplicateRate: 0,
    runFailRate: 0,
    blockLossRate: 0,
    closedMs: { min: 5, max: 50 },
    silentMs: { min: 1500, max: 2000 },
    acts: [],
    healMs: 0,
    endMs: 120_000,
    config: {},
  }
}

/** A world full of trouble, drawn from the seed: 3 to 12 peers (now and then 1 or 2) unless their number is given. */
export function stormy(seed: number, count?: number): SimOptions {
  const random = prng(seed)
  const peers = count ?? (random.next() < 0.06 ? 1 + random.int(2) : 3 + random.int(10))
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const rate = (max: number) => (random.next() < 0.3 ? 0 : random.next() * max)
  const jobs = stormyJobs(random, peers)
  // Most of a job's life should lie in the storm.
  const healMs = between(6_000, 25_000)
  const machines = Array.from({ length: peers }, (_, index) => ({
    lanes: index > 0 && random.next() < 0.15 ? 0 : between(1, 3),
    itemMs: random.next() < 0.1 ? between(200, 600) : between(2, 120),
    lagMs: random.next() < 0.1 ? between(50, 800) : 0,
    clockMs: random.next() < 0.5 ? 0 : between(-3_600_000, 3_600_000),
    clockRate: random.next() < 0.3 ? 1 : 0.97 + random.next() * 0.06,
  }))
  // Enough for the submitter to do everything alone, once the rest has left.
  const aloneMs = jobs.reduce((ms, job) => ms + job.shards * job.itemsPerShard * job.rounds * machines[0].itemMs, 0)
  return {
    seed,
    peers: machines,
    jobs,
    delayMs: { min: 1, max: between(2, 200) },
    gossipLossRate: rate(0.5),
    streamLossRate: rate(0.15),
    ackLossRate: rate(0.1),
    duplicateRate: rate(0.2),
    runFailRate: rate(0.04),
    blockLossRate: rate(0.05),
    closedMs: { min: 5, max: between(10, 500) },
    silentMs: { min: 1500, max: 3000 },
    acts: stormyActs(random, peers, jobs, healMs - 2000),
    healMs,
    endMs: 300_000 + aloneMs,
    config: { ownerGraceMs: 60_000 },
  }
}

/**
 * A mesh that is in two for longer than a job waits for its owner, and whole again at any moment: before or after either half
 * has ended the job in its own way. Some machines cannot compute for a while.
 */
export function stormySplit(seed: number): SimOptions {
  const world = stormy(seed, 3 + (seed % 4))
  const random = prng(seed ^ 0x51173)
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const count = world.peers.length
  const group = Array.from({ length: count }, (_, peer) => peer).filter(() => random.next() < 0.5)
  const ownerGraceMs = 20_000
  // Whichever half the owner is in, somebody there can compute.
  const peers = world.peers.map(peer => ({ ...peer, lanes: Math.max(1, peer.lanes) }))
  const atMs = between(100, 3_000)
  const forMs = random.next() < 0.3 ? between(500, ownerGraceMs) : between(ownerGraceMs, 4 * ownerGraceMs)
  const acts: Act[] = world.acts.slice(0, random.int(3))
  if (random.next() < 0.3) {
    // All but one that can compute: the others' trouble is nobody else's.
    const well = world.peers.findIndex(peer => peer.lanes > 0)
    for (let peer = 0; peer < count; peer++)
      if (peer !== well) acts.push({ do: 'sick', atMs: between(0, 2_000), peer, forMs: between(1_000, 60_000) })
    return { ...world, peers, acts: acts.filter(act => act.do === 'sick'), config: { ownerGraceMs } }
  }
  acts.push({ do: 'part', atMs, group, forMs })
  if (random.next() < 0.4) {
    const backMs = between(1_000, 3 * ownerGraceMs)
    acts.push({ do: 'crash', atMs: between(100, 4_000), peer: 0, backMs, keeps: true })
  }
  return { ...world, peers, acts, healMs: Math.max(world.healMs, atMs + forMs), config: { ownerGraceMs } }
}

/**
 * The smallest mesh: two peers, each of which dies and comes back again and again, now and then both at once, while a job of many
 * shards or of rounds is to be done. Whoever has the other half of what is needed is always the one that is away.
 */
export function stormyPair(seed: number): SimOptions {
  const world = stormy(seed, 2)
  const random = prng(seed ^ 0x2b2b)
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const lastMs = world.healMs - 2000
  const acts: Act[] = []
  let atMs = between(100, 1500)
  while (atMs < lastMs && acts.length < 10) {
    const kind = random.int(8)
    const keeps = random.next() < 0.95
    const backMs = random.next() < 0.6 ? between(50, 1500) : between(1500, 8000)
    const midway = random.next() < 0.3 ? random.int(6) : undefined
    if (kind <= 3) acts.push({ do: 'crash', atMs, peer: random.int(2), backMs, keeps, midway })
    else if (kind <= 5) acts.push({ do: 'crash-leader', atMs, backMs, keeps })
    else if (kind === 6) acts.push({ do: 'crash-all', atMs, backMs, keeps: true })
    else acts.push({ do: 'pause', atMs, peer: random.int(2), forMs: between(500, 6000) })
    atMs += between(200, 4000)
  }
  const jobs = world.jobs.map(job => ({
    ...job,
    rounds: random.next() < 0.4 ? job.rounds : between(2, 12),
    shards: random.pick([1, 2, 5, 12, 20]),
  }))
  const aloneMs = jobs.reduce((ms, job) => ms + job.shards * job.itemsPerShard * job.rounds * world.peers[0].itemMs, 0)
  return { ...world, jobs, acts, endMs: 300_000 + aloneMs }
}

function stormyJobs(random: Prng, peers: number): SimJobOptions[] {
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const count = random.next() < 0.6 ? 1 : 2 + random.int(2)
  return Array.from({ length: count }, (_, index) => {
    const rounds = random.next() < 0.7 ? 1 : between(2, 12)
    return {
      owner: index === 0 ? 0 : random.int(peers),
      atMs: index === 0 ? 50 : between(50, 5000),
      priority: random.next() < 0.7 ? 0 : between(1, 3),
      shards:
        rounds > 1
          ? random.pick([1, 2, 5, 12, 20])
          : random.pick(count === 1 ? [0, 1, 2, 7, 60, 90, 150, 150] : [1, 7, 30, 60, 60]),
      itemsPerShard: between(1, 16),
      manifests: between(1, 6),
      readMs: random.pick([0, between(0, 300), between(0, 1500)]),
      rounds,
    }
  })
}

function stormyActs(random: Prng, peers: number, jobs: SimJobOptions[], lastMs: number): Act[] {
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const some = () => Array.from({ length: peers }, (_, i) => i).filter(() => random.next() < 0.5)
  // A third of the worlds are of machines with disks, a third of machines without, a third of both.
  const keepsRate = random.pick([0, 0.5, 1])
  const acts: Act[] = []
  for (let n = random.int(8); n > 0; n--) {
    const atMs = between(0, Math.min(10_000, lastMs))
    const keeps = random.next() < keepsRate
    // The owner is spared more often than others: without it there is less left to promise.
    const peer = random.next() < 0.5 ? random.int(peers) : peers - 1 - random.int(Math.max(1, peers - 1))
    const midway = random.next() < 0.3 ? random.int(6) : undefined
    const kind = random.int(13)
    if (kind <= 1) acts.push({ do: 'crash', atMs, peer, backMs: between(50, 15_000), keeps, midway })
    else if (kind <= 3) acts.push({ do: 'pause', atMs, peer, forMs: between(500, 25_000) })
    else if (kind <= 5) acts.push({ do: 'part', atMs, group: some(), forMs: between(500, 15_000) })
    else if (kind === 6) acts.push({ do: 'mute', atMs, from: some(), to: some(), forMs: between(500, 12_000) })
    else if (kind <= 9) acts.push({ do: 'crash-leader', atMs, backMs: between(50, 15_000), keeps })
    else if (kind === 10) acts.push({ do: 'clock', atMs, peer, byMs: between(-600_000, 600_000) })
    else if (kind === 11 && keepsRate > 0) acts.push({ do: 'crash-all', atMs, backMs: between(50, 5000), keeps: true })
    else if (random.next() < 0.6) {
      // Half of the cancels come from whoever may not.
      const job = random.int(jobs.length)
      acts.push({ do: 'cancel', atMs, peer: random.next() < 0.5 ? jobs[job].owner : peer, job })
    }
  }
  return acts
}
