/**
 * The network between simulated peers: it loses, delays, repeats, reorders and parts what they say, in bytes as the real
 * one carries them; and what each peer believes of who is there follows the truth after a while.
 */
import type { PeerKey } from '../../src/base/ids.ts'
import type { Effect, EndsMessage, StreamMessage } from '../../src/jobs/core/types.ts'
import { decodeDigest, encodeDigest } from '../../src/jobs/wire/digest.ts'
import { decodeEnds, encodeEnds } from '../../src/jobs/wire/ends.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/jobs/wire/envelope.ts'
import { promise } from './checks.ts'
import type { Clock } from './clock.ts'
import type { SimOptions } from './options.ts'
import type { SimPeer } from './peer.ts'

/** A request that nobody answers fails after this time. */
const requestMs = 10_000
/** From so many peers on a digest is decoded once for all who hear it: time, not truth, is what that saves. */
const crowd = 50

export interface Traffic {
  streams: number
  streamBytes: number
  gossips: number
  gossipBytes: number
  /** Most stream messages on their way to one peer at once. */
  inFlightMax: number
}

export interface NetworkInit {
  options: SimOptions
  clock: Clock
  random: () => number
  faulty: () => boolean
  /** Peers that live, by index. */
  lives: readonly (SimPeer | undefined)[]
  indexOf: (name: PeerKey) => number
}

export type Network = ReturnType<typeof createNetwork>

export function createNetwork({ options, clock, random, faulty, lives, indexOf }: NetworkInit) {
  const parted = new Set<Set<number>>()
  const mutes = new Set<{ from: Set<number>; to: Set<number> }>()
  const inFlight = new Map<PeerKey, number>()
  const traffic: Traffic = { streams: 0, streamBytes: 0, gossips: 0, gossipBytes: 0, inFlightMax: 0 }
  const { nowMs } = clock
  const between = (low: number, high: number) => low + random() * (high - low)
  const delayMs = () => between(options.delayMs.min, options.delayMs.max)
  // More than this on its way to one peer is a storm: every shard of every job, five times, and 200 from each peer.
  const shards = options.jobs.reduce((sum, job) => sum + job.shards, 0)
  const inFlightBound = 5 * shards + 200 * options.peers.length
  const byName = (name: PeerKey) => lives[indexOf(name)]

  /** Whether what `a` says reaches `b`. */
  function open(a: PeerKey, b: PeerKey): boolean {
    if (parted.size + mutes.size === 0) return true
    const [from, to] = [indexOf(a), indexOf(b)]
    for (const group of parted) if (group.has(from) !== group.has(to)) return false
    for (const mute of mutes) if (mute.from.has(from) && mute.to.has(to)) return false
    return true
  }

  function depart(to: PeerKey, bytes: number): void {
    const flying = (inFlight.get(to) ?? 0) + 1
    inFlight.set(to, flying)
    traffic.streams++
    traffic.streamBytes += bytes
    traffic.inFlightMax = Math.max(traffic.inFlightMax, flying)
    promise(flying <= inFlightBound, `messages stay few: ${flying} on their way to ${to}`)
  }

  function send(from: SimPeer, to: PeerKey, message: StreamMessage): void {
    const blocks = new Map<string, Uint8Array>()
    for (const { block } of message.type === 'results' ? message.results : []) {
      const bytes = from.disk.blocks.get(block)
      if (bytes) blocks.set(block, bytes)
    }
    const bytes = encodeEnvelope([message], blocks)
    const receive = (peer: SimPeer) => {
      const envelope = decodeEnvelope(bytes)
      for (const [id, block] of envelope.blocks) peer.disk.blocks.set(id, block)
      for (const one of envelope.messages) peer.dispatch({ type: 'message', from: from.name, message: one })
    }
    if (to === from.name) return receive(from)
    const fail = (afterMs: number) =>
      clock.after(afterMs, () => from.act(() => from.dispatch({ type: 'send-failed', to, message })))
    const lost = faulty() && random() < options.streamLossRate
    const target = byName(to)
    if (lost || !target || !open(from.name, to)) return fail(between(20, 500))
    const arrive = (last: boolean) => {
      depart(to, bytes.byteLength)
      clock.after(delayMs() + random() * target.lagMs, () => {
        inFlight.set(to, inFlight.get(to)! - 1)
        if (!target.alive || !open(from.name, to)) return last ? fail(between(20, 500)) : undefined
        if (last && target.pausedUntilMs > nowMs() + requestMs) fail(requestMs)
        else if (last && !open(to, from.name)) fail(requestMs)
        target.act(() => receive(target))
      })
    }
    if (faulty() && random() < options.duplicateRate) arrive(false)
    arrive(true)
    if (faulty() && random() < options.ackLossRate) fail(between(20, 2000))
  }

  /** Of jobs that are over: as a stream message, but for the blocks. */
  function sendEnds(from: SimPeer, to: PeerKey, message: EndsMessage): void {
    const bytes = encodeEnds(message)
    const target = byName(to)
    const fail = () => clock.after(between(20, 500), () => from.act(() => from.dispatch({ type: 'ends-failed', to })))
    if (!target || !open(from.name, to) || (faulty() && random() < options.streamLossRate)) return fail()
    depart(to, bytes.byteLength)
    clock.after(delayMs() + random() * target.lagMs, () => {
      inFlight.set(to, inFlight.get(to)! - 1)
      if (!target.alive || !open(from.name, to)) return fail()
      target.act(() => target.dispatch({ type: 'ends', from: from.name, message: decodeEnds(bytes) }))
    })
  }

  function gossip(from: SimPeer, effect: Effect & { type: 'gossip' }): void {
    const bytes = encodeDigest(effect.message)
    const shared = lives.length >= crowd ? decodeDigest(bytes) : undefined
    for (const target of lives) {
      if (!target || target === from || !open(from.name, target.name)) continue
      if (faulty() && random() < options.gossipLossRate) continue
      traffic.gossips++
      traffic.gossipBytes += bytes.byteLength
      clock.after(delayMs() + random() * target.lagMs, () =>
        target.act(() => target.dispatch({ type: 'message', from: from.name, message: shared ?? decodeDigest(bytes) })),
      )
    }
  }

  function look(a: SimPeer, name: PeerKey): void {
    const b = byName(name)
    const silent = b !== undefined && b.pausedUntilMs > nowMs() && nowMs() - b.pausedSinceMs >= options.silentMs.min
    if (b && open(name, a.name) && !silent) {
      if (a.sees.has(name)) return
      a.sees.add(name)
      a.dispatch({ type: 'peer-up', peer: name, itemsPerSecond: 0, slots: b.lanes })
    } else if (a.sees.delete(name)) a.dispatch({ type: 'peer-down', peer: name })
  }

  /** Each looks after a while whether it still hears the other; only pairs with `about`, if it is given. */
  function notice({ min, max }: { min: number; max: number }, about?: number): void {
    const lookLater = (a: SimPeer, name: PeerKey) => clock.after(between(min, max), () => a.act(() => look(a, name)))
    const one = about === undefined ? undefined : options.peers[about] && names[about]
    for (const a of lives) {
      if (!a) continue
      if (one !== undefined && a.name !== one) {
        lookLater(a, one)
        continue
      }
      for (let index = 0; index < lives.length; index++) if (names[index] !== a.name) lookLater(a, names[index])
    }
  }

  return {
    traffic,
    send,
    sendEnds,
    gossip,
    notice,
    delayMs,
    /** The peer if `from` can ask it and be answered now. */
    reach(from: SimPeer, name: PeerKey): SimPeer | undefined {
      const peer = byName(name)
      if (!peer || !open(from.name, name) || !open(name, from.name) || peer.pausedUntilMs > nowMs()) return undefined
      return peer
    },
    part(group: readonly number[], forMs: number): void {
      cut(parted, new Set(group), forMs)
    },
    mute(from: readonly number[], to: readonly number[], forMs: number): void {
      cut(mutes, { from: new Set(from), to: new Set(to) }, forMs)
    },
  }

  function cut<T>(cuts: Set<T>, one: T, forMs: number): void {
    cuts.add(one)
    notice(options.silentMs)
    clock.after(forMs, () => {
      cuts.delete(one)
      notice({ min: 100, max: 600 })
    })
  }
}

const animals = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox', 'gnu', 'hen', 'ibis', 'jay', 'kiwi', 'lynx']

/** Short names first, for transcripts are read. */
export const names: readonly PeerKey[] = [...animals, ...Array.from({ length: 1000 }, (_, i) => `peer${i}`)]
