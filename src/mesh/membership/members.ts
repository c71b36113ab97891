/**
 * Drives membership: feeds connections, heartbeats and time into the pure reducer, and does what it says:
 * dial, greet, ping, let go, hang up, report. Holds the one copy of the membership's state.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { PeerError } from '../../base/errors.ts'
import { type PeerKey, shortPeer } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { waysTo } from '../addresses.ts'
import type { Judge } from '../conduct/judge.ts'
import { dial } from '../dial.ts'
import type { Emitter } from '../events.ts'
import type { Join } from '../join.ts'
import type { Node } from '../node.ts'
import type { Requests } from '../requests/requests.ts'
import type { PeerRecord, PeerStatus } from '../types.ts'
import { acquaintancesOf, knownFor, toldOf } from './acquaintances.ts'
import { emptyMembership, reduceMembership } from './membership.ts'
import { judgeNews } from './membership-announced.ts'
import { membershipConfig, tickMs } from './membership-config.ts'
import type { Member, MembershipEffect, MembershipEvent } from './membership-state.ts'
import {
  type Announcement,
  aliveProtocol,
  decodeAnnouncement,
  decodeHello,
  decodeNews,
  encodeHello,
  encodeReport,
  type Hello,
  helloProtocol,
  partProtocol,
  type Report,
  releaseIn,
  reportTopic,
  type Told,
  understands,
  wire,
} from './messages.ts'
import { createNews } from './news.ts'

export interface MembersDeps {
  self: PeerKey
  node: Node
  requests: Requests
  emitter: Emitter
  judge: Pick<Judge, 'offended' | 'account'>
  join: Join
  degreeMax?: number
  /** This peer's own, newest. */
  announce: () => Announcement
  /** Announces this peer now. */
  beat: () => void
  publish: (topic: string, bytes: Uint8Array) => Promise<void>
  /** Two processes have its identity: their words contradict each other, and who passes them on is not to blame. */
  isTwin: (peer: PeerKey) => boolean
}

/** `MembershipEvent` without its time, which the driver adds. */
export type MemberEvent = MembershipEvent extends infer E ? (E extends unknown ? Omit<E, 'nowMs'> : never) : never

export interface Members {
  happened(event: MemberEvent): void
  /** Bytes came from `peer`; cheap enough for every message. */
  heard(peer: PeerKey): void
  /** A request of the program's goes to `peer`, or came from it; as cheap. */
  used(peer: PeerKey): void
  get(peer: PeerKey): Member | undefined
  records(): PeerRecord[]
  neighbours(): PeerKey[]
  reach(): { members: number; neighbours: number }
  /** Takes in how `from` greets, and answers. Throws PeerError `BAD_HELLO`. */
  greeted(from: PeerKey, bytes: Uint8Array): Uint8Array
  /** Takes in what `from` tells of newcomers. Throws PeerError `BAD_HELLO`. */
  newsFrom(from: PeerKey, bytes: Uint8Array): void
  /** Takes in what `from` gossips of itself; false: it is not worth passing on. `through` brought it. */
  heartbeat(from: PeerKey, bytes: Uint8Array, through: PeerKey): boolean
  /** Takes in what another peer gossips of `report.peer`. */
  reported(report: Report): void
  stop(): void
}

/** A record is shown this long after its peer was last heard. */
const latelyMs = 60_000
/** A sign of a peer is passed on at most this often. */
const signEveryMs = 100
/** A peer that only others named is not worth a line before it failed this often. */
const failuresWarned = 3
/** A report that others made within this time is not made again. */
const reportEveryMs = 2_000
const reportsRemembered = 1024
const partMs = 5_000
/** Who runs a release that cannot work with this one is tried again after that: it may have been upgraded. */
const otherReleaseMs = 300_000
/** An answer has arrived by then. */
const answerMs = 500
/** Wall clock beyond this over the process's own clock: the machine slept. */
const sleptMs = 3_000
const nothing = new Uint8Array(0)

export function createMembers(deps: MembersDeps): Members {
  const { self, node, emitter, requests } = deps
  const config = membershipConfig(self, deps.degreeMax)
  const signs = { heard: new Map<PeerKey, number>(), used: new Map<PeerKey, number>() }
  const reports = new Map<string, number>()
  let state = emptyMembership(nowMs())
  let stopped = false
  let aheadMs = Date.now() - nowMs()
  const news = createNews({
    requests,
    neighbours: () => neighbours(),
    told: peer => toldOf(state.members.get(peer), nowMs()),
  })
  const timer = setInterval(() => {
    const before = aheadMs
    aheadMs = Date.now() - nowMs()
    if (aheadMs - before > sleptMs) happened({ type: 'woke' })
    happened({ type: 'tick' })
  }, tickMs)

  function happened(event: MemberEvent): void {
    if (stopped) return
    const { state: next, effects } = reduceMembership(config, state, { ...event, nowMs: nowMs() })
    state = next
    for (const effect of effects) perform(effect)
  }

  function perform(effect: MembershipEffect): void {
    switch (effect.type) {
      case 'dial':
        return connect(effect.peer, effect.addresses)
      case 'greet':
        return greet(effect.peer)
      case 'ping':
        // Its answer is heard as every byte is; silence speaks for itself.
        return void requests
          .request(effect.peer, aliveProtocol, nothing, { timeoutMs: config.silentMs })
          .catch(() => {})
      case 'up': {
        const member = state.members.get(effect.peer)
        return member && emitter.emit('up', recordOf(member))
      }
      case 'down':
        return emitter.emit('down', effect.peer)
      case 'hang-up':
        for (const connection of connections(effect.peer)) connection.abort(new Error('given up'))
        return
      case 'part':
        return part(effect.peer)
      case 'report':
        return report(effect)
      case 'tell':
        return news.tell(effect.peer, effect.by)
      case 'beat':
        return deps.beat()
    }
  }

  const connections = (peer: PeerKey) => node.getConnections(peerIdFromString(peer))

  function connect(peer: PeerKey, addresses: string[]): void {
    dial(node, waysTo(peer, addresses, node.listening())).then(
      // The connection's own event told the reducer; if it is gone again, the dial came to nothing.
      () => {
        if (connections(peer).length === 0) happened({ type: 'dial-failed', peer })
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
    requests.request(peer, helloProtocol, hello(peer, []), { timeoutMs: config.silentMs }).then(
      reply => {
        try {
          takeIn(peer, reply)
        } catch (thrown) {
          if (isOtherRelease(thrown)) return
          deps.judge.offended(peer, 'malformed')
          emitter.warn(thrown instanceof Error ? thrown.message : String(thrown))
        }
      },
      // Greeted again with a later tick, or known by its heartbeat before that.
      thrown => {
        if (isOtherRelease(thrown)) cannotWorkWith(peer, thrown)
      },
    )
  }

  function part(peer: PeerKey): void {
    requests.request(peer, partProtocol, nothing, { timeoutMs: partMs }).then(
      // Its long-lived streams would wait for each other to end.
      () => {
        for (const connection of connections(peer)) connection.abort(new Error('not needed'))
      },
      () => happened({ type: 'kept', peer }),
    )
  }

  function report({ peer, boot, left }: Report): void {
    const now = nowMs()
    const key = `${peer} ${boot} ${left}`
    if (now - (reports.get(key) ?? Number.NEGATIVE_INFINITY) < reportEveryMs) return
    remember(key, now)
    deps.publish(reportTopic, encodeReport({ peer, boot, left })).catch(() => {}) // its heartbeats end all the same
  }

  function remember(key: string, now: number): void {
    if (reports.size >= reportsRemembered) reports.clear()
    reports.set(key, now)
  }

  function hello(to: PeerKey, known: Told[]): Uint8Array {
    const acquaintances = acquaintancesOf(self, to, state.members)
    return encodeHello({ announcement: deps.announce(), acquaintances, known })
  }

  function takeIn(from: PeerKey, bytes: Uint8Array): Hello {
    const said = decodeHello(bytes)
    if (!said) throw badHello(from, releaseIn(bytes))
    if (!understands(ours(), said.announcement.wire)) {
      throw cannotWorkWith(from, otherRelease(deps.announce().status, said.announcement.status))
    }
    happened({ type: 'announced', peer: from, announcement: said.announcement, direct: true })
    hear(from, said.known)
    return said
  }

  const ours = () => deps.announce().wire ?? wire

  /** It is said, here and there, and for a while not tried again. */
  function cannotWorkWith(peer: PeerKey, error: PeerError): PeerError {
    emitter.warn(error.message)
    // The answer is to reach it first.
    setTimeout(() => happened({ type: 'refused', peer, untilMs: nowMs() + otherReleaseMs }), answerMs).unref()
    return error
  }

  function hear(by: PeerKey, told: Told[]): void {
    for (const one of told) {
      if (one.peer !== self && understands(ours(), one.announcement.wire)) happened({ type: 'told', by, ...one })
    }
  }

  /** Sends the members that the other side lacks; nothing if both lists match. */
  function greeted(from: PeerKey, bytes: Uint8Array): Uint8Array {
    const { acquaintances } = takeIn(from, bytes)
    const ours = acquaintancesOf(self, from, state.members)
    const same = ours.count === acquaintances.count && ours.hash === acquaintances.hash
    return hello(from, same ? [] : knownFor(from, state.members, nowMs()))
  }

  function recordOf({ peer, announcement, addresses, connected, up, heardMs: lastMs }: Member): PeerRecord {
    if (!announcement) throw new Error('broken invariant: a member is shown once it said who it is')
    const { status } = announcement
    const lastHeardMs = Math.max(0, nowMs() - lastMs)
    return { peer, status, addresses, connected: up, neighbour: connected, lastHeardMs, ...deps.judge.account(peer) }
  }

  /** Passes a sign of `peer` on, unless one of the same kind was lately. */
  function sign(type: 'heard' | 'used', peer: PeerKey): void {
    const now = nowMs()
    const last = signs[type]
    if (now - (last.get(peer) ?? Number.NEGATIVE_INFINITY) < signEveryMs) return
    if (last.size > limits.peersMax) last.clear()
    last.set(peer, now)
    happened({ type, peer })
  }

  const members = () => [...state.members.values()]
  const neighbours = () => members().flatMap(member => (member.connected && !member.left ? [member.peer] : []))

  return {
    happened,
    heard: peer => sign('heard', peer),
    used: peer => sign('used', peer),
    get: peer => state.members.get(peer),
    records() {
      const shown = (member: Member) =>
        member.up || member.refusedMs !== undefined || (!member.left && nowMs() - member.heardMs < latelyMs)
      return members()
        .filter(member => member.announcement && shown(member))
        .map(recordOf)
    },
    neighbours,
    reach() {
      let [up, neighbours] = [0, 0]
      for (const member of state.members.values()) {
        if (member.up) up++
        if (member.connected) neighbours++
      }
      return { members: up, neighbours }
    },
    greeted,
    newsFrom(from, bytes) {
      const told = decodeNews(bytes)
      if (!told) throw badHello(from)
      hear(from, told)
    },
    heartbeat(from, bytes, through) {
      const announcement = decodeAnnouncement(bytes)
      if (!announcement) deps.judge.offended(from, 'malformed')
      // Of another release it may be read by others.
      if (!announcement || !understands(ours(), announcement.wire)) return true
      const verdict = judgeNews(state.members.get(from), announcement, nowMs())
      const isTwin = verdict !== 'news' && deps.isTwin(from)
      if (verdict === 'replayed' && !isTwin) deps.judge.offended(through, 'replayed')
      if (verdict === 'contradictory' && !isTwin) deps.judge.offended(from, 'contradictory')
      happened({ type: 'announced', peer: from, announcement, direct: false })
      return verdict === 'news'
    },
    reported(news) {
      remember(`${news.peer} ${news.boot} ${news.left}`, nowMs())
      happened({ type: 'reported', ...news })
    },
    stop() {
      stopped = true
      clearInterval(timer)
      news.stop()
    },
  }
}

/** Milliseconds; monotonic: a clock that is set back must not make everyone silent. */
export function nowMs(): number {
  return performance.now()
}

const isOtherRelease = (thrown: unknown): thrown is PeerError =>
  thrown instanceof PeerError && thrown.code === 'OTHER_RELEASE'

const whichRelease = ({ name, version }: { name?: string; version?: string }) => `${name} (release ${version})`

function otherRelease(here: PeerStatus, there: PeerStatus): PeerError {
  return new PeerError({
    code: 'OTHER_RELEASE',
    kind: 'protocol',
    message: `${whichRelease(here)} and ${whichRelease(there)} cannot work together: install the same release on both; docs/operations.md says which releases can`,
    details: { expected: here.version, got: there.version },
  })
}

function badHello(from: PeerKey, said: { name?: string; version?: string } = {}): PeerError {
  const who = said.version === undefined ? shortPeer(from) : whichRelease(said)
  return new PeerError({
    code: 'BAD_HELLO',
    kind: 'protocol',
    message: `${who} greets in a way that this peer does not understand, and they cannot work together: install the same release on both`,
  })
}
