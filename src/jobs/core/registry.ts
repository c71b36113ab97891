/** The jobs that a peer keeps in mind: at most `limits.jobsMax`, of which ended ones make room for new ones. */
import type { JobId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { type Job, newJob, type Turn } from './state.ts'

/** The job's record, made if it is new; undefined when there is no room because every job kept still runs. */
export function ensureJob(turn: Turn, id: JobId, owner?: PeerKey): Job | undefined {
  const { jobs } = turn.state
  const known = jobs.get(id)
  if (known) {
    known.owner ??= owner
    return known
  }
  if (jobs.size >= limits.jobsMax) {
    let oldest: Job | undefined
    for (const job of jobs.values()) {
      if (job.outcome && (!oldest || job.endedMs < oldest.endedMs)) oldest = job
    }
    if (!oldest) return undefined
    forget(turn, oldest)
  }
  const job = newJob(id, turn.state, owner)
  jobs.set(id, job)
  turn.changed.add(id)
  return job
}

/** The record of a job that is known and not over. */
export function runningJob(turn: Turn, id: JobId): Job | undefined {
  const job = turn.state.jobs.get(id)
  return job?.outcome ? undefined : job
}

/** Forgets what needs no memory: ended jobs after `rememberMs`, and rumours that nobody could ever confirm. */
export function forgetOld(turn: Turn): void {
  for (const job of turn.state.jobs.values()) {
    const stale = job.outcome
      ? (turn.state.clockMs ?? 0) - job.endedMs > turn.config.rememberMs
      : !job.specKnown && job.held.size === 0 && turn.nowMs - job.heardMs > turn.config.ownerGraceMs
    if (stale) forget(turn, job)
  }
}

function forget(turn: Turn, job: Job): void {
  turn.state.jobs.delete(job.id)
  if (job.kept) turn.effects.push({ type: 'forget', job: job.id, record: true })
}
