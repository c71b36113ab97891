/** `Control` over a peer in this process: what the socket's server and a submitter without a daemon call. */
import { PeerError } from '../base/errors.ts'
import type { JobId } from '../base/ids.ts'
import type { JobView } from '../jobs/core/types.ts'
import type { Mesh, PeerStatus } from '../mesh/types.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { Control, JobSummary, PeerView } from './control.ts'
import type { Driver } from './driver.ts'
import type { Home } from './home.ts'
import type { JobBook } from './job-book.ts'
import type { LanePool } from './lanes/pool.ts'
import type { Progress } from './progress.ts'
import { readResult } from './results.ts'
import type { Submissions } from './submission.ts'
import { version } from './version.ts'

export interface ControlDeps {
  home: Home
  mesh: Mesh
  driver: Driver
  exchange: BlockExchange
  book: JobBook
  submissions: Submissions
  progress: Progress
  pool: LanePool
  status: () => PeerStatus
  warnings: readonly string[]
}

export interface LocalControl {
  api: Control
  /** A job's view changed: wakes its watchers. */
  changed(job: JobId): void
  stop(): void
}

/** Watchers are told at most this often, and at least every second, so that rates and ETAs stay fresh. */
const watchMs = 100
const watchIdleMs = 1000

export function createControl(deps: ControlDeps): LocalControl {
  const { mesh, driver, home } = deps
  const wakers = new Map<JobId, Set<() => void>>()
  let stopped = false

  function summary(view: JobView): JobSummary {
    return deps.progress.summary(view, deps.book.get(view.job)?.spec.workload ?? 'classify')
  }

  function find(id: string): JobView {
    const matches = driver.views().filter(view => view.job.startsWith(id.toLowerCase()))
    if (matches.length === 1) return matches[0]
    throw matches.length > 1
      ? new PeerError({
          code: 'JOB_AMBIGUOUS',
          kind: 'input',
          message: `${matches.length} jobs begin with ${id}: give more of the id`,
        })
      : new PeerError({ code: 'JOB_UNKNOWN', kind: 'input', message: `no job begins with ${id}; peer jobs lists them` })
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

  const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

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
        token: home.token(mesh.addresses()),
        warnings: [...deps.warnings],
      }
    },

    async peers() {
      const self: PeerView = {
        peer: mesh.self,
        ...deps.status(),
        connected: true,
        lastHeardMs: 0,
        addresses: mesh.addresses(),
        self: true,
      }
      const others = mesh.peers().map(record => ({
        peer: record.peer,
        ...record.status,
        connected: record.connected,
        lastHeardMs: record.lastHeardMs,
        addresses: record.addresses,
        self: false,
      }))
      return [self, ...others]
    },

    async jobs() {
      return driver.views().map(summary)
    },

    async job(id) {
      return summary(find(id))
    },

    submit: request => deps.submissions.submit(request),

    async *watch(id, signal) {
      const { job } = find(id)
      while (!stopped && !signal?.aborted) {
        const view = driver.view(job)
        if (!view) return
        yield summary(view)
        if (view.outcome) return
        await nextChange(job, watchIdleMs, signal)
        await pause(watchMs)
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
      yield* readResult(deps.exchange, view.job, outcome.result, [outcome.ballot.peer, view.owner])
    },

    async cancel(id) {
      const view = find(id)
      if (view.owner !== mesh.self) {
        const owner = mesh.peers().find(record => record.peer === view.owner)?.status.name ?? view.owner
        throw new PeerError({
          code: 'NOT_OWNER',
          kind: 'input',
          message: `only the peer that submitted a job cancels it: run peer cancel ${id} on ${owner}`,
        })
      }
      driver.dispatch({ type: 'cancel', job: view.job })
      return summary(find(view.job))
    },
  }

  return {
    api,
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
