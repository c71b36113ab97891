/** One peer's core in the hand of a test: events in, effects out, time by word. */
import { blockId, type PeerKey } from '../../../src/base/ids.ts'
import { defaultConfig } from '../../../src/jobs/core/config.ts'
import { initialState, reduce, view } from '../../../src/jobs/core/reduce.ts'
import type { Job } from '../../../src/jobs/core/state.ts'
import type {
  Ballot,
  CoreConfig,
  Digest,
  Effect,
  Event,
  Message,
  ShardResult,
  StreamMessage,
} from '../../../src/jobs/core/types.ts'

/** An event before the harness says when. */
export type WithoutTime<E> = E extends { nowMs: number } ? Omit<E, 'nowMs'> : never

export const id = (text: string) => blockId(new TextEncoder().encode(text))
export const job = id('a job')
export const result = (shard: number, text = 'right'): ShardResult => ({
  shard,
  block: id(`${text} ${shard}`),
  errors: 0,
})
export const head = (count: number) => (count === 0 ? { count } : { count, head: id(`manifest ${count - 1}`) })

export function corePeer(self: PeerKey, options: Partial<CoreConfig> = {}) {
  const config = { ...defaultConfig(self), ...options }
  const state = initialState(config)
  let nowMs = 1_000_000

  function feed(event: WithoutTime<Event>): Effect[] {
    return reduce(config, state, { ...event, nowMs }).effects
  }

  const peer = {
    config,
    state,
    feed,
    get nowMs() {
      return nowMs
    },
    /** Time passes, in ticks. */
    wait(ms: number, tickMs = 100): Effect[] {
      const effects: Effect[] = []
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs = Math.min(endMs, nowMs + tickMs)
        effects.push(...feed({ type: 'tick' }))
      }
      return effects
    },
    /** Time passes in which the peer stands still. */
    sleep(ms: number): void {
      nowMs += ms
    },
    hear: (from: PeerKey, message: Message) => feed({ type: 'message', from, message }),
    undelivered: (to: PeerKey, message: StreamMessage) => feed({ type: 'send-failed', to, message }),
    up: (name: PeerKey, slots = 2, itemsPerSecond = 0) => feed({ type: 'peer-up', peer: name, slots, itemsPerSecond }),
    down: (name: PeerKey) => feed({ type: 'peer-down', peer: name }),
    manifest: (index: number, shards: number, items = 10) =>
      feed({
        type: 'manifest',
        job,
        index,
        block: id(`manifest ${index}`),
        shards: Array.from({ length: shards }, () => ({ items })),
      }),
    spec: (owner: PeerKey) => feed({ type: 'spec', job, owner, priority: 0 }),
    job(): Job {
      const known = state.jobs.get(job)
      if (!known) throw new Error('the job is unknown')
      return known
    },
    view() {
      return view(state, job, nowMs)
    },
  }
  return peer
}

export type CorePeer = ReturnType<typeof corePeer>

/** What was sent of one type, and to whom. */
export function sent<K extends StreamMessage['type']>(effects: Effect[], type: K) {
  const found: { to: PeerKey; message: Extract<StreamMessage, { type: K }> }[] = []
  for (const effect of effects) {
    if (effect.type === 'send' && isOf(effect.message, type)) found.push({ to: effect.to, message: effect.message })
  }
  return found
}

function isOf<K extends StreamMessage['type']>(
  message: StreamMessage,
  type: K,
): message is Extract<StreamMessage, { type: K }> {
  return message.type === type
}

export function only<K extends Effect['type']>(effects: Effect[], type: K): Extract<Effect, { type: K }>[] {
  return effects.filter((effect): effect is Extract<Effect, { type: K }> => effect.type === type)
}

/** Shards granted, by peer. */
export function granted(effects: Effect[]): Record<PeerKey, number[]> {
  const byPeer: Record<PeerKey, number[]> = {}
  for (const { to, message } of sent(effects, 'grant')) byPeer[to] = [...(byPeer[to] ?? []), ...message.shards]
  return byPeer
}

/** `self` leads a job of `owner` under ballot 1, with the `shards` of its first manifest known; no other follows if `complete`. */
export function leading(
  self: PeerKey,
  owner: PeerKey,
  shards: number,
  options: Partial<CoreConfig> = {},
  complete = true,
): CorePeer {
  const peer = corePeer(self, options)
  peer.up(self, 0)
  peer.up(owner, 0)
  const ballot = { counter: 1, peer: self }
  peer.hear(owner, { type: 'offer', job, ballot, manifest: head(1), complete })
  peer.spec(owner)
  peer.manifest(0, shards)
  return peer
}

export function digest(ballot: Ballot, owner: PeerKey, change: Partial<Digest> = {}): Digest {
  return {
    type: 'digest',
    job,
    owner,
    ballot,
    version: 1,
    phase: 'running',
    manifest: head(1),
    complete: true,
    done: new Uint8Array(0),
    itemsDone: 0,
    itemsTotal: 0,
    shards: 0,
    shardsDone: 0,
    errors: 0,
    shares: [],
    ...change,
  }
}

export const results = (ballot: Ballot, ...list: ShardResult[]): StreamMessage => ({
  type: 'results',
  job,
  ballot,
  results: list,
})
