/**
 * One simulated peer in one life: production reducer, real bytes, fake effects. A crash ends the life and all that it had in
 * mind; its disk may go over to the next one.
 */
import { blockId, type JobId, type PeerKey } from '../../src/base/ids.ts'
import { firstRound, inRound, roundOf } from '../../src/jobs/core/rounds.ts'
import { initialState, type State } from '../../src/jobs/core/state.ts'
import type { CoreConfig, Effect, Event, RoundHead, ShardResult } from '../../src/jobs/core/types.ts'
import { decodeKept, decodeKeptResults, encodeKept, encodeKeptResults } from '../../src/jobs/wire/kept.ts'
import { checkMerge, jobOfEffect, type PeerWatch, PromiseBroken, promise, watchPeer } from './checks.ts'
import { createLanes, createMerger, type SimMerger } from './executor.ts'
import type { SimPeerOptions } from './options.ts'
import type { Disk, World } from './world.ts'

type WithoutTime<E> = E extends { nowMs: number } ? Omit<E, 'nowMs'> : never
export type SimEvent = WithoutTime<Event>

export interface SimPeer {
  readonly name: PeerKey
  readonly lanes: number
  readonly lagMs: number
  readonly state: State
  readonly disk: Disk
  alive: boolean
  pausedUntilMs: number
  pausedSinceMs: number
  /** Effects that it still performs before it dies; Infinity: it lives. */
  effectsLeft: number
  /** Whom it believes to be reachable. */
  readonly sees: Set<PeerKey>
  /** Does something as this peer, once it is not paused, unless it has died. */
  act(run: () => void): void
  dispatch(event: SimEvent): void
  /** Begins the life: with what the disk remembers. */
  wake(): void
}

export interface SimPeerInit {
  name: PeerKey
  options: SimPeerOptions
  config: CoreConfig
  world: World
  disk: Disk
  /** This machine's clock. */
  clockMs: () => number
}

export function createPeer({ name, options, config, world, disk, clockMs }: SimPeerInit): SimPeer {
  const mergers = new Map<JobId, SimMerger>()
  const inbox: SimEvent[] = []
  let busy = false
  const { network } = world

  const lanes = createLanes({
    lanes: Math.max(1, options.lanes),
    elapsedMs: work => options.itemMs * world.job(work.job).options.itemsPerShard,
    after: (delayMs, run) => world.after(delayMs, () => peer.act(run)),
    done({ job, shard, round = firstRound }, elapsedMs) {
      const one = world.job(job)
      if (world.sick(name)) {
        const reason = `${name} cannot compute: no memory`
        return peer.dispatch({
          type: 'run-failed',
          job,
          shard,
          reason,
          retryable: true,
          unfit: true,
          ...inRound(round),
        })
      }
      if (world.faulty() && world.random() < world.rates.runFail) {
        const key = `${round.round} ${shard}`
        one.failures.set(key, (one.failures.get(key) ?? 0) + 1)
        return peer.dispatch({
          type: 'run-failed',
          job,
          shard,
          reason: 'bad luck',
          retryable: true,
          ...inRound(round),
        })
      }
      const params = paramsOf(round)
      promise(
        round.params === undefined || params !== undefined,
        `who computes has the parameters: ${name} round ${round.round}`,
      )
      const bytes = one.toy.shard(shard, params)
      const block = blockId(bytes)
      disk.blocks.set(block, bytes)
      const result = { shard, block, errors: 0 }
      peer.dispatch({ type: 'ran', job, result, items: one.options.itemsPerShard, elapsedMs, ...inRound(round) })
    },
  })

  function watchOf(job: JobId): PeerWatch {
    let watch = disk.watches.get(job)
    if (!watch) {
      watch = watchPeer(name)
      disk.watches.set(job, watch)
    }
    return watch
  }

  const paramsOf = (round: RoundHead) => (round.params === undefined ? undefined : disk.blocks.get(round.params))

  function mergerOf(job: JobId): SimMerger {
    let merger = mergers.get(job)
    if (!merger) {
      merger = createMerger({
        get(block, holders) {
          if (world.faulty() && world.random() < world.rates.blockLoss) return undefined
          const there = [peer, ...holders.map(one => network.reach(peer, one))].find(one => one?.disk.blocks.has(block))
          return there?.disk.blocks.get(block)
        },
        lost: (shard, round) =>
          world.after(network.delayMs(), () =>
            peer.act(() => {
              watchOf(job).lost(shard, round)
              peer.dispatch({ type: 'result-lost', job, shard, ...inRound(round) })
            }),
          ),
        merged: (ballot, round, parts) => {
          const one = world.job(job)
          checkMerge(round, parts, one.serial)
          const { bytes, done } = one.toy.merge(round.round, paramsOf(round), parts)
          const block = blockId(bytes)
          disk.blocks.set(block, bytes)
          const event: SimEvent = done
            ? { type: 'merged', job, ballot, result: block }
            : { type: 'round-merged', job, ballot, params: block, ...inRound(round) }
          world.after(5, () => peer.act(() => peer.dispatch(event)))
        },
      })
      mergers.set(job, merger)
    }
    return merger
  }

  function perform(effect: Effect): void {
    const about = jobOfEffect(effect)
    if (about !== undefined) watchOf(about).effect(effect)
    switch (effect.type) {
      case 'keep':
        disk.kept.set(effect.job, encodeKept(effect.kept))
        return
      case 'keep-results':
        return storeResults(effect.job, effect.results)
      case 'forget':
        disk.results.delete(effect.job)
        if (effect.record) disk.kept.delete(effect.job)
        return
      case 'forget-results':
        disk.results.delete(effect.job)
        return
      case 'send':
        return network.send(peer, effect.to, effect.message)
      case 'send-ends':
        return network.sendEnds(peer, effect.to, effect.message)
      case 'gossip':
        return network.gossip(peer, effect)
      case 'fetch-spec':
      case 'fetch-manifest':
        return fetch(effect)
      case 'fetch-params':
        return fetchParams(effect)
      case 'run':
        if (options.lanes === 0) throw new PromiseBroken(`who has no lanes gets no shard: ${name} got ${effect.shard}`)
        return lanes.run(effect)
      case 'abandon':
        return lanes.abandon(effect.job, effect.shard)
      case 'merge-shard':
        return mergerOf(effect.job).shard(effect.ballot, roundOf(effect), effect.result, effect.holders)
      case 'merge-end':
        return mergerOf(effect.job).end(effect.ballot, roundOf(effect), effect.shards)
      case 'merge-drop':
        return mergerOf(effect.job).drop()
      case 'ended':
        return lanes.end(effect.job)
      case 'changed':
        return
    }
  }

  function fetch(effect: Effect & { type: 'fetch-spec' | 'fetch-manifest' }): void {
    const { job } = effect
    world.after(2 * network.delayMs(), () =>
      peer.act(() => {
        const source = network.reach(peer, effect.from)?.disk
        if (effect.type === 'fetch-spec') {
          if (!source?.specs.has(job)) return peer.dispatch({ type: 'fetch-failed', job, what: 'spec' })
          disk.specs.add(job)
          const { owner, options: facts } = world.job(job)
          return peer.dispatch({ type: 'spec', job, owner, priority: facts.priority })
        }
        const { count } = effect.manifest
        const read = source?.manifests.get(job) ?? 0
        if (read < count) return peer.dispatch({ type: 'fetch-failed', job, what: 'manifest' })
        disk.manifests.set(job, Math.max(disk.manifests.get(job) ?? 0, count))
        tellManifests(job, effect.known.count, count)
      }),
    )
  }

  function fetchParams({ job, round, from }: Effect & { type: 'fetch-params' }): void {
    world.after(2 * network.delayMs(), () =>
      peer.act(() => {
        const block = round.params ?? ''
        const bytes = disk.blocks.get(block) ?? network.reach(peer, from)?.disk.blocks.get(block)
        if (bytes) disk.blocks.set(block, bytes)
        peer.dispatch({ type: bytes ? 'params' : 'params-failed', job, round })
      }),
    )
  }

  function tellManifests(job: JobId, from: number, to: number): void {
    const { chain } = world.job(job)
    for (let index = from; index < to; index++) peer.dispatch({ type: 'manifest', job, index, ...chain[index] })
  }

  function storeResults(job: JobId, results: readonly ShardResult[]): void {
    const stored = disk.results.get(job) ?? new Map<number, Uint8Array>()
    disk.results.set(job, stored)
    for (const result of results) stored.set(result.shard, encodeKeptResults([result]))
  }

  function storedResults(job: JobId): ShardResult[] {
    const all = [...(disk.results.get(job)?.values() ?? [])].flatMap(decodeKeptResults)
    return all.filter(result => disk.blocks.has(result.block))
  }

  function step(event: SimEvent): void {
    const timed: Event = { ...event, nowMs: clockMs() }
    const { effects } = world.reduce(config, peer.state, timed)
    world.note(name, timed, effects)
    for (const effect of effects) {
      if (peer.effectsLeft-- <= 0) {
        world.died(name)
        return
      }
      perform(effect)
    }
  }

  const peer: SimPeer = {
    name,
    lanes: options.lanes,
    lagMs: options.lagMs,
    state: initialState(config),
    disk,
    alive: true,
    pausedUntilMs: 0,
    pausedSinceMs: 0,
    effectsLeft: Number.POSITIVE_INFINITY,
    sees: new Set(),
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
      for (let next = inbox.shift(); next && peer.alive; next = inbox.shift()) step(next)
      busy = false
    },
    wake() {
      peer.dispatch({ type: 'peer-up', peer: name, itemsPerSecond: 0, slots: options.lanes })
      for (const [job, bytes] of [...disk.kept]) {
        peer.dispatch({ type: 'restore', job, kept: decodeKept(bytes), results: storedResults(job) })
        tellManifests(job, 0, disk.manifests.get(job) ?? 0)
      }
    },
  }
  return peer
}
