/** Follows a job to its end, and says how it ended. */
import { PeerError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import type { Control, JobSummary, PeerView } from '../peer/control.ts'
import { live } from './live.ts'

/** Shows progress until the job ends; undefined when `signal` stopped the watching first. */
export async function follow(control: Control, job: string, signal: AbortSignal): Promise<JobSummary | undefined> {
  const view = live()
  let last: JobSummary | undefined
  let movedMs = performance.now()
  let waits: string | undefined
  const timer = setInterval(async () => {
    if (!last || last.outcome || performance.now() - movedMs < stillMs) return
    waits = waitsFor(await control.peers().catch(() => []))
    view.update(last, waits)
  }, stillMs)
  try {
    for await (const summary of control.watch(job, signal)) {
      if (summary.itemsDone !== last?.itemsDone || summary.round !== last.round || summary.phase !== last.phase) {
        movedMs = performance.now()
        waits = undefined
      }
      last = summary
      view.update(summary, waits)
    }
  } finally {
    clearInterval(timer)
    view.stop()
  }
  return last?.outcome ? last : undefined
}

/** Without progress for so long, a person is told why. */
const stillMs = 5_000

/** What keeps a job from going on, as far as the peers say; undefined where none of them says anything. */
export function waitsFor(peers: readonly PeerView[]): string | undefined {
  const there = peers.filter(peer => peer.connected || peer.self)
  const hindered = there.find(peer => peer.paused !== undefined) ?? there.find(peer => peer.trouble !== undefined)
  if (hindered)
    return `${hindered.name} ${hindered.paused === undefined ? hindered.trouble : `is paused: ${hindered.paused}`}`
  return there.every(peer => peer.slots === 0) ? 'no peer that is there computes: start one' : undefined
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
