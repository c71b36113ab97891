/** One simulated peer in one life: production reducer, real bytes, fake effects. A crash ends the life and all it knew. */
import { type BlockId, blockId, type JobId, type PeerKey } from '../../src/base/ids.ts'
import { initialState, type State } from '../../src/jobs/core/state.ts'
import type { CoreConfig, Effect, Event } from '../../src/jobs/core/types.ts'
import { checkMerge, type PeerWatch, PromiseBroken, watchPeer } from './checks.ts'
import { createLanes, createMerger, mergedId, resultBytes } from './executor.ts'
import type { Reduce } from './options.ts'

type WithoutTime<E> = E extends { nowMs: number } ? Omit<E, 'nowMs'> : never
export type SimEvent = WithoutTime<Event>

export interface World {
  job: JobId
  nowMs(): number
  after(delayMs: number, run: () => void): void
  random(): number
  randomDelayMs(): number
  faulty(): boolean
  serial: readonly BlockId[]
  itemsPerShard: number
  chain: { block: BlockId; shards: { items: number }[] }[]
  rates: { runFail: number; blockLoss: number }
  reduce: Reduce
  note(peer: PeerKey, event: Event, effects: readonly Effect[]): void
  /** Stream messages and gossip. */
  carry(from: SimPeer, effect: Effect & { type: 'send' | 'gossip' }): void
  /** The peer if `from` can reach it now. */
  reach(from: SimPeer, name: PeerKey): SimPeer | undefined
}

export interface SimPeer {
  readonly name: PeerKey
  readonly slots: number
  readonly state: State
  readonly config: CoreConfig
  alive: boolean
  pausedUntilMs: number
  pausedSinceMs: number
  /** Whom it believes to be reachable. */
  readonly sees: Set<PeerKey>
  readonly blocks: Map<BlockId, Uint8Array>
  hasSpec: boolean
  manifests: number
  /** Does something as this peer, once it is not paused, unless it has died. */
  act(run: () => void): void
  dispatch(event: SimEvent): void
}

export interface SimPeerInit {
  name: PeerKey
  slots: number
  itemMs: number
  config: CoreConfig
  world: World
}

export function createPeer({ name, slots, itemMs, config, world }: SimPeerInit): SimPeer {
  const watch: PeerWatch = watchPeer(name)
  const inbox: SimEvent[] = []
  let busy = false

  const lanes = createLanes({
    lanes: Math.max(1, slots),
    elapsedMs: () => itemMs * world.itemsPerShard,
    after: (delayMs, run) => world.after(delayMs, () => peer.act(run)),
    done(shard, elapsedMs) {
      if (world.faulty() && world.random() < world.rates.runFail) {
        return peer.dispatch({ type: 'run-failed', job: world.job, shard, reason: 'bad luck', retryable: true })
      }
      const bytes = resultBytes(world.job, shard)
      const block = blockId(bytes)
      peer.blocks.set(block, bytes)
      const result = { shard, block, errors: 0 }
      peer.dispatch({ type: 'ran', job: world.job, result, items: world.itemsPerShard, elapsedMs })
    },
  })

  const merger = createMerger({
    has(block, holders) {
      if (world.faulty() && world.random() < world.rates.blockLoss) return false
      return peer.blocks.has(block) || holders.some(holder => world.reach(peer, holder)?.blocks.has(block))
    },
    lost: shard =>
      world.after(world.randomDelayMs(), () =>
        peer.act(() => {
          watch.lost(shard)
          peer.dispatch({ type: 'result-lost', job: world.job, shard })
        }),
      ),
    merged: (ballot, parts) => {
      checkMerge(parts, world.serial)
      const result = mergedId(parts)
      world.after(5, () => peer.act(() => peer.dispatch({ type: 'merged', job: world.job, ballot, result })))
    },
  })

  function perform(effect: Effect): void {
    watch.effect(effect)
    switch (effect.type) {
      case 'send':
      case 'gossip':
        return world.carry(peer, effect)
      case 'fetch-spec':
      case 'fetch-manifest':
        return fetch(effect)
      case 'run':
        if (slots === 0) throw new PromiseBroken(`a peer without lanes gets no shard: ${name} got ${effect.shard}`)
        return lanes.run(effect.shard)
      case 'abandon':
        return lanes.abandon(effect.shard)
      case 'merge-shard':
        return merger.shard(effect.ballot, effect.result, effect.holders)
      case 'merge-end':
        return merger.end(effect.ballot, effect.shards)
      case 'merge-drop':
        return merger.drop()
      case 'ended':
        return lanes.clear()
      case 'changed':
        return
    }
  }

  function fetch(effect: Effect & { type: 'fetch-spec' | 'fetch-manifest' }): void {
    world.after(2 * world.randomDelayMs(), () =>
      peer.act(() => {
        const source = world.reach(peer, effect.from)
        const job = effect.job
        if (effect.type === 'fetch-spec') {
          if (!source?.hasSpec) return peer.dispatch({ type: 'fetch-failed', job, what: 'spec' })
          peer.hasSpec = true
          return peer.dispatch({ type: 'spec', job, owner: names[0], priority: 0 })
        }
        const { count } = effect.manifest
        if (!source || source.manifests < count) return peer.dispatch({ type: 'fetch-failed', job, what: 'manifest' })
        peer.manifests = Math.max(peer.manifests, count)
        for (let index = effect.known.count; index < count; index++) {
          peer.dispatch({ type: 'manifest', job, index, ...world.chain[index] })
        }
      }),
    )
  }

  const peer: SimPeer = {
    name,
    slots,
    state: initialState(config),
    config,
    alive: true,
    pausedUntilMs: 0,
    pausedSinceMs: 0,
    sees: new Set(),
    blocks: new Map(),
    hasSpec: false,
    manifests: 0,
    act(run) {
      if (!peer.alive) return
      const waitMs = peer.pausedUntilMs - world.nowMs()
      if (waitMs > 0) world.after(waitMs, () => peer.act(run))
      else run()
    },
    dispatch(event) {
      inbox.push(event)
      if (busy) return
      busy = true
      for (let next = inbox.shift(); next; next = inbox.shift()) {
        const timed: Event = { ...next, nowMs: world.nowMs() }
        const { effects } = world.reduce(config, peer.state, timed)
        world.note(name, timed, effects)
        for (const effect of effects) perform(effect)
      }
      busy = false
    },
  }
  return peer
}

const animals = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox', 'gnu', 'hen', 'ibis', 'jay', 'kiwi', 'lynx']

/** Short names first, for transcripts are read. */
export const names: readonly PeerKey[] = [...animals, ...Array.from({ length: 200 }, (_, i) => `peer${i}`)]
