/** `Control` over a peer in this process: what the socket's server and a submitter without a daemon call. */
import { PeerError } from '../base/errors.ts'
import type { JobId } from '../base/ids.ts'
import type { JobView } from '../jobs/core/types.ts'
import type { JobSpec } from '../jobs/wire/spec.ts'
import type { Mesh, PeerStatus } from '../mesh/types.ts'
import type { BlockExchange } from './blocks/block-exchange.ts'
import type { BlockHolds } from './blocks/block-holds.ts'
import { type Control, type JobCopies, type JobSummary, type PeerView, unknownKind } from './control.ts'
import type { Drops } from './copies/drops.ts'
import type { Garbage } from './copies/garbage.ts'
import type { JobKeeper } from './copies/job-keeper.ts'
import type { Recopy } from './copies/recopy.ts'
import type { Spread } from './copies/spread.ts'
import type { Driver } from './driver/driver.ts'
import type { JobBook } from './driver/job-book.ts'
import type { Home } from './home.ts'
import type { JobKinds } from './job-kinds.ts'
import type { LanePool } from './lanes/pool.ts'
import type { Objectives } from './objectives.ts'
import type { Progress } from './progress.ts'
import { readResult } from './results.ts'
import type { Submissions } from './submission.ts'
import { tokenNote } from './token-note.ts'
import { version } from './version.ts'

export interface ControlDeps {
  home: Home
  /** This peer, or who it was before its identity was lost. */
  isSelf: (peer: string) => boolean
  mesh: Mesh
  driver: Driver
  exchange: BlockExchange
  holds: BlockHolds
  drops: Drops
  garbage: Garbage
  spread: Spread
  recopy: Recopy
  keeper: JobKeeper
  book: JobBook
  submissions: Submissions
  progress: Progress
  objectives: Objectives
  kinds: JobKinds
  pool: LanePool
  status: () => PeerStatus
  /** Where the log is written, if it is. */
  logFile?: string
  warnings: readonly string[]
}

export interface LocalControl {
  api: Control
  /** A job's view changed: wakes its watchers. */
  changed(job: JobId): void
  summary(view: JobView): JobSummary
  stop(): void
}

const titled = (spec: JobSpec | undefined) => spec && { title: spec.title, createdMs: spec.createdMs }

/** Watchers are told at most this often, and at least every second, so that rates and ETAs stay fresh. */
const watchMs = 100
const watchIdleMs = 1000
const sizeMs = 2000

export function createControl(deps: ControlDeps): LocalControl {
  const { mesh, driver, home } = deps
  const wakers = new Map<JobId, Set<() => void>>()
  const sizes = new Map<JobId, { atMs: number; bytes: number }>()
  const startedMs = Date.now()
  let stopped = false

  function copiesOf(job: JobId): JobCopies | undefined {
    const spreading = deps.spread.of(job)
    const counted = deps.recopy.of(job)
    // This peer is not the owner, or the job has its result: report the copies that this peer maintains.
    if (!spreading) return counted && { ...counted, safe: counted.placed >= counted.wanted }
    const others = mesh.peers().filter(record => record.connected).length
    const enough = spreading.placed > 0 && spreading.placed >= Math.min(spreading.wanted, others)
    const led = driver.view(job)?.leader === mesh.self || driver.ledElsewhere(job)
    return { ...spreading, safe: enough && led }
  }

  /** Iterates over all blocks of the job, so it looks only now and then while the job runs. */
  function keptBytes(view: JobView): number {
    const last = sizes.get(view.job)
    if (last && !view.outcome && performance.now() - last.atMs < sizeMs) return last.bytes
    const bytes = deps.holds.bytes(view.job).all
    if (view.outcome) sizes.delete(view.job)
    else sizes.set(view.job, { atMs: performance.now(), bytes })
    return bytes
  }

  function totalsOf(view: JobView): Partial<JobSummary> {
    const totals = view.outcome?.phase === 'final' ? deps.keeper.totals(view.job) : undefined
    return totals ? { itemsDone: totals.items, itemsTotal: totals.items, errors: totals.errors, complete: true } : {}
  }

  function summary(view: JobView): JobSummary {
    return {
      ...deps.progress.summary(view, deps.kinds.of(view.job) ?? unknownKind),
      ...titled(deps.book.get(view.job)?.spec),
      objective: deps.objectives.of(view.job),
      skipped: deps.submissions.skipped(view.job),
      passedOver: deps.submissions.passedOver(view.job),
      ...totalsOf(view),
      keptBytes: keptBytes(view),
      copies: copiesOf(view.job),
    }
  }

  const shown = () => driver.views().filter(view => !deps.drops.has(view.job))

  function find(id: string): JobView {
    if (id.trim() === '') {
      const message = 'the id of the job is empty; peer jobs lists them'
      throw new PeerError({ code: 'JOB_UNKNOWN', kind: 'input', message })
    }
    const matches = shown().filter(view => view.job.startsWith(id.toLowerCase()))
    if (matches.length === 1) return matches[0]
    throw matches.length > 1
      ? new PeerError({
          code: 'JOB_AMBIGUOUS',
          kind: 'input',
          message: `${matches.length} jobs begin with ${id}: give more of the id`,
        })
      : new PeerError({ code: 'JOB_UNKNOWN', kind: 'input', message: `no job begins with ${id}; peer jobs lists them` })
  }

  /** The job, if it is this peer's own. */
  function own(id: string, verb: 'cancel' | 'drop'): JobView {
    const view = find(id)
    if (view.owner === mesh.self) return view
    const owner = mesh.peers().find(record => record.peer === view.owner)?.status.name ?? view.owner
    throw new PeerError({
      code: 'NOT_OWNER',
      kind: 'input',
      message: `only the peer that submitted a job ${verb === 'drop' ? 'drops' : 'cancels'} it: run peer ${verb} ${id} on ${owner}`,
    })
  }

  /** Resolves when the job changes, when `ms` are over, or when `signal` aborts. */
  function nextChange(job: JobId, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        clearTimeout(timer)
        wakers.get(job)?.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      const set = wakers.get(job) ?? new Set()
      wakers.set(job, set.add(wake))
      signal?.addEventListener('abort', wake)
    })
  }

  const api: Control = {
    async info() {
      return {
        peer: mesh.self,
        name: deps.status().name,
        mesh: home.meshName,
        version,
        data: home.folder,
        device: deps.status().device,
        lanes: deps.pool.lanes(),
        addresses: mesh.addresses(),
        listening: mesh.listening(),
        token: home.token(mesh.addresses()),
        tokenNote: tokenNote(mesh.addresses()),
        discovery: mesh.discovery(),
        warnings: [...deps.warnings],
        pid: process.pid,
        startedMs,
        paused: deps.status().paused,
        trouble: deps.status().trouble,
        logFile: deps.logFile,
      }
    },

    reachability: () => mesh.reachability(),

    async peers() {
      const self: PeerView = {
        peer: mesh.self,
        ...deps.status(),
        connected: true,
        lastHeardMs: 0,
        offences: 0,
        refusedMs: 0,
        addresses: mesh.addresses(),
        self: true,
      }
      const others = mesh.peers().map(record => ({
        peer: record.peer,
        ...record.status,
        connected: record.connected,
        lastHeardMs: record.lastHeardMs,
        offences: record.offences,
        refusedMs: record.refusedMs,
        addresses: record.addresses,
        self: false,
      }))
      return [self, ...others]
    },

    async jobs() {
      await deps.kinds.learn(shown())
      return shown().map(summary)
    },

    async job(id) {
      await deps.kinds.learn([find(id)])
      return summary(find(id))
    },

    submit: (request, signal) => deps.submissions.submit(request, signal),

    async *watch(id, signal) {
      const { job } = find(id)
      await deps.kinds.learn([find(id)])
      while (!stopped && !signal?.aborted) {
        const view = driver.view(job)
        if (!view) return
        yield summary(view)
        if (view.outcome) return
        const dueMs = performance.now() + watchMs
        // The end is told at once, also one that came while the last state was looked at.
        const over = () => stopped || signal?.aborted || driver.view(job)?.outcome !== undefined
        if (!over()) await nextChange(job, watchIdleMs, signal)
        for (let leftMs = dueMs - performance.now(); leftMs > 0 && !over(); leftMs = dueMs - performance.now()) {
          await nextChange(job, leftMs, signal)
        }
      }
    },

    async *results(id) {
      const view = find(id)
      const { outcome } = view
      if (outcome?.phase !== 'final' || !outcome.result) {
        throw new PeerError({
          code: 'JOB_NOT_FINAL',
          kind: 'input',
          message: outcome
            ? `job ${id} ${outcome.phase === 'cancelled' ? 'was cancelled' : `failed: ${outcome.reason}`}; it has no result`
            : `job ${id} is still running; peer watch ${id} shows it`,
          details: { phase: view.phase },
        })
      }
      // What is fetched here is freed with the job.
      const get: BlockExchange['get'] = async (block, holders) => {
        await deps.holds.use(view.job, block)
        return deps.exchange.get(block, holders)
      }
      yield* readResult({
        exchange: { ...deps.exchange, get },
        job: view.job,
        result: outcome.result,
        holders: [outcome.ballot.peer, view.owner].filter(peer => !deps.isSelf(peer)),
      })
    },

    async cancel(id) {
      const view = own(id, 'cancel')
      driver.dispatch({ type: 'cancel', job: view.job })
      return summary(find(view.job))
    },

    async drop(id) {
      const view = own(id, 'drop')
      if (!view.outcome) {
        throw new PeerError({
          code: 'JOB_RUNNING',
          kind: 'input',
          message: `job ${id} is still running: peer cancel ${id} ends it, then it can be dropped`,
        })
      }
      const before = summary(view)
      await deps.drops.drop([view.job])
      deps.drops.tell()
      return before
    },

    gc: request => deps.garbage.collect(request),
  }

  return {
    api,
    summary,
    changed(job) {
      const set = wakers.get(job)
      if (!set) return
      for (const wake of [...set]) wake()
      if (set.size === 0) wakers.delete(job)
    },
    stop() {
      stopped = true
      for (const set of wakers.values()) for (const wake of [...set]) wake()
    },
  }
}
