/**
 * A whole mesh in one thread: production reducers over encoded bytes, a virtual clock, and a network that loses, delays,
 * repeats, reorders and parts. The same options give the same run; the seed is the only source of chance.
 */
import { blockId, type PeerKey } from '../../src/base/ids.ts'
import { prng } from '../../src/base/prng.ts'
import { defaultConfig } from '../../src/jobs/core/config.ts'
import { reduce, view } from '../../src/jobs/core/reduce.ts'
import type { Effect, JobOutcome } from '../../src/jobs/core/types.ts'
import { decodeDigest, encodeDigest } from '../../src/jobs/wire/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/jobs/wire/envelope.ts'
import { checkEnding } from './checks.ts'
import { createClock } from './clock.ts'
import { mergedId, resultBytes } from './executor.ts'
import type { Act, SimOptions } from './options.ts'
import { createPeer, names, type SimPeer, type World } from './peer.ts'
import { describeEffect, describeEvent } from './transcript.ts'

/** A moment that no protocol time is near to. */
const startMs = 1_000_000
const tickMs = 100
/** A peer that stands still is taken for gone by its neighbours after this time. */
const pingMs = 6_000
/** A request that nobody answers fails after this time. */
const requestMs = 10_000
/** After the end the mesh is watched for this long. */
const afterMs = 5_000

export interface SimResult {
  /** Virtual milliseconds until every peer knew the end. */
  tookMs: number
  phase: JobOutcome['phase'] | undefined
  /** Kept only when asked for. */
  transcript: string[]
  /** Ballots under which a merge was begun. */
  ballots: number
}

/** Throws `PromiseBroken`; with `keep` the transcript is left in `transcript`, broken or not. */
export function simulate(options: SimOptions, transcript?: string[]): SimResult {
  const random = prng(options.seed ^ 0x5eed)
  const clock = createClock(startMs)
  const nowMs = clock.nowMs
  const job = blockId(new TextEncoder().encode(`job of seed ${options.seed}`))
  const between = (low: number, high: number) => low + random.next() * (high - low)
  const count = options.slots.length
  const lives: (SimPeer | undefined)[] = Array.from({ length: count }, () => undefined)
  const parted = new Set<Set<number>>()
  let ownerDied = false
  let cancelled = false
  let seenPhase: JobOutcome['phase'] | undefined
  const ballots = new Set<string>()
  const linesFor = transcript

  const byName = (name: PeerKey) => lives[names.indexOf(name)]
  const linked = (a: PeerKey, b: PeerKey) => {
    for (const group of parted) if (group.has(names.indexOf(a)) !== group.has(names.indexOf(b))) return false
    return true
  }
  const heals = () => nowMs() >= startMs + options.healMs

  const world: World = {
    job,
    nowMs,
    after: clock.after,
    random: random.next,
    randomDelayMs: () => between(options.delayMs.min, options.delayMs.max),
    faulty: () => !heals(),
    serial: Array.from({ length: options.shards }, (_, shard) => blockId(resultBytes(job, shard))),
    itemsPerShard: options.itemsPerShard,
    chain: [],
    rates: { runFail: options.runFailRate, blockLoss: options.blockLossRate },
    reduce: options.reduce ?? reduce,
    note(peer, event, effects) {
      for (const effect of effects) {
        if (effect.type === 'merge-shard') ballots.add(`${effect.ballot.counter} ${effect.ballot.peer}`)
        if (effect.type === 'ended') seenPhase = effect.outcome.phase
      }
      if (!linesFor) return
      const what = describeEvent(event)
      const done = effects.map(describeEffect).filter(line => line !== undefined)
      if (what === undefined && done.length === 0) return
      const at = ((event.nowMs - startMs) / 1000).toFixed(3).padStart(8)
      linesFor.push(`${at} ${peer.padEnd(4)} ${what ?? 'tick'}`, ...done.map(line => `${' '.repeat(16)}${line}`))
    },
    carry,
    reach(from, name) {
      const peer = byName(name)
      if (!peer || !linked(from.name, name) || peer.pausedUntilMs > nowMs()) return undefined
      return peer
    },
  }

  function carry(from: SimPeer, effect: Effect & { type: 'send' | 'gossip' }): void {
    if (effect.type === 'gossip') return spread(from, effect)
    const { to, message } = effect
    const blocks = new Map<string, Uint8Array>()
    if (message.type === 'results') {
      for (const { block } of message.results) {
        const bytes = from.blocks.get(block)
        if (bytes) blocks.set(block, bytes)
      }
    }
    const bytes = encodeEnvelope([message], blocks)
    const receive = (peer: SimPeer) => {
      const envelope = decodeEnvelope(bytes)
      for (const [id, block] of envelope.blocks) peer.blocks.set(id, block)
      for (const one of envelope.messages) peer.dispatch({ type: 'message', from: from.name, message: one })
    }
    if (to === from.name) return receive(from)
    const fail = (delayMs: number) =>
      clock.after(delayMs, () => from.act(() => from.dispatch({ type: 'send-failed', to, message })))
    const target = byName(to)
    const lost = world.faulty() && random.next() < options.streamLossRate
    if (lost || !target || !linked(from.name, to)) return fail(between(20, 500))
    const arrive = (last: boolean) =>
      clock.after(world.randomDelayMs(), () => {
        if (!target.alive || !linked(from.name, to)) return last ? fail(between(20, 500)) : undefined
        if (target.pausedUntilMs > nowMs() + requestMs) fail(requestMs)
        target.act(() => receive(target))
      })
    if (world.faulty() && random.next() < options.duplicateRate) arrive(false)
    arrive(true)
    if (world.faulty() && random.next() < options.ackLossRate) fail(between(20, 2000))
  }

  function spread(from: SimPeer, effect: Effect & { type: 'gossip' }): void {
    const bytes = encodeDigest(effect.message)
    for (const target of lives) {
      if (!target || target === from || !linked(from.name, target.name)) continue
      if (world.faulty() && random.next() < options.gossipLossRate) continue
      clock.after(world.randomDelayMs(), () =>
        target.act(() => target.dispatch({ type: 'message', from: from.name, message: decodeDigest(bytes) })),
      )
    }
  }

  /** What each peer believes of each other follows the truth after a while. */
  function notice(lowMs: number, highMs: number): void {
    for (const a of lives) for (const b of lives) if (a && a !== b) look(a, b?.name, lowMs, highMs)
    for (const a of lives) for (const name of a?.sees ?? []) if (a && !byName(name)) look(a, name, lowMs, highMs)
  }

  function look(a: SimPeer, name: PeerKey | undefined, lowMs: number, highMs: number): void {
    if (name === undefined) return
    clock.after(between(lowMs, highMs), () =>
      a.act(() => {
        const b = byName(name)
        const stands = b !== undefined && b.pausedUntilMs > nowMs() && nowMs() - b.pausedSinceMs > pingMs
        if (b && linked(a.name, name) && !stands) {
          if (a.sees.has(name)) return
          a.sees.add(name)
          a.dispatch({ type: 'peer-up', peer: name, itemsPerSecond: 0, slots: b.slots })
        } else if (a.sees.delete(name)) a.dispatch({ type: 'peer-down', peer: name })
      }),
    )
  }

  function born(index: number): SimPeer {
    const name = names[index]
    const slots = options.slots[index]
    const config = { ...defaultConfig(name), ownerGraceMs: 60_000, ...options.config }
    const peer = createPeer({ name, slots, itemMs: options.itemMs[index], config, world })
    lives[index] = peer
    peer.dispatch({ type: 'peer-up', peer: name, itemsPerSecond: 0, slots })
    const tick = () => {
      peer.dispatch({ type: 'tick' })
      clock.after(tickMs, () => peer.act(tick))
    }
    clock.after(random.int(tickMs), () => peer.act(tick))
    return peer
  }

  function crash(index: number, backMs: number): void {
    const peer = lives[index]
    if (!peer) return
    if (linesFor) linesFor.push(`${((nowMs() - startMs) / 1000).toFixed(3).padStart(8)} ${peer.name.padEnd(4)} CRASHES`)
    peer.alive = false
    lives[index] = undefined
    if (index === 0) ownerDied = true
    notice(5, 50)
    clock.after(backMs, () => {
      born(index)
      notice(50, 300)
    })
  }

  function perform(act: Act): void {
    switch (act.do) {
      case 'crash':
        return crash(act.peer, act.backMs)
      case 'crash-leader': {
        const leader = lives.findIndex(peer => peer?.state.jobs.get(job)?.leader)
        return leader < 0 ? undefined : crash(leader, act.backMs)
      }
      case 'pause': {
        const peer = lives[act.peer]
        if (!peer) return
        peer.pausedSinceMs = nowMs()
        peer.pausedUntilMs = nowMs() + act.forMs
        clock.after(pingMs + 1, () => notice(0, 500))
        return clock.after(act.forMs + 1, () => notice(0, 500))
      }
      case 'part': {
        const group = new Set(act.group)
        parted.add(group)
        notice(500, 3000)
        return clock.after(act.forMs, () => {
          parted.delete(group)
          notice(100, 600)
        })
      }
      case 'cancel':
        if (act.peer === 0 && lives[0]) cancelled = true
        return lives[act.peer]?.act(() => lives[act.peer]?.dispatch({ type: 'cancel', job }))
    }
  }

  /** The owner's reader: one manifest after the other, then the end. */
  function read(peer: SimPeer, index: number): void {
    if (index === options.manifests) return peer.dispatch({ type: 'inputs-end', job })
    const from = Math.floor((options.shards * index) / options.manifests)
    const to = Math.floor((options.shards * (index + 1)) / options.manifests)
    const shards = Array.from({ length: to - from }, () => ({ items: options.itemsPerShard }))
    const block = blockId(new TextEncoder().encode(`manifest ${index} of ${job}`))
    world.chain.push({ block, shards })
    peer.manifests = index + 1
    peer.dispatch({ type: 'manifest', job, index, block, shards })
    clock.after(options.readMs, () => peer.act(() => read(peer, index + 1)))
  }

  const allKnow = () => {
    const known = lives.flatMap(peer => (peer ? [view(peer.state, job, nowMs())] : []))
    const some = known.some(one => one?.outcome)
    return known.every(one => one === undefined || one.outcome !== undefined) && (some || ownerDied)
  }

  for (let index = 0; index < count; index++) born(index)
  notice(1, 20)
  clock.after(50, () =>
    lives[0]?.act(() => {
      const first = lives[0]
      if (!first) return
      first.hasSpec = true
      first.dispatch({ type: 'submit', job, priority: 0 })
      read(first, 0)
    }),
  )
  for (const act of options.acts) clock.after(act.atMs, () => perform(act))

  const lastActMs = Math.max(
    options.healMs,
    ...options.acts.map(act => act.atMs + ('backMs' in act ? act.backMs : 'forMs' in act ? act.forMs : 0)),
  )
  // What was submitted while the submitter stood still begins later.
  const earliestMs = startMs + Math.max(lastActMs, 1000)
  let endedMs = Number.POSITIVE_INFINITY
  let nextLookMs = startMs
  while (nowMs() < Math.min(startMs + options.endMs, endedMs + afterMs) && clock.step(startMs + options.endMs)) {
    if (nowMs() < nextLookMs) continue
    nextLookMs = nowMs() + 500
    if (endedMs === Number.POSITIVE_INFINITY && nowMs() >= earliestMs && allKnow()) endedMs = nowMs()
  }

  const endings = lives.flatMap(peer => (peer ? [{ peer: peer.name, view: view(peer.state, job, nowMs()) }] : []))
  const phases: JobOutcome['phase'][] = ['final']
  if (cancelled) phases.push('cancelled')
  if (ownerDied) phases.push('failed')
  checkEnding(endings, { result: mergedId(world.serial), phases, mustKnow: ownerDied ? [] : [names[0]] })
  return { tookMs: endedMs - startMs, phase: seenPhase, transcript: transcript ?? [], ballots: ballots.size }
}

/** Of a failing run, this many lines from its beginning and from its end. */
const toldLines = 120

/** As `simulate`; when a promise is broken, runs it again and throws with the seed and what happened. */
export function simulateOrTell(options: SimOptions): SimResult {
  try {
    return simulate(options)
  } catch (thrown) {
    const transcript: string[] = []
    try {
      simulate(options, transcript)
    } catch {
      // The same again: the run is repeatable.
    }
    const left = transcript.length - 2 * toldLines
    const told = [
      ...transcript.slice(0, toldLines),
      ...(left > 0 ? [`… ${left} lines …`] : []),
      ...transcript.slice(Math.max(toldLines, transcript.length - toldLines)),
    ].join('\n')
    throw new Error(`seed ${options.seed}: ${thrown instanceof Error ? thrown.message : thrown}\n${told}`, {
      cause: thrown,
    })
  }
}
