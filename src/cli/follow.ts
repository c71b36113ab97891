/** Follows a job to its end, and says how it ended. */
import { PeerError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import type { Control, JobSummary } from '../peer/control.ts'
import { live } from './live.ts'

/** Shows progress until the job ends; undefined when `signal` stopped the watching first. */
export async function follow(control: Control, job: string, signal: AbortSignal): Promise<JobSummary | undefined> {
  const view = live()
  let last: JobSummary | undefined
  try {
    for await (const summary of control.watch(job, signal)) {
      last = summary
      view.update(summary)
    }
  } finally {
    view.stop()
  }
  return last?.outcome ? last : undefined
}

/** Throws for a job that did not reach its result. */
export function requireFinal(job: JobSummary): void {
  if (job.phase === 'failed') {
    throw new PeerError({
      code: 'JOB_FAILED',
      kind: 'protocol',
      message: `job ${shortId(job.job)} failed: ${job.outcome?.reason ?? 'no reason given'}`,
    })
  }
  if (job.phase === 'cancelled')
    throw new PeerError({ code: 'JOB_CANCELLED', kind: 'aborted', message: `job ${shortId(job.job)} was cancelled` })
}
