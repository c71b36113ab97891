/** What the newest round of each training came to, for those who watch it: read from the round's parameters, which are here. */
import type { BlockId, JobId } from '../base/ids.ts'
import { lastObjective } from '../jobs/workloads/train/state.ts'
import type { JobBook } from './driver/job-book.ts'

export interface Objectives {
  /** The parameters of a job's newest round are here. */
  note(job: JobId, parameters: BlockId): void
  of(job: JobId): { name: string; value: number } | undefined
  forget(job: JobId): void
}

export function createObjectives(
  book: JobBook,
  local: (block: BlockId) => Promise<Uint8Array | undefined>,
  changed: (job: JobId) => void,
): Objectives {
  const known = new Map<JobId, { name: string; value: number }>()
  return {
    note(job, parameters) {
      const spec = book.get(job)?.spec
      if (spec?.workload !== 'train') return
      local(parameters).then(
        bytes => {
          const objective = bytes && lastObjective(spec.body, bytes)
          if (!objective) return
          known.set(job, objective)
          changed(job)
        },
        () => {}, // it is a line for people, and comes again with the next round
      )
    },
    of: job => known.get(job),
    forget: job => void known.delete(job),
  }
}
