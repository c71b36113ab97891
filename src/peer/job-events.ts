/** Tells when jobs begin and end: one event each, in that order, of every job that this peer hears of. */
import type { JobId } from '../base/ids.ts'
import type { JobOutcome, JobView } from '../jobs/core/types.ts'
import type { JobSummary } from './control.ts'
import type { EventBus, JobEnd, JobFacts } from './events.ts'

export interface JobEvents {
  /** The job's view changed. */
  changed(job: JobId): void
  ended(job: JobId, outcome: JobOutcome): void
  /** A shard that this peer held is no longer its own. */
  returned(job: JobId): void
  forgotten(job: JobId): void
  stop(): void
}

export interface JobEventsDeps {
  emit: EventBus['emit']
  view: (job: JobId) => JobView | undefined
  /** Resolves once it is known what the job is, or cannot be known soon. */
  learn: (view: JobView) => Promise<void>
  summary: (view: JobView) => JobSummary
  /** Jobs that an earlier run of this peer knew of. */
  kept: ReadonlySet<JobId>
}

/** Shards that go within this time are one event. */
const returnedMs = 500

export function createJobEvents({ emit, view, learn, summary, kept }: JobEventsDeps): JobEvents {
  /** Jobs whose beginning was told; what comes later of a job waits for it. */
  const told = new Map<JobId, Promise<void>>()
  const over = new Set<JobId>()
  const returned = new Map<JobId, number>()
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  async function begin(seen: JobView): Promise<void> {
    await learn(seen)
    const now = view(seen.job)
    if (now && !stopped) emit({ type: 'job-begun', resumed: kept.has(seen.job), ...factsOf(summary(now)) })
  }

  async function end(job: JobId, outcome: JobOutcome): Promise<void> {
    await told.get(job)
    // The last shares come with the outcome: by now the job's view has them.
    const last = view(job)
    if (!last || stopped) return
    const facts = endOf(summary(last))
    if (outcome.phase === 'final') emit({ type: 'job-done', ...facts })
    else if (outcome.phase === 'cancelled') emit({ type: 'job-cancelled', ...facts })
    else emit({ type: 'job-failed', ...facts, reason: outcome.reason ?? 'unknown reason' })
  }

  function flush(): void {
    timer = undefined
    for (const [job, shards] of returned) {
      // The rest of a job that is over is nobody's.
      if (!stopped && !over.has(job)) emit({ type: 'shards-returned', job, shards })
    }
    returned.clear()
  }

  return {
    changed(job) {
      if (told.has(job) || over.has(job)) return
      const seen = view(job)
      if (!seen) return
      if (seen.outcome && kept.has(job)) over.add(job)
      else told.set(job, begin(seen))
    },
    ended(job, outcome) {
      if (over.has(job)) return
      over.add(job)
      void end(job, outcome)
    },
    returned(job) {
      returned.set(job, (returned.get(job) ?? 0) + 1)
      timer ??= setTimeout(flush, returnedMs)
    },
    forgotten(job) {
      told.delete(job)
      over.delete(job)
      returned.delete(job)
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

function factsOf({ job, workload, owner, ownerName }: JobSummary): JobFacts {
  return { job, workload, owner, ownerName }
}

function endOf(summary: JobSummary): JobEnd {
  const by = summary.shares
    .filter(({ itemsDone }) => itemsDone > 0)
    .sort((a, b) => b.itemsDone - a.itemsDone)
    .map(({ peer, name, itemsDone }) => ({ peer, name, items: itemsDone }))
  const { itemsDone, errors, elapsedMs } = summary
  return { ...factsOf(summary), items: itemsDone, errors, elapsedMs: Math.round(elapsedMs), by }
}
