/**
 * Discovery on the local network by mDNS, on every interface that can: with or without a default route, beside VPNs and bridges,
 * as interfaces come and go. Each interface has a socket of its own, for the system sends a multicast over one alone.
 * Invariant: what keeps it from working is kept in `state`, and told once while it lasts.
 *
 * Source: RFC 6762 (Multicast DNS).
 */
import { randomUUID } from 'node:crypto'
import { peerOf, place } from '../addresses.ts'
import { isPeerKey } from '../identity.ts'
import { isLoopback, isLoopbackHost, type OwnAddress, ownAddresses } from '../interfaces.ts'
import { quietText } from '../quiet-text.ts'
import type { DiscoveryState } from '../types.ts'
import { type Link, openLink } from './link.ts'
import { answersOf, asks, heardIn, queryOf } from './records.ts'

export interface Discovery {
  start(): void
  state(): DiscoveryState
  stop(): void
}

export interface DiscoveryInit {
  self: string
  /** The mesh's name in mDNS. */
  service: string
  /** What this peer tells of itself, with its id. */
  addresses: () => string[]
  /** Where it listens, loopback too. */
  listening: () => string[]
  found: (peer: string, addresses: string[]) => void
  /** Another process answers under this peer's identity. */
  twin: (addresses: string[]) => void
  warn: (message: string) => void
  /** This peer looks for others, and is connected to none. */
  lonely?: () => boolean
  port?: number
}

const askMs = 5_000
/** Right after the start others are to be found soon, and a first packet may be lost. */
const firstMs = [300, 1_000, 2_500]
/** One answer goes to everybody. */
const answerMsMin = 200
/** A machine with more interfaces has bridges of containers, which come last. */
const linksMax = 24
/** Nobody is heard for so long: it is said, once. */
const quietMs = 60_000
const mdnsPort = 5353

export function createDiscovery(init: DiscoveryInit): Discovery {
  const { self, service, port = mdnsPort } = init
  const name = randomUUID()
  const links = new Map<string, Link>()
  const answeredMs = new Map<Link, number>()
  const peers = new Map<string, number>()
  const startedMs = performance.now()
  let others = 0
  let told: string | undefined
  let quietTold = false
  let timers: NodeJS.Timeout[] = []

  /** A socket for each interface that is there now, and for none that is gone. */
  function look(): void {
    const wanted = new Map(linkable(ownAddresses()).map(own => [keyOf(own), own]))
    for (const [key, link] of links) {
      if (wanted.has(key) && link.problem !== 'EADDRINUSE') continue
      link.close()
      links.delete(key)
      answeredMs.delete(link)
    }
    for (const [key, own] of wanted) {
      if (links.has(key)) continue
      const link = openLink({ own, port, heard })
      links.set(key, link)
      respond(link, false)
    }
  }

  function ask(): void {
    look()
    for (const link of links.values()) link.query(queryOf(service))
  }

  function tell(): void {
    const now = problem()
    if (now !== undefined && now !== told) init.warn(now)
    told = now
    if (quietTold || now !== undefined || peers.size > 0 || performance.now() - startedMs < quietMs) return
    quietTold = true
    if (init.lonely?.()) init.warn(`${quietText(state())}; a peer in another network joins by address with a token`)
  }

  function problem(): string | undefined {
    const all = [...links.values()]
    const held = new Set(all.filter(link => link.problem === 'EADDRINUSE').map(({ family }) => family))
    if (held.size > 0) {
      const families = [...held].join(' and ')
      return `another program holds UDP port ${port} (${families}) for itself: by mDNS peers on the local network do not find each other over ${families}; end that program, or join by address with a token`
    }
    if (all.some(link => link.problem === undefined)) return undefined
    const why = [...new Set(all.map(link => link.problem))].join(', ')
    return `no network interface lets mDNS through (${why || 'there is none'}): peers on the local network do not find each other; join by address with a token`
  }

  function heard(kind: 'query' | 'response', packet: Parameters<typeof asks>[0], from: string, link: Link): void {
    const isOwn = isLoopbackHost(from) || ownAddresses().some(({ address }) => address === from)
    if (!isOwn) others++
    if (kind === 'query') {
      if (asks(packet, service)) respond(link, isOwn)
      return
    }
    const answer = heardIn(packet, service)
    const peer = answer && peerOf(answer.addresses[0])
    if (!answer || !isPeerKey(peer) || answer.name === name) return
    if (peer === self) {
      init.twin(answer.addresses.map(place))
      return
    }
    peers.set(peer, performance.now())
    init.found(peer, answer.addresses.map(place))
  }

  /** Loopback is told to this machine alone. */
  function respond(link: Link, isOwn: boolean): void {
    const now = performance.now()
    if (now - (answeredMs.get(link) ?? Number.NEGATIVE_INFINITY) < answerMsMin) return
    const own = isOwn ? init.listening().map(address => `${address}/p2p/${self}`) : []
    const outer = init.addresses().filter(address => !isLoopback(address))
    const addresses = outer.length > 0 ? outer : own
    if (addresses.length === 0) return
    answeredMs.set(link, now)
    link.respond(answersOf(service, name, addresses))
  }

  const state = (): DiscoveryState => ({
    links: [...links.values()].map(({ name, family, problem }) => ({ name, family, problem })),
    problem: problem(),
    sinceMs: performance.now() - startedMs,
    peers: peers.size,
    others,
  })

  return {
    start() {
      ask()
      const every = setInterval(() => {
        ask()
        tell()
      }, askMs)
      timers = [every, ...firstMs.map(ms => setTimeout(ask, ms)), setTimeout(tell, 2_000)]
      for (const timer of timers) timer.unref()
    },
    state,
    stop() {
      for (const timer of timers) clearTimeout(timer)
      for (const link of links.values()) link.close()
      links.clear()
    },
  }
}

/** One for each interface and family; IPv6 asks from the link-local address, which every interface with IPv6 has. */
function linkable(all: OwnAddress[]): OwnAddress[] {
  const first = new Map<string, OwnAddress>()
  for (const own of all) {
    const isFit = own.family === 'IPv4' || own.address.toLowerCase().startsWith('fe80:')
    const key = `${own.name} ${own.family}`
    if (isFit && !first.has(key)) first.set(key, own)
  }
  return [...first.values()].slice(0, linksMax)
}

/** An interface that went and came back is another one. */
const keyOf = ({ name, family, address, mac, scope }: OwnAddress) => `${name} ${family} ${address} ${mac} ${scope}`
