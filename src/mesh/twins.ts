/**
 * Two running peers with one identity: a data folder was copied to another machine or user. Each takes messages that are meant
 * for the other, so whoever notices says so and tells both. It is noticed where
 * - one peer has two connections, and different processes answer over them,
 * - this peer meets its own identity in a handshake with another process, or (see discovery) by mDNS.
 */
import { randomUUID } from 'node:crypto'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { PeerError } from '../base/errors.ts'
import { type PeerKey, shortPeer } from '../base/ids.ts'
import { asMultiaddrs, place } from './addresses.ts'
import type { Node } from './node.ts'
import { Caller } from './requests/caller.ts'
import type { Requests } from './requests/requests.ts'
import { streamPipe } from './stream-pipe.ts'

export interface Twins {
  /** Before the node starts. */
  serve(node: Node, requests: Requests): void
  /** A handshake with this peer's own identity succeeded, as who dialled or as who was dialled. */
  metSelf(direction: 'outbound' | 'inbound', address: string): void
  /** Another process with this peer's identity is at these addresses. */
  found(addresses: string[]): void
  /** Asks at addresses that are said to be this peer's own, where it does not listen, who is there. */
  look(addresses: string[]): void
  /** Two processes were seen to have this identity lately: what they say contradicts itself, and nobody lies. */
  known(peer: PeerKey): boolean
  stop(): void
}

export interface TwinsDeps {
  self: PeerKey
  /** The protocol of the streams that requests go over. */
  protocol: string
  nowMs: () => number
  nameOf: (peer: PeerKey) => string | undefined
  warn: (message: string) => void
}

/** Answers with what tells this process from every other one. */
const lifeProtocol = '/shardmesh/life/1'
/** Tells its receiver that another process has its identity, and at which address. */
const twinProtocol = '/shardmesh/twin/1'
const textBytesMax = 256
const encoder = new TextEncoder()
const askMs = 3_000
/** Two connections that are dialled from both sides at a time are one again by then. */
const settleMs = 1_000
/** Both ends of a handshake with oneself are seen within this time. */
const pairMs = 1_500
const toldEveryMs = 60_000
const knownMs = 600_000
const remembered = 256

export function createTwins({ self, protocol, nowMs, nameOf, warn }: TwinsDeps): Twins {
  const life = randomUUID()
  const toldMs = new Map<PeerKey, number>()
  const met = { outbound: [] as number[], inbound: [] as number[] }
  const timers = new Set<NodeJS.Timeout>()
  let node: Node | undefined

  function later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      run()
    }, ms)
    timers.add(timer)
  }

  function isNews(peer: PeerKey): boolean {
    const before = toldMs.get(peer)
    if (before !== undefined && nowMs() - before < toldEveryMs) return false
    if (toldMs.size >= remembered) toldMs.clear()
    toldMs.set(peer, nowMs())
    return true
  }

  function found(addresses: string[]): void {
    if (!isNews(self)) return
    const where = addresses.length === 0 ? '' : `, at ${addresses.join(', ')}`
    warn(
      `another peer runs with the identity of this one${where}: a data folder was copied. Stop one of the two, delete the file ` +
        '`identity` in its data folder and start it again: it is a peer of its own then, and jobs that were submitted before belong to the other',
    )
  }

  const connectionsTo = (peer: PeerKey) =>
    (node?.getConnections(peerIdFromString(peer)) ?? []).filter(({ status }) => status === 'open')

  /** A request over this connection and no other; undefined where there is no answer. */
  async function ask(connection: Connection, request: string, text = ''): Promise<string | undefined> {
    const signal = AbortSignal.timeout(askMs)
    const nothing = () => {}
    try {
      const stream = await connection.newStream(protocol, { signal })
      const peer = connection.remotePeer.toString()
      const pipe = streamPipe(stream)
      const caller = new Caller({ peer, pipe, heard: nothing, offended: nothing, moved: nothing, closed: nothing })
      try {
        return new TextDecoder().decode(await caller.call(request, encoder.encode(text), signal))
      } finally {
        caller.close(new PeerError({ code: 'ABORTED', kind: 'aborted', message: 'it was asked' }))
      }
    } catch {
      return undefined // an older release, or one that is gone
    }
  }

  /** Whether one process answers over all connections to `peer`; says so where it does not, here and to each. */
  async function compare(peer: PeerKey): Promise<void> {
    const all = connectionsTo(peer)
    if (all.length < 2) return
    const lives = await Promise.all(all.map(connection => ask(connection, lifeProtocol)))
    const twins = all.filter((_, i) => lives[i] !== undefined && lives.indexOf(lives[i]) === i)
    if (twins.length < 2 || !isNews(peer)) return
    const at = twins.map(({ remoteAddr }) => place(remoteAddr))
    const who = nameOf(peer) ?? shortPeer(peer)
    warn(`two peers run with the identity of ${who}, from ${at.join(' and ')}: a data folder was copied; both are told`)
    await Promise.all(twins.map((connection, i) => ask(connection, twinProtocol, at[i === 0 ? 1 : 0])))
  }

  return {
    serve(served, requests) {
      node = served
      requests.serve(lifeProtocol, async () => encoder.encode(life))
      requests.serve(twinProtocol, async (_from, body) => {
        const address = body.byteLength > textBytesMax ? '' : new TextDecoder().decode(body)
        found(asMultiaddrs([address]).map(String))
        return new Uint8Array(0)
      })
      node.addEventListener('connection:open', ({ detail }) => {
        const peer = detail.remotePeer.toString()
        if (connectionsTo(peer).length > 1) later(settleMs, () => void compare(peer))
      })
    },
    found,
    known: peer => nowMs() - (toldMs.get(peer) ?? Number.NEGATIVE_INFINITY) < knownMs,
    metSelf(direction, address) {
      const at = nowMs()
      met[direction] = [...met[direction].slice(-16), at]
      const other = direction === 'outbound' ? 'inbound' : 'outbound'
      later(pairMs, () => {
        if (!met[other].some(time => Math.abs(time - at) < pairMs)) found([address])
      })
    },
    look(addresses) {
      // Each at another time: of two that dial each other at once, each would take the other's dial for its own.
      later(settleMs * (1 + 5 * Math.random()), () => {
        const mine = new Set(node?.listening().map(place))
        const ways = asMultiaddrs([...new Set(addresses.map(place))].filter(address => !mine.has(address)))
        // What answers there with this identity ends the dial; `metSelf` is told of it.
        for (const way of ways) node?.dial(way, { signal: AbortSignal.timeout(askMs) }).catch(() => {})
      })
    },
    stop() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}
