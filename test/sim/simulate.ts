/**
 * A whole mesh in one thread: production reducers over encoded bytes, a virtual clock, and a world that does what
 * options.ts lists. The same options give the same run; the seed is the only source of chance.
 */
import { blockId, type JobId, type PeerKey } from '../../src/base/ids.ts'
import { prng } from '../../src/base/prng.ts'
import { defaultConfig } from '../../src/jobs/core/config.ts'
import { reduce, view } from '../../src/jobs/core/reduce.ts'
import type { Effect, Event, JobOutcome } from '../../src/jobs/core/types.ts'
import { checkBooks, checkEnding } from './checks.ts'
import { createClock } from './clock.ts'
import { createNetwork, names, type Traffic } from './network.ts'
import type { Act, SimJobOptions, SimOptions } from './options.ts'
import { createPeer, type SimPeer } from './peer.ts'
import { runSerially, toyOf } from './toy.ts'
import { describeEffect, describeEvent } from './transcript.ts'
import { type Disk, emptyDisk, type SimJob, type World } from './world.ts'

/** A moment that no protocol time is near to. */
const startMs = 10_000_000
const tickMs = 100
/** After the end the mesh is watched for this long: time enough for all to agree. */
const afterMs = 15_000
/** Who is to die in the middle of a step dies after this time if no step has enough effects. */
const midwayMs = 2_000
/** Between two looks at the whole. */
const lookMs = 500

const utf8 = new TextEncoder()

export interface SimResult {
  /** Virtual milliseconds until every peer knew every job's end. */
  tookMs: number
  /** How each job ended; undefined where nobody remembers it. */
  phases: (JobOutcome['phase'] | undefined)[]
  /** Kept only when asked for. */
  transcript: string[]
  /** Ballots under which a merge was begun, all jobs together. */
  ballots: number
  traffic: Traffic
}

/** What a watcher of a run hears: every step of every peer, in true virtual time since the start. */
export type Watcher = (atMs: number, peer: PeerKey, event: Event, effects: readonly Effect[]) => void

/** Throws `PromiseBroken`; when `transcript` is given, it is filled, broken or not. */
export function simulate(options: SimOptions, transcript?: string[], watcher?: Watcher): SimResult {
  const random = prng(options.seed ^ 0x5eed)
  const clock = createClock(startMs)
  const { nowMs } = clock
  const lives: (SimPeer | undefined)[] = options.peers.map(() => undefined)
  const disks: Disk[] = options.peers.map(emptyDisk)
  const sickUntilMs = new Map<PeerKey, number>()
  const jumpsMs = options.peers.map(() => 0)
  const indexes = new Map(options.peers.map((_, index) => [names[index], index]))
  const indexOf = (name: PeerKey) => indexes.get(name) ?? -1
  const crashes = new Map<PeerKey, Act & { do: 'crash' }>()
  const jobs = options.jobs.map((job, index) => newSimJob(options.seed, index, job))
  const byId = new Map(jobs.map(job => [job.id, job]))
  const phases: (JobOutcome['phase'] | undefined)[] = jobs.map(() => undefined)
  const ballots = new Set<string>()
  const faulty = () => nowMs() < startMs + options.healMs
  const network = createNetwork({ options, clock, random: random.next, faulty, lives, indexOf })

  const world: World = {
    nowMs,
    after: clock.after,
    random: random.next,
    faulty,
    sick: peer => (sickUntilMs.get(peer) ?? 0) > nowMs(),
    job: (id: JobId) => byId.get(id)!,
    rates: { runFail: options.runFailRate, blockLoss: options.blockLossRate },
    reduce: options.reduce ?? reduce,
    network,
    note(peer, event, effects) {
      for (const effect of effects) {
        if (effect.type === 'merge-shard') ballots.add(`${effect.job} ${effect.ballot.counter} ${effect.ballot.peer}`)
        if (effect.type === 'ended') phases[jobs.findIndex(job => job.id === effect.job)] = effect.outcome.phase
      }
      watcher?.(nowMs() - startMs, peer, event, effects)
      if (transcript) tell(transcript, peer, event, effects)
    },
    died(peer) {
      const act = crashes.get(peer)
      if (act) crash(act, true)
    },
  }

  function tell(lines: string[], peer: PeerKey, event: Event, effects: readonly Effect[]): void {
    const name = (job: JobId) => (jobs.length > 1 ? `job ${jobs.findIndex(one => one.id === job)}` : undefined)
    const what = describeEvent(event, name)
    const done = effects.map(effect => describeEffect(effect, name)).filter(line => line !== undefined)
    if (what === undefined && done.length === 0) return
    lines.push(`${stamp()} ${peer.padEnd(4)} ${what ?? 'tick'}`, ...done.map(line => `${' '.repeat(16)}${line}`))
  }
  const stamp = () => ((nowMs() - startMs) / 1000).toFixed(3).padStart(8)

  function born(index: number): void {
    const name = names[index]
    const { clockMs, clockRate } = options.peers[index]
    const peer = createPeer({
      name,
      options: options.peers[index],
      config: { ...defaultConfig(name), ...options.config },
      world,
      disk: disks[index],
      clockMs: () => startMs + clockMs + jumpsMs[index] + (nowMs() - startMs) * clockRate,
    })
    lives[index] = peer
    peer.wake()
    const tick = () => {
      peer.dispatch({ type: 'tick' })
      clock.after(tickMs, () => peer.act(tick))
    }
    clock.after(random.int(tickMs), () => peer.act(tick))
  }

  /** At once, or in the middle of the next step that has effects. */
  function crash(act: Act & { do: 'crash' }, now: boolean): void {
    const peer = lives[act.peer]
    if (!peer) return
    if (!now && act.midway !== undefined) {
      crashes.set(peer.name, act)
      peer.effectsLeft = act.midway
      clock.after(midwayMs, () => {
        if (lives[act.peer] === peer) crash(act, true)
      })
      return
    }
    transcript?.push(`${stamp()} ${peer.name.padEnd(4)} CRASHES${act.keeps ? '' : ' and loses its disk'}`)
    peer.alive = false
    lives[act.peer] = undefined
    if (!act.keeps) disks[act.peer] = emptyDisk()
    for (const job of jobs) {
      if (job.options.owner === act.peer && job.submitted && !(act.keeps && job.inputsEnded)) job.ownerLost = true
    }
    network.notice(options.closedMs, act.peer)
    if (act.backMs === undefined) return
    clock.after(act.backMs, () => {
      transcript?.push(`${stamp()} ${peer.name.padEnd(4)} IS BACK`)
      born(act.peer)
      network.notice({ min: 50, max: 300 }, act.peer)
    })
  }

  function perform(act: Act): void {
    switch (act.do) {
      case 'crash':
        return crash(act, false)
      case 'crash-leader': {
        const peer = lives.findIndex(one => one && [...one.state.jobs.values()].some(job => job.leader))
        return peer < 0 ? undefined : crash({ ...act, do: 'crash', peer }, true)
      }
      case 'crash-all':
        return lives.forEach((_, peer) => {
          crash({ ...act, do: 'crash', peer }, true)
        })
      case 'pause': {
        const peer = lives[act.peer]
        if (!peer) return
        peer.pausedSinceMs = nowMs()
        peer.pausedUntilMs = nowMs() + act.forMs
        network.notice(options.silentMs, act.peer)
        return clock.after(act.forMs + 1, () => network.notice({ min: 0, max: 500 }, act.peer))
      }
      case 'sick':
        sickUntilMs.set(names[act.peer], nowMs() + act.forMs)
        return
      case 'part':
        return network.part(act.group, act.forMs)
      case 'mute':
        return network.mute(act.from, act.to, act.forMs)
      case 'clock':
        jumpsMs[act.peer] += act.byMs
        return
      case 'cancel': {
        const job = jobs[act.job]
        if (act.peer === job.options.owner && lives[act.peer]) job.cancelled = true
        return lives[act.peer]?.act(() => lives[act.peer]?.dispatch({ type: 'cancel', job: job.id }))
      }
    }
  }

  function submit(job: SimJob): void {
    const owner = lives[job.options.owner]
    owner?.act(() => {
      job.submitted = true
      owner.disk.specs.add(job.id)
      owner.dispatch({ type: 'submit', job: job.id, priority: job.options.priority })
      read(job, owner, 0)
    })
  }

  /** The owner's reader: one manifest after the other, then the end. It does not outlive the owner's life. */
  function read(job: SimJob, owner: SimPeer, index: number): void {
    const { shards: total, manifests, itemsPerShard, readMs } = job.options
    if (!owner.alive) return
    if (index === manifests) {
      owner.dispatch({ type: 'inputs-end', job: job.id })
      if (owner.alive) job.inputsEnded = true
      return
    }
    const from = Math.floor((total * index) / manifests)
    const to = Math.floor((total * (index + 1)) / manifests)
    const shards = Array.from({ length: to - from }, () => ({ items: itemsPerShard }))
    const block = blockId(utf8.encode(`manifest ${index} of ${job.id}`))
    job.chain.push({ block, shards })
    owner.disk.manifests.set(job.id, index + 1)
    owner.dispatch({ type: 'manifest', job: job.id, index, block, shards })
    clock.after(readMs, () => owner.act(() => read(job, owner, index + 1)))
  }

  const maxAttempts = options.config.attemptsMax ?? defaultConfig('').attemptsMax
  const mayFail = (job: SimJob) => job.ownerLost || [...job.failures.values()].some(count => count >= maxAttempts)

  function isOver(job: SimJob): boolean {
    if (!job.submitted) return true
    const known = lives.flatMap(peer => (peer ? [view(peer.state, job.id, nowMs())] : []))
    const some = known.some(one => one?.outcome)
    return known.every(one => one === undefined || one.outcome !== undefined) && (some || job.ownerLost)
  }

  options.peers.forEach((_, index) => {
    born(index)
  })
  network.notice({ min: 1, max: 20 })
  for (const job of jobs) clock.after(job.options.atMs, () => submit(job))
  for (const act of options.acts) clock.after(act.atMs, () => perform(act))

  const lastActMs = Math.max(
    options.healMs,
    ...options.acts.map(
      act => act.atMs + ('backMs' in act ? (act.backMs ?? 0) + midwayMs : 'forMs' in act ? act.forMs : 0),
    ),
    ...options.jobs.map(job => job.atMs),
  )
  // What was submitted while the submitter stood still begins later; who comes back needs a moment to be there.
  const earliestMs = startMs + lastActMs + 1000
  let endedMs = Number.POSITIVE_INFINITY
  let nextLookMs = startMs
  while (nowMs() < Math.min(startMs + options.endMs, endedMs + afterMs) && clock.step(startMs + options.endMs)) {
    if (nowMs() < nextLookMs) continue
    nextLookMs = nowMs() + lookMs
    for (const peer of lives) if (peer) checkBooks(peer.name, peer.state)
    if (endedMs === Number.POSITIVE_INFINITY && nowMs() >= earliestMs && jobs.every(isOver)) endedMs = nowMs()
  }

  for (const job of jobs) {
    if (!job.submitted) continue
    const endings = lives.flatMap(peer => (peer ? [{ peer: peer.name, view: view(peer.state, job.id, nowMs()) }] : []))
    const allowed: JobOutcome['phase'][] = ['final']
    if (job.cancelled) allowed.push('cancelled')
    if (mayFail(job)) allowed.push('failed')
    const ownerThere = lives[job.options.owner] !== undefined && !job.ownerLost
    checkEnding(endings, { result: job.serial.result, phases: allowed, mustKnow: ownerThere ? [job.owner] : [] })
  }
  return {
    tookMs: endedMs - startMs,
    phases,
    transcript: transcript ?? [],
    ballots: ballots.size,
    traffic: network.traffic,
  }
}

function newSimJob(seed: number, index: number, options: SimJobOptions): SimJob {
  const id = blockId(utf8.encode(`job ${index} of seed ${seed}`))
  const toy = toyOf(id, options)
  return {
    id,
    options,
    owner: names[options.owner],
    toy,
    serial: runSerially(toy, options.shards),
    chain: [],
    submitted: false,
    inputsEnded: false,
    ownerLost: false,
    cancelled: false,
    failures: new Map(),
  }
}
