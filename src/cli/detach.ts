/**
 * Submitting without waiting: returns once the job can do without this machine, that is once another peer leads it and as
 * many peers as wanted hold its inputs. A peer that stays counts as one of them; one that was started for the command
 * alone does not, for it leaves.
 */
import pc from 'picocolors'
import { PeerError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import type { Control, JobSummary } from '../peer/control.ts'
import { count } from './format.ts'

/** Copies that a job's inputs have unless told otherwise, where there are so many peers. */
export const copiesUsual = 2

/** How many other peers are to hold the inputs. */
export function otherCopies(copies: number, temporary: boolean): number {
  return temporary ? copies : copies - 1
}

const say = (line: string) => process.stderr.write(`  ${line}\n`)
const quietMs = 2000

/** Resolves when the submitter may leave. Throws INTERRUPTED when `signal` aborts first, JOB_FAILED when the job fails. */
export async function untilSafe(
  control: Control,
  job: string,
  temporary: boolean,
  signal: AbortSignal,
): Promise<JobSummary> {
  const { peer } = await control.info()
  let toldMs = performance.now()
  let last: JobSummary | undefined
  for await (const summary of control.watch(job, signal)) {
    last = summary
    // A peer that stays, with nobody beside it, has all that there is to have.
    if (!temporary && !(await othersThere(control))) break
    if (isSafe(summary, temporary ? peer : undefined) || summary.outcome) break
    if (performance.now() - toldMs < quietMs) continue
    toldMs = performance.now()
    say(pc.dim(`${count(summary.itemsTotal)} inputs read, with ${placed(summary)}`))
  }
  if (!last || signal.aborted) throw interrupted(job, temporary)
  return last
}

const othersThere = async (control: Control) => (await control.peers()).some(one => !one.self && one.connected)

/** Without copies asked for, or without others to hold them, the running peer holds everything itself. */
function isSafe(summary: JobSummary, leaving: string | undefined): boolean {
  if (leaving === undefined && !summary.copies) return true
  return summary.complete && summary.copies?.safe === true && summary.leader !== leaving
}

export function placed({ copies }: JobSummary): string {
  const others = copies?.placed ?? 0
  return others === 1 ? '1 other peer' : `${others} other peers`
}

function interrupted(job: string, temporary: boolean): PeerError {
  return new PeerError({
    code: 'INTERRUPTED',
    kind: 'aborted',
    message: temporary
      ? 'stopped before another peer held all inputs, and the job with it'
      : `job ${shortId(job)} goes on, but needs this peer until others hold its inputs: peer jobs shows it`,
  })
}

/** The error of a peer that would leave with nobody to take over. */
export function nobodyElse(): PeerError {
  return new PeerError({
    code: 'NO_PEER',
    kind: 'resource',
    message:
      '--detach needs another peer to hand the job to, and none was found: start one with peer start, here or on another machine',
  })
}
