/**
 * Drives membership: feeds connections, heartbeats and time into the pure reducer, and does what it says:
 * dial, greet, hang up, report. Holds the one copy of the membership's state.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { PeerError } from '../base/errors.ts'
import { type PeerKey, shortPeer } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { waysTo } from './addresses.ts'
import { dial } from './dial.ts'
import type { Emitter } from './events.ts'
import type { Join } from './join.ts'
import {
  emptyMembership,
  type Member,
  type MembershipConfig,
  type MembershipEffect,
  type MembershipEvent,
  reduceMembership,
} from './membership.ts'
import { type Acquaintance, type Announcement, decodeHello, encodeHello, helloProtocol, knownMax } from './messages.ts'
import type { Node } from './node.ts'
import type { Requests } from './requests/requests.ts'
import type { PeerRecord } from './types.ts'

export interface MembersDeps {
  self: PeerKey
  node: Node
  requests: Requests
  emitter: Emitter
  join: Join
  /** This peer's own, newest. */
  announce: () => Announcement
}

/** `MembershipEvent` without its time, which the driver adds. */
export type MemberEvent = MembershipEvent extends infer E ? (E extends unknown ? Omit<E, 'nowMs'> : never) : never

export interface Members {
  happened(event: MemberEvent): void
  /** Bytes came from `peer`; cheap enough for every message. */
  heard(peer: PeerKey): void
  get(peer: PeerKey): Member | undefined
  records(): PeerRecord[]
  up(): PeerKey[]
  /** What this peer says when greeted or greeting. */
  hello(): Uint8Array
  /** Takes in what `from` said when greeted or greeting. Throws PeerError `BAD_HELLO`. */
  helloFrom(from: PeerKey, bytes: Uint8Array): void
  stop(): void
}

export const tickMs = 250

export function membershipConfig(self: PeerKey): MembershipConfig {
  return {
    self,
    silentMs: 5_000,
    hangUpMs: 15_000,
    helloMs: 1_000,
    redialMinMs: 500,
    redialMaxMs: 30_000,
    staggerMs: 1_000,
    forgetMs: 600_000,
    forgetLeftMs: 60_000,
    // Full mesh: gossip and elections stay simple up to some 32 peers.
    degreeMax: 64,
    peersMax: limits.peersMax,
  }
}

/** A record is shown this long after its peer was last heard. */
const latelyMs = 60_000
/** `heard` is passed on at most this often for each peer. */
const heardEveryMs = 500
/** A peer that only others named is not worth a line before it failed this often. */
const failuresWarned = 3

export function createMembers(deps: MembersDeps): Members {
  const { self, node, emitter } = deps
  const config = membershipConfig(self)
  const heardMs = new Map<PeerKey, number>()
  let state = emptyMembership(nowMs())
  let stopped = false
  const timer = setInterval(() => happened({ type: 'tick' }), tickMs)

  function happened(event: MemberEvent): void {
    if (stopped) return
    const { state: next, effects } = reduceMembership(config, state, { ...event, nowMs: nowMs() })
    state = next
    for (const effect of effects) perform(effect)
  }

  function perform(effect: MembershipEffect): void {
    const { peer } = effect
    if (effect.type === 'dial') connect(peer, effect.addresses)
    if (effect.type === 'greet') greet(peer)
    if (effect.type === 'down') emitter.emit('down', peer)
    if (effect.type === 'hang-up') {
      for (const connection of node.getConnections(peerIdFromString(peer))) connection.abort(new Error('silent'))
    }
    const member = state.members.get(peer)
    if (effect.type === 'up' && member) emitter.emit('up', recordOf(member))
  }

  function connect(peer: PeerKey, addresses: string[]): void {
    dial(node, waysTo(peer, addresses)).then(
      // The connection's own event told the reducer; if it is gone again, the dial came to nothing.
      () => {
        if (node.getConnections(peerIdFromString(peer)).length === 0) happened({ type: 'dial-failed', peer })
      },
      thrown => {
        const error = PeerError.from(thrown, { code: 'PEER_UNREACHABLE', kind: 'transport' })
        const member = state.members.get(peer)
        happened({ type: 'dial-failed', peer })
        deps.join.failed(peer, error)
        if (!stopped && (member?.seed || member?.failures === failuresWarned - 1)) emitter.warn(error.message)
      },
    )
  }

  function greet(peer: PeerKey): void {
    deps.requests.request(peer, helloProtocol, hello(), { timeoutMs: config.silentMs }).then(
      reply => {
        try {
          helloFrom(peer, reply)
        } catch (thrown) {
          emitter.warn(thrown instanceof Error ? thrown.message : String(thrown))
        }
      },
      // Greeted again with a later tick, or known by its heartbeat before that.
      () => {},
    )
  }

  function hello(): Uint8Array {
    const known: Acquaintance[] = []
    for (const { peer, connected, left, addresses } of state.members.values()) {
      if (connected && !left && addresses.length > 0 && known.length < knownMax) known.push({ peer, addresses })
    }
    return encodeHello({ announcement: deps.announce(), known })
  }

  function helloFrom(from: PeerKey, bytes: Uint8Array): void {
    const said = decodeHello(bytes)
    if (!said) throw badHello(from)
    happened({ type: 'announced', peer: from, announcement: said.announcement })
    for (const { peer, addresses } of said.known) {
      if (peer !== self) happened({ type: 'found', peer, addresses, seed: false })
    }
  }

  function recordOf({ peer, announcement, addresses, connected, up, heardMs: lastMs }: Member): PeerRecord {
    if (!announcement) throw new Error('broken invariant: a member is shown once it said who it is')
    const { status } = announcement
    return { peer, status, addresses, connected: up, neighbour: connected, lastHeardMs: Math.max(0, nowMs() - lastMs) }
  }

  return {
    happened,
    heard(peer) {
      const now = nowMs()
      if (now - (heardMs.get(peer) ?? 0) < heardEveryMs) return
      if (heardMs.size > limits.peersMax) heardMs.clear()
      heardMs.set(peer, now)
      happened({ type: 'heard', peer })
    },
    get: peer => state.members.get(peer),
    records() {
      const shown = (member: Member) => member.up || (!member.left && nowMs() - member.heardMs < latelyMs)
      return [...state.members.values()].filter(member => member.announcement && shown(member)).map(recordOf)
    },
    up: () => [...state.members.values()].filter(member => member.up).map(member => member.peer),
    hello,
    helloFrom,
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}

/** Monotonic: a clock that is set back must not make everyone silent. */
function nowMs(): number {
  return performance.now()
}

function badHello(from: PeerKey): PeerError {
  return new PeerError({
    code: 'BAD_HELLO',
    kind: 'protocol',
    message: `${shortPeer(from)} greets in a way that this peer does not understand: run the same release on every machine`,
  })
}
