/** Every fault of the simulated world of members in one place. Times are virtual milliseconds; rates are probabilities. */
import { type Prng, prng } from '../../../src/base/prng.ts'
import type { reduceMembership } from '../../../src/mesh/membership/membership.ts'

export type ReduceMembership = typeof reduceMembership

/** Something that is done to the world at a moment. */
export type MemberAct = {
  atMs: number
} /** The process dies; it comes back, as a new life and maybe under another port, unless `backMs` is absent. */ & (
  | { do: 'crash'; peer: number; backMs?: number; movesPort: boolean }
  /** It says goodbye and ends. */
  | { do: 'leave'; peer: number; backMs?: number }
  /** Stopped; `sleeps`: the machine slept, and knows it afterwards. */
  | { do: 'pause'; peer: number; forMs: number; sleeps: boolean }
  /** Peers in `group` and the others cannot reach each other; what is on its way over a connection waits for the healing. */
  | { do: 'part'; group: number[]; forMs: number }
  /** A cable is pulled: connections between the two end, and are seen to. */
  | { do: 'cut'; a: number; b: number }
  /** The wall clock jumps; what it says is the number of the next life. */
  | { do: 'clock'; peer: number; byMs: number }
)

export interface SimMemberOptions {
  /** When its process starts. */
  bornMs: number
  /** A busy machine: what happens waits up to this long until the peer looks at it, and its ticks come as late. */
  lagMs: number
  /** Its monotonic clock runs this many times as fast as true time. */
  clockRate: number
}

export interface MembershipOptions {
  seed: number
  peers: SimMemberOptions[]
  degreeMax: number
  /** A message's way takes this long; its spread reorders gossip. */
  delayMs: { min: number; max: number }
  /** Of each hop of a gossip message. */
  gossipLossRate: number
  gossipDuplicateRate: number
  /** A packet of a stream is lost, and comes again this much later. */
  packetLossRate: number
  acts: MemberAct[]
  /** From then on the network is whole and nobody fails. */
  healMs: number
  /** All that live must know each other by then. */
  knownMs: number
  /** Nobody that lives may ever be called dead: there is nothing but slowness in this world. */
  onlySlow: boolean
  /** The reducer under test; a canary puts a broken one here. */
  reduce?: ReduceMembership
}

/** Redials come half a minute apart at most, by clocks that need not agree; then a connection and a round of gossip. */
const knownMsMax = 50_000

/** Every fifth world is only slow, the others are full of trouble. */
export function memberWorld(seed: number, peers?: number): MembershipOptions {
  return seed % 5 === 0 && peers === undefined ? slowMembers(seed) : stormyMembers(seed, peers)
}

/** A world full of trouble, drawn from the seed. */
export function stormyMembers(seed: number, count?: number): MembershipOptions {
  const random = prng(seed)
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const rate = (max: number) => (random.next() < 0.3 ? 0 : random.next() * max)
  const peers = count ?? (random.next() < 0.1 ? 2 : between(3, 12))
  const healMs = between(6_000, 30_000)
  return {
    seed,
    peers: membersOf(random, peers, 600),
    degreeMax: random.pick([6, 8, 12]),
    delayMs: { min: 1, max: between(2, 200) },
    gossipLossRate: rate(0.3),
    gossipDuplicateRate: rate(0.2),
    packetLossRate: rate(0.1),
    acts: actsOf(random, peers, healMs - 2_000),
    healMs,
    knownMs: healMs + knownMsMax,
    onlySlow: false,
  }
}

/** Slow machines, slow lines, lost packets and gossip; nobody ends. */
export function slowMembers(seed: number): MembershipOptions {
  const random = prng(seed ^ 0x510)
  const peers = 2 + random.int(9)
  return {
    seed,
    peers: membersOf(random, peers, 900),
    degreeMax: random.pick([6, 12]),
    delayMs: { min: 1, max: 2 + random.int(150) },
    gossipLossRate: random.next() * 0.1,
    gossipDuplicateRate: random.next() * 0.2,
    packetLossRate: random.next() * 0.05,
    acts: [],
    healMs: 20_000,
    knownMs: 40_000,
    onlySlow: true,
  }
}

function membersOf(random: Prng, peers: number, lagMsMax: number): SimMemberOptions[] {
  return Array.from({ length: peers }, (_, index) => ({
    bornMs: index === 0 || random.next() < 0.5 ? 0 : random.int(5_000),
    lagMs: random.next() < 0.2 ? 50 + random.int(lagMsMax - 50) : 0,
    clockRate: random.next() < 0.3 ? 1 : 0.97 + random.next() * 0.06,
  }))
}

function actsOf(random: Prng, peers: number, lastMs: number): MemberAct[] {
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  const acts: MemberAct[] = []
  for (let n = 1 + random.int(8); n > 0; n--) {
    const atMs = between(500, lastMs)
    const peer = random.int(peers)
    const kind = random.int(12)
    // The first one's address is in everybody's token, and it comes back to it: others have no other way in.
    const back = peer === 0 || random.next() < 0.7 ? between(50, 15_000) : undefined
    if (kind <= 3) acts.push({ do: 'crash', atMs, peer, backMs: back, movesPort: peer > 0 && random.next() < 0.5 })
    else if (kind === 4) acts.push({ do: 'leave', atMs, peer, backMs: back })
    else if (kind <= 6) acts.push({ do: 'pause', atMs, peer, forMs: between(300, 25_000), sleeps: random.next() < 0.4 })
    else if (kind <= 8) {
      const group = Array.from({ length: peers }, (_, i) => i).filter(() => random.next() < 0.5)
      acts.push({ do: 'part', atMs, group, forMs: between(500, 25_000) })
    } else if (kind <= 10) acts.push({ do: 'cut', atMs, a: peer, b: random.int(peers) })
    else acts.push({ do: 'clock', atMs, peer, byMs: between(-600_000, 600_000) })
  }
  return acts
}
