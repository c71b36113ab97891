/**
 * Writes the newest state of this peer's trainings into the files that their submitters named. One write at a time a job;
 * what comes meanwhile waits, the newest alone. A file under its name is whole.
 */
import type { BlockId, JobId } from '../base/ids.ts'
import { openDraft } from '../data/writers/draft.ts'
import { encodeCheckpoint } from '../jobs/workloads/train/checkpoint.ts'
import type { JobBook } from './driver/job-book.ts'

export interface Checkpoints {
  /** From now on the job's state goes to this file. */
  begin(job: JobId, file: string): void
  /** The parameters of the job's newest round are here. */
  note(job: JobId, parameters: BlockId): void
  /** The job is over; what was noted is still written. */
  end(job: JobId): void
}

interface Writing {
  file: string
  /** The newest that is not written. */
  next?: BlockId
  busy: boolean
}

export function createCheckpoints(
  book: JobBook,
  local: (block: BlockId) => Promise<Uint8Array | undefined>,
  warning: (line: string) => void,
): Checkpoints {
  const jobs = new Map<JobId, Writing>()

  async function write(job: JobId, file: string, block: BlockId): Promise<void> {
    const spec = book.get(job)?.spec
    const state = await local(block)
    // A later round's may have taken its place.
    if (!spec || !state) return
    const draft = await openDraft(file)
    try {
      await draft.write(encodeCheckpoint(spec.body, state))
      await draft.close()
    } catch (thrown) {
      await draft.abort()
      throw thrown
    }
  }

  async function pump(job: JobId, writing: Writing): Promise<void> {
    writing.busy = true
    while (writing.next !== undefined) {
      const block = writing.next
      writing.next = undefined
      await write(job, writing.file, block).catch((thrown: unknown) =>
        warning(`no checkpoint: ${thrown instanceof Error ? thrown.message : String(thrown)}`),
      )
    }
    writing.busy = false
  }

  return {
    begin: (job, file) => void jobs.set(job, { file, busy: false }),
    note(job, parameters) {
      const writing = jobs.get(job)
      if (!writing) return
      writing.next = parameters
      if (!writing.busy) void pump(job, writing)
    },
    end: job => void jobs.delete(job),
  }
}
