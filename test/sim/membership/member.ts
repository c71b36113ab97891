/**
 * One simulated member: the production reducer, fed and obeyed as the mesh's driver does it, on encoded messages. What differs
 * from the driver is the world around it: virtual time, and connections that can be told to fail.
 */
import type { PeerKey } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { acquaintancesOf, knownFor, toldOf } from '../../../src/mesh/membership/acquaintances.ts'
import { emptyMembership } from '../../../src/mesh/membership/membership.ts'
import { membershipConfig, tickMs } from '../../../src/mesh/membership/membership-config.ts'
import {
  heartbeatMs,
  type MembershipEffect,
  type MembershipEvent,
  type MembershipState,
} from '../../../src/mesh/membership/membership-state.ts'
import {
  type Announcement,
  decodeAnnouncement,
  decodeHello,
  decodeNews,
  decodeReport,
  encodeAnnouncement,
  encodeHello,
  encodeNews,
  encodeReport,
  heartbeatTopic,
  reportTopic,
  type Told,
} from '../../../src/mesh/membership/messages.ts'
import { statusOf } from '../../mesh/statuses.ts'
import type { Clock } from '../clock.ts'
import { checkMember, PromiseBroken } from './checks.ts'
import type { MembershipOptions, ReduceMembership } from './options.ts'
import type { Station, Transport } from './transport.ts'

export interface SimMember extends Station {
  readonly name: PeerKey
  readonly state: MembershipState
  alive: boolean
  /** Stands still until then, true time. */
  pausedUntilMs: number
  /** Others that it has called down while they lived, and what it sent at most. */
  readonly calledDown: PeerKey[]
  readonly largest: { gossip: number; stream: number }
  begin(): void
  woke(): void
  sayGoodbye(): void
}

export interface SimMemberInit {
  options: MembershipOptions
  index: number
  life: number
  port: number
  names: PeerKey[]
  clock: Clock
  random: () => number
  transport: Transport
  reduce: ReduceMembership
  /** Of the wall clock at the beginning of this life. */
  boot: number
  log: (line: string) => void
}

type Happening = MembershipEvent extends infer E ? (E extends unknown ? Omit<E, 'nowMs'> : never) : never

const newsMs = 100
const reportEveryMs = 2_000
const signEveryMs = 100
const announceMsMin = 100

export const addressOf = (index: number, port: number) => `/ip4/10.0.${index >> 8}.${index & 255}/tcp/${port}`

export function createMember(init: SimMemberInit): SimMember {
  const { options, index, names, clock, random, transport } = init
  const name = names[index]
  const { lagMs, clockRate } = options.peers[index]
  const config = membershipConfig(name, options.degreeMax)
  const indexOf = (peer: PeerKey) => names.indexOf(peer)
  const localMs = () => 1_000 + clock.nowMs() * clockRate
  let state = emptyMembership(localMs())
  let seq = 0
  let busyUntilMs = 0
  const heardMs = new Map<PeerKey, number>()
  const reports = new Map<string, number>()
  const news = new Map<PeerKey, Set<PeerKey>>()
  let beatSoon = false

  const ups = () => [...state.members.values()].filter(member => member.up).length
  const neighbours = () => [...state.members.values()].filter(member => member.connected).map(({ peer }) => peer)

  function announce(): Announcement {
    const addresses = [`${addressOf(index, init.port)}/p2p/${name}`]
    const degree = neighbours().length
    return {
      boot: init.boot,
      seq: seq++,
      everyMs: heartbeatMs(ups()),
      degree,
      status: statusOf(`m${index}`),
      addresses,
    }
  }

  function happened(event: Happening): void {
    if (!self.alive) return
    const nowMs = localMs()
    const { state: next, effects } = init.reduce(config, state, { ...event, nowMs })
    state = next
    checkMember(name, config, state)
    for (const effect of effects) perform(effect)
  }

  function perform(effect: MembershipEffect): void {
    if (effect.type !== 'ping')
      init.log(`m${index} ${effect.type} ${'peer' in effect ? `m${indexOf(effect.peer)}` : ''}`)
    switch (effect.type) {
      case 'dial': {
        const to = indexOf(effect.peer)
        const ports = effect.addresses.map(address => Number(address.split('/')[4]))
        return dial(effect.peer, to, ports)
      }
      case 'greet':
        return greet(effect.peer)
      case 'ping':
        return void tell(effect.peer, new Uint8Array(), () => answer(effect.peer))
      case 'down':
        self.calledDown.push(effect.peer)
        return
      case 'hang-up':
        return transport.close(self, indexOf(effect.peer))
      case 'part':
        return part(effect.peer)
      case 'report':
        return report(effect)
      case 'tell':
        for (const to of neighbours()) if (to !== effect.peer && to !== effect.by) passOn(to, effect.peer)
        return
      case 'beat':
        if (beatSoon) return
        beatSoon = true
        return clock.after(announceMsMin, () =>
          self.soon(() => {
            beatSoon = false
            gossip(heartbeatTopic, encodeAnnouncement(announce()))
          }),
        )
      case 'up':
        return
    }
  }

  /** One address after the other, as libp2p does. */
  function dial(peer: PeerKey, to: number, ports: number[]): void {
    const [port, ...rest] = ports
    transport.dial(self, to, port, made => {
      if (made) return
      if (rest.length > 0) dial(peer, to, rest)
      else happened({ type: 'dial-failed', peer })
    })
  }

  /** A request over a connection: `arrive` runs at the other side, which is heard by it. */
  function tell(to: PeerKey, bytes: Uint8Array, arrive: (other: SimMember, from: PeerKey) => void): boolean {
    self.largest.stream = Math.max(self.largest.stream, bytes.byteLength)
    if (bytes.byteLength > limits.messageBytesMax) throw new PromiseBroken(`a message of ${bytes.byteLength} bytes`)
    return transport.send(self, indexOf(to), () => {
      const other = members.get(to)
      if (!other) return
      hear(other, name)
      arrive(other, name)
    })
  }

  /** The other side's empty answer. */
  function answer(peer: PeerKey): void {
    const other = members.get(peer)
    if (other) transport.send(other, index, () => hear(self, peer))
  }

  function greet(peer: PeerKey): void {
    const bytes = encodeHello({
      announcement: announce(),
      acquaintances: acquaintancesOf(name, peer, state.members),
      known: [],
    })
    tell(peer, bytes, (other, from) => {
      const reply = drivers.get(other)?.greeted(from, bytes)
      if (!reply) return
      transport.send(other, index, () => {
        hear(self, peer)
        takeIn(peer, reply)
      })
    })
  }

  function takeIn(from: PeerKey, bytes: Uint8Array) {
    const said = decodeHello(bytes)
    if (!said) throw new PromiseBroken('every greeting can be read')
    happened({ type: 'announced', peer: from, announcement: said.announcement, direct: true })
    learn(from, said.known)
    return said
  }

  function learn(by: PeerKey, told: Told[]): void {
    for (const one of told) if (one.peer !== name) happened({ type: 'told', by, ...one })
  }

  function greeted(from: PeerKey, bytes: Uint8Array): Uint8Array {
    const { acquaintances: theirs } = takeIn(from, bytes)
    const ours = acquaintancesOf(name, from, state.members)
    const same = ours.count === theirs.count && ours.hash === theirs.hash
    const known = same ? [] : knownFor(from, state.members, localMs())
    const reply = encodeHello({ announcement: announce(), acquaintances: ours, known })
    self.largest.stream = Math.max(self.largest.stream, reply.byteLength)
    return reply
  }

  function part(peer: PeerKey): void {
    const done = tell(peer, new Uint8Array(), (other, from) => {
      drivers.get(other)?.happened({ type: 'parted', peer: from })
      transport.send(other, index, () => transport.close(self, indexOf(peer)))
    })
    if (!done) happened({ type: 'kept', peer })
  }

  function passOn(to: PeerKey, peer: PeerKey): void {
    const waiting = news.get(to)
    if (waiting) return void waiting.add(peer)
    news.set(to, new Set([peer]))
    clock.after(newsMs, () =>
      self.soon(() => {
        const told = [...(news.get(to) ?? [])].flatMap(one => toldOf(state.members.get(one), localMs()) ?? [])
        news.delete(to)
        if (told.length === 0) return
        const bytes = encodeNews(told)
        tell(to, bytes, (other, from) => drivers.get(other)?.learn(from, decodeNews(bytes) ?? broken('news')))
      }),
    )
  }

  function report({ peer, boot, left }: { peer: PeerKey; boot: number; left: boolean }): void {
    const key = `${peer} ${boot} ${left}`
    if (localMs() - (reports.get(key) ?? Number.NEGATIVE_INFINITY) < reportEveryMs) return
    reports.set(key, localMs())
    gossip(reportTopic, encodeReport({ peer, boot, left }))
  }

  function gossip(topic: string, bytes: Uint8Array): void {
    self.largest.gossip = Math.max(self.largest.gossip, bytes.byteLength)
    if (bytes.byteLength > limits.gossipBytesMax) throw new PromiseBroken(`gossip of ${bytes.byteLength} bytes`)
    transport.publish(self, topic, bytes)
  }

  function hear(who: SimMember, peer: PeerKey): void {
    drivers.get(who)?.heard(peer)
  }

  function beatOn(): void {
    clock.after(heartbeatMs(ups()) / clockRate, () => {
      if (!self.alive) return
      self.soon(() => gossip(heartbeatTopic, encodeAnnouncement(announce())))
      beatOn()
    })
  }

  function tickOn(): void {
    clock.after(tickMs / clockRate, () =>
      self.soon(() => {
        happened({ type: 'tick' })
        tickOn()
      }),
    )
  }

  const self: SimMember = {
    name,
    index,
    life: init.life,
    port: init.port,
    alive: true,
    pausedUntilMs: 0,
    calledDown: [],
    largest: { gossip: 0, stream: 0 },
    get state() {
      return state
    },
    paused: () => clock.nowMs() < self.pausedUntilMs,
    soon(what) {
      if (!self.alive) return
      // One thing after the other, as an event loop does.
      const lag = lagMs > 0 && random() < 0.05 ? random() * lagMs : 0
      busyUntilMs = Math.max(busyUntilMs, clock.nowMs() + lag, self.pausedUntilMs)
      const run = () => {
        if (!self.alive) return
        if (self.paused()) return self.soon(what)
        what()
      }
      if (busyUntilMs <= clock.nowMs()) run()
      else clock.after(busyUntilMs - clock.nowMs(), run)
    },
    connected: (peer, accepted) => happened({ type: 'connected', peer: names[peer], accepted }),
    disconnected: peer => happened({ type: 'disconnected', peer: names[peer] }),
    gossip(bytes, topic, from) {
      if (topic === heartbeatTopic) {
        const announcement = decoded(bytes)
        happened({ type: 'announced', peer: names[from], announcement, direct: false })
      } else {
        const news = decodeReport(bytes) ?? broken('a report')
        reports.set(`${news.peer} ${news.boot} ${news.left}`, localMs())
        happened({ type: 'reported', ...news })
      }
    },
    begin() {
      if (index > 0) {
        // The token names the first one.
        happened({ type: 'found', peer: names[0], addresses: [addressOf(0, 1)], seed: true })
      }
      happened({ type: 'tick' })
      tickOn()
      beatOn()
    },
    woke: () => happened({ type: 'woke' }),
    sayGoodbye() {
      for (const peer of neighbours())
        tell(peer, new Uint8Array(), (other, from) => drivers.get(other)?.happened({ type: 'left', peer: from }))
    },
  }
  drivers.set(self, {
    happened,
    greeted,
    learn,
    heard(peer) {
      if (localMs() - (heardMs.get(peer) ?? Number.NEGATIVE_INFINITY) < signEveryMs) return
      heardMs.set(peer, localMs())
      happened({ type: 'heard', peer })
    },
  })
  members.set(name, self)
  return self
}

/** What one member does at another's request. */
interface Driven {
  happened(event: Happening): void
  greeted(from: PeerKey, bytes: Uint8Array): Uint8Array
  learn(by: PeerKey, told: Told[]): void
  heard(peer: PeerKey): void
}

const drivers = new WeakMap<SimMember, Driven>()
/** The newest life of each name; one world is simulated at a time. */
const members = new Map<PeerKey, SimMember>()

/** The same bytes are read by many. */
const read = new WeakMap<Uint8Array, Announcement>()

function decoded(bytes: Uint8Array): Announcement {
  const known = read.get(bytes) ?? decodeAnnouncement(bytes) ?? broken('a heartbeat')
  read.set(bytes, known)
  return known
}

function broken(what: string): never {
  throw new PromiseBroken(`${what} cannot be read`)
}
