/**
 * How the protocol's cost and its recovery grow with the number of peers: one job of 20 shards for each peer, some ten seconds
 * of work, whose leader dies in the middle. Virtual time, so the machine does not count. What is not simulated: the mesh's
 * own heartbeats, and that gossip reaches a peer over neighbours, which forward it (each hears it once here).
 */

import { calm, type SimOptions } from './options.ts'
import type { Watcher } from './simulate.ts'
import { simulate } from './simulate.ts'

export interface Growth {
  peers: number
  shards: number
  /** Seconds from the first grant to the last result in the merge, and what the work alone would take with all lanes busy. */
  finishedSeconds: number
  workSeconds: number
  /** From the death of the leader until another has claimed, and until work is leased again. */
  claimedMs: number
  leasedMs: number
  /** A peer's mean, while the job ran. */
  messagesPerSecond: number
  bytesPerSecond: number
  gossipBytesPerSecond: number
  /** The leader's own: what it sent and heard. */
  leaderMessagesPerSecond: number
}

const diesMs = 6_000
const shardMs = 1_000
const lanes = 2
const shardsPerPeer = 20

function world(peers: number): SimOptions {
  const options = calm(
    1,
    peers,
    { shards: shardsPerPeer * peers, itemsPerShard: 10, manifests: 4, readMs: 50 },
    { lanes, itemMs: shardMs / 10 },
  )
  return {
    ...options,
    delayMs: { min: 0.2, max: 20 },
    gossipLossRate: 0.01,
    healMs: 60_000,
    acts: [{ do: 'crash-leader', atMs: diesMs, keeps: false }],
  }
}

export function grow(peers: number): Growth {
  const options = world(peers)
  const times = { granted: 0, ended: 0, claimed: 0, leased: 0 }
  const said = new Map<string, number>()
  let first = ''
  let leader = ''
  const watcher: Watcher = (atMs, peer, event, effects) => {
    let count = event.type === 'message' ? 1 : 0
    for (const effect of effects) {
      if (effect.type === 'ended') times.ended ||= atMs
      if (effect.type !== 'send' || effect.to === peer) continue
      count++
      if (effect.message.type === 'claim') times.claimed ||= atMs
      if (effect.message.type !== 'grant') continue
      times.granted ||= atMs
      if (atMs < diesMs) first = peer
      else if (peer !== first) times.leased ||= atMs
      leader = peer
    }
    said.set(peer, (said.get(peer) ?? 0) + count)
  }
  const { traffic } = simulate(options, undefined, watcher)
  const seconds = (times.ended - times.granted) / 1000
  return {
    peers,
    shards: options.jobs[0].shards,
    finishedSeconds: seconds,
    workSeconds: (options.jobs[0].shards * shardMs) / 1000 / (peers * lanes),
    claimedMs: times.claimed - diesMs,
    leasedMs: times.leased - diesMs,
    messagesPerSecond: (traffic.streams + traffic.gossips) / peers / seconds,
    bytesPerSecond: (traffic.streamBytes + traffic.gossipBytes) / peers / seconds,
    gossipBytesPerSecond: traffic.gossipBytes / peers / seconds,
    leaderMessagesPerSecond: (said.get(leader) ?? 0) / seconds,
  }
}

/** One line a size. */
export function printGrowth(sizes: readonly number[]): void {
  const rows = sizes.map(size => {
    const one = grow(size)
    const round = (value: number, digits = 0) => Number(value.toFixed(digits))
    return {
      peers: one.peers,
      shards: one.shards,
      'finished s': round(one.finishedSeconds, 1),
      'of it work s': round(one.workSeconds, 1),
      'claimed ms': round(one.claimedMs),
      'leased again ms': round(one.leasedMs),
      'messages/s a peer': round(one.messagesPerSecond, 1),
      'bytes/s a peer': round(one.bytesPerSecond),
      'of it gossip': round(one.gossipBytesPerSecond),
      'messages/s of the leader': round(one.leaderMessagesPerSecond),
    }
  })
  console.table(rows)
}
