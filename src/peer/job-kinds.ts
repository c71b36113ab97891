/**
 * What each job is, for those who look: a peer that computes nothing of it never fetched its spec. Asked for it is fetched,
 * from the submitter or whoever leads; until one of these is there the kind is unknown, and said to be.
 */
import type { JobId } from '../base/ids.ts'
import type { JobView } from '../jobs/core/types.ts'
import { resultKind } from '../jobs/workloads/result-parts.ts'
import type { BlockExchange } from './blocks/block-exchange.ts'
import type { JobBook } from './driver/job-book.ts'

export interface JobKinds {
  /** As far as it is known here. */
  of(job: JobId): string | undefined
  /** Asks for those that are not known; resolves when all are, or after `kindMs`. */
  learn(views: readonly JobView[]): Promise<void>
  forget(job: JobId): void
}

export interface JobKindsDeps {
  book: JobBook
  exchange: Pick<BlockExchange, 'get' | 'local'>
  /** A job's kind became known. */
  changed: (job: JobId) => void
}

/** A list of jobs waits this long for what they are. */
const kindMs = 2_000
/** Nobody was there who knew: asked again after so long. */
const againMs = 5_000

export function createJobKinds({ book, exchange, changed }: JobKindsDeps): JobKinds {
  const known = new Map<JobId, string>()
  const asking = new Map<JobId, Promise<void>>()
  const askedMs = new Map<JobId, number>()

  const of = (job: JobId) => book.get(job)?.spec.workload ?? known.get(job)

  async function ask({ job, owner, leader, outcome }: JobView): Promise<void> {
    const holders = [...new Set([owner, ...(leader === undefined ? [] : [leader])])]
    for (const from of holders) {
      try {
        await book.readSpec(job, from)
        return changed(job)
      } catch {
        // The next one, or nobody now.
      }
    }
    if (!outcome?.result) return
    try {
      const { workload } = resultKind(await exchange.get(outcome.result, holders))
      if (workload === undefined) return
      known.set(job, workload)
      changed(job)
    } catch {
      // It stays unknown for now.
    }
  }

  function learnOne(view: JobView): Promise<void> | undefined {
    const { job } = view
    if (of(job) !== undefined) return undefined
    const pending = asking.get(job)
    if (pending) return pending
    if (performance.now() - (askedMs.get(job) ?? Number.NEGATIVE_INFINITY) < againMs) return undefined
    askedMs.set(job, performance.now())
    const work = ask(view).finally(() => asking.delete(job))
    asking.set(job, work)
    return work
  }

  return {
    of,
    async learn(views) {
      const work = views.map(learnOne).filter(one => one !== undefined)
      if (work.length === 0) return
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, kindMs)
      })
      await Promise.race([Promise.all(work), late])
      clearTimeout(timer)
    },
    forget(job) {
      known.delete(job)
      askedMs.delete(job)
    },
  }
}
