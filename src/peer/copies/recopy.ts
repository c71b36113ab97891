/**
 * Makes copies again that went with a peer: of a job's inputs where its owner is gone, and of results until they are dropped
 * or expire. Nobody is elected: of the peers that hold something whole, the first by rank (of a result its owner, if it holds
 * it) sees to the missing copies, and each holder finds out by asking who else holds it. Two that disagree for a moment
 * make a copy too many, never one too few. Invariant: one copy at a time is made by one peer, and none because of a
 * peer that was away for less than the grace.
 */
import { PeerError } from '../../base/errors.ts'
import type { JobId, PeerKey } from '../../base/ids.ts'
import type { JobView } from '../../jobs/core/types.ts'
import type { Absences } from './absences.ts'
import type { Copies } from './copies.ts'
import type { HoldingOf, Holdings } from './holdings.ts'
import type { Spread } from './spread.ts'

export interface RecopyDeps {
  self: PeerKey
  copies: Copies
  holdings: Holdings
  spread: Spread
  absences: Absences
  connected: (peer: PeerKey) => boolean
  views: () => JobView[]
  changed: (job: JobId) => void
  /** A peer that was away longer than this is not waited for. */
  graceMs: number
}

/** Copies with other peers, of a result or of inputs without their owner, as who sees to them counted them last. */
export interface Counted {
  wanted: number
  placed: number
}

export interface Recopy {
  /** Looks now whether this job has the copies that it should have: it has just ended here. */
  look(job: JobId): void
  /** A peer came: what could not be placed is tried again. */
  arrived(): void
  of(job: JobId): Counted | undefined
  forget(job: JobId): void
  stop(): void
}

/** What a peer refused is asked of it again after this long, twice as long each time; at once when a peer comes. */
const restMsMin = 5_000
const restMsMax = 300_000
const lookMsMax = 2_000
const lookMsMin = 20
/** While peers come and go without an end, a look is put off no longer than so many graces. */
const patience = 3
/** A result is worth a second copy whatever was asked for. */
const copiesLeast = 2

export function createRecopy(deps: RecopyDeps): Recopy {
  const { self, copies, holdings, spread, absences, graceMs } = deps
  const counted = new Map<JobId, Counted>()
  const due = new Set<JobId>()
  /** These lack copies: there are too few peers, or one refused (true) and is asked again. */
  const short = new Map<JobId, boolean>()
  let all: number | undefined = performance.now()
  let againMs = Number.POSITIVE_INFINITY
  let working = false
  let stopped = false
  let restMs = Math.min(restMsMin, graceMs)
  const timer = setInterval(() => void tick(), Math.min(lookMsMax, Math.max(lookMsMin, graceMs / 4)))
  timer.unref()
  const beganMs = performance.now()

  const ownerGone = ({ owner }: JobView) => owner !== self && absences.awayMs(owner) > graceMs

  /** What this peer holds whole and answers for. */
  async function held(views: readonly JobView[]): Promise<{ view: JobView; of: HoldingOf }[]> {
    const found: { view: JobView; of: HoldingOf }[] = []
    for (const view of views) {
      if (stopped) return []
      const of: HoldingOf = { job: view.job, kind: view.outcome ? 'result' : 'inputs' }
      const concerns = view.outcome ? view.outcome.phase === 'final' : holdings.inputs(view.job) && ownerGone(view)
      if (concerns && (await holdings.has(of))) found.push({ view, of })
    }
    return found
  }

  /** Who else holds each of these, of the peers that are connected. Throws PeerError where one could not be asked. */
  async function holdersOf(of: readonly HoldingOf[], peers: readonly PeerKey[]): Promise<Map<JobId, Set<PeerKey>>> {
    const holders = new Map(of.map(({ job }) => [job, new Set([self])]))
    const ask = async (peer: PeerKey) => {
      const answers = await holdings.ask(peer, of).catch((thrown: unknown) => {
        // One of another release holds nothing that it could answer for; one that leaves is no holder.
        if (thrown instanceof PeerError && (thrown.kind === 'protocol' || !deps.connected(peer))) return []
        throw thrown
      })
      for (const [at, { job }] of of.entries()) if (answers[at]) holders.get(job)?.add(peer)
    }
    await Promise.all(peers.map(ask))
    return holders
  }

  function target({ job, owner, outcome }: JobView, holders: ReadonlySet<PeerKey>): number {
    const wanted = Math.max(1, holdings.wanted(job) ?? 1)
    // A result that is on its way to its owner is as good as there.
    const ownerHolds = holders.has(owner) || (outcome !== undefined && deps.connected(owner))
    return ownerHolds ? wanted + 1 : Math.max(copiesLeast, wanted)
  }

  function inCharge({ job, owner, outcome }: JobView, holders: ReadonlySet<PeerKey>): boolean {
    if (outcome && holders.has(owner)) return owner === self
    return copies.ranked(job, [...holders])[0] === self
  }

  /** Places what is missing, a copy after the other. */
  async function place(view: JobView, holders: Set<PeerKey>): Promise<void> {
    const { job, outcome, owner } = view
    const whole = holdings.inputs(job)
    const coming = outcome !== undefined && owner !== self && deps.connected(owner) && !holders.has(owner)
    const count = () => {
      const placed = holders.size + (coming ? 1 : 0)
      const before = counted.get(job)
      counted.set(job, { wanted: target(view, holders) - 1, placed: placed - 1 })
      if (before?.placed !== placed - 1) deps.changed(job)
      return placed
    }
    let refused = false
    for (const peer of copies.candidates(job)) {
      if (stopped || count() >= target(view, holders)) break
      if (holders.has(peer) || (coming && peer === owner)) continue
      try {
        if (outcome) await spread.fillResult(peer, job)
        else if (whole) await spread.fillInputs(peer, job, whole)
        holders.add(peer)
      } catch {
        refused = true // it has no room, or is gone: the next one
      }
    }
    if (count() < target(view, holders)) short.set(job, refused)
    else short.delete(job)
  }

  async function work(views: readonly JobView[]): Promise<void> {
    const mine = await held(views)
    // What is held here no more, such as the inputs of a job that ended meanwhile, lacks nothing.
    const here = new Set(mine.map(({ of }) => of.job))
    for (const { job } of views) if (!here.has(job)) short.delete(job)
    if (mine.length === 0) return
    const peers = copies.candidates('')
    const holders = await holdersOf(
      mine.map(({ of }) => of),
      peers,
    )
    for (const { view } of mine) {
      const known = holders.get(view.job) ?? new Set([self])
      if (stopped) return
      if (inCharge(view, known)) await place(view, known)
      else {
        short.delete(view.job)
        counted.delete(view.job)
      }
    }
  }

  /** All jobs are looked at when a peer is gone for good, and once after this peer's own start: one may have gone before. */
  function allDue(nowMs: number): boolean {
    if (absences.lapsed(graceMs).length > 0) all ??= nowMs
    if (all === undefined || nowMs - beganMs < graceMs) return false
    return !absences.pending(graceMs) || nowMs - all > patience * graceMs
  }

  async function tick(): Promise<void> {
    const nowMs = performance.now()
    if (working || stopped) return
    const everything = allDue(nowMs)
    if (nowMs >= againMs) for (const job of short.keys()) due.add(job)
    if (!everything && due.size === 0) return
    working = true
    const jobs = new Set(due)
    due.clear()
    if (everything) all = undefined
    againMs = Number.POSITIVE_INFINITY
    try {
      await work(deps.views().filter(({ job }) => everything || jobs.has(job)))
    } catch {
      // Somebody who is connected did not answer: asked again.
      if (everything) all = nowMs
      for (const job of jobs) short.set(job, true)
    }
    const refused = [...short.values()].some(each => each)
    if (refused) againMs = performance.now() + restMs
    restMs = refused ? Math.min(2 * restMs, restMsMax) : Math.min(restMsMin, graceMs)
    working = false
  }

  return {
    look(job) {
      due.add(job)
      void tick()
    },
    arrived() {
      if (short.size > 0) againMs = 0
      restMs = Math.min(restMsMin, graceMs)
    },
    of: job => counted.get(job),
    forget(job) {
      due.delete(job)
      short.delete(job)
      counted.delete(job)
    },
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
