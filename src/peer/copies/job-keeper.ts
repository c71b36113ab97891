/**
 * What a job leaves behind. When it is over, its inputs and intermediate results are freed here; the merged result stays
 * with the leader, who wrote it, and with the submitter, who brings it home, or with another peer in its stead. After a
 * restart what each job needs is held again before anything is swept.
 */
import { PeerError } from '../../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import type { JobOutcome, JobView } from '../../jobs/core/types.ts'
import { resultTotals } from '../../jobs/workloads/result-parts.ts'
import { workloads } from '../../jobs/workloads/workloads.ts'
import type { BlockExchange } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { JobBook, JobRecord } from '../driver/job-book.ts'
import type { KeptJob } from '../driver/journal.ts'
import { keepResult, resultHere } from '../results.ts'
import type { Copies } from './copies.ts'
import type { Recopy } from './recopy.ts'

export interface KeeperDeps {
  self: PeerKey
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
  copies: Copies
  recopy: Recopy
  connected: (peer: PeerKey) => boolean
  /** This peer, or who it was before its identity was lost. */
  isSelf: (peer: PeerKey) => boolean
  /** Whether a block is here, by the store's own list. */
  has: (block: BlockId) => boolean
  view: (job: JobId) => JobView | undefined
  changed: (job: JobId) => void
  /** The job was given up meanwhile: its result is not wanted. */
  dropped: (job: JobId) => boolean
}

export interface JobTotals {
  items: number
  errors: number
}

export interface JobKeeper {
  ended(job: JobId, outcome: JobOutcome): Promise<void>
  /** What a finished job came to, where this peer was away when that was said; from the result itself. */
  totals(job: JobId): JobTotals | undefined
  forget(job: JobId): void
  /** The job is over and what it needed is freed: what is held for it from now on stays. */
  settledOf(job: JobId): boolean
  /** Holds again what a job needs that was kept over a restart. */
  restore(kept: KeptJob): Promise<void>
  /** Jobs whose results were to be here and are not whole. */
  readonly broken: readonly JobId[]
  /** Resolves once what ended jobs leave to do is done; what has to be waited for is given up. */
  settled(): Promise<void>
}

/** A submitter that cannot reach the result tries again after this long. */
const bringAgainMs = 5_000
/** What is under way when the peer stops is given so long. */
const graceMs = 1_000

export function createJobKeeper(deps: KeeperDeps): JobKeeper {
  const { self, exchange, holds, book, recopy } = deps
  const over = new Set<JobId>()
  const pending = new Set<Promise<void>>()
  const broken: JobId[] = []
  const totals = new Map<JobId, JobTotals>()
  let stopped = false
  const stopping = new AbortController()

  /** Brings the result to the submitter; false when nobody who has it can be reached. */
  async function bringHome(job: JobId, result: BlockId, leader: PeerKey): Promise<boolean> {
    try {
      await keepResult(exchange, result, [leader], block => holds.hold(job, block), stopping.signal)
      return true
    } catch {
      return false
    }
  }

  /** Until it is here, dropped, or forgotten. */
  async function bringLater(job: JobId, result: BlockId, leader: PeerKey): Promise<void> {
    const wanted = () => !stopped && !deps.dropped(job) && book.get(job) !== undefined
    do await new Promise(resolve => setTimeout(resolve, bringAgainMs).unref())
    while (wanted() && !(await bringHome(job, result, leader)))
    if (wanted()) recopy.look(job)
  }

  /** A peer that was away at the end has heard that the job is over, and not what it came to. */
  async function learnTotals(job: JobId, { result, ballot }: JobOutcome, owner?: PeerKey): Promise<void> {
    const view = deps.view(job)
    if (!result || (view?.complete && view.itemsTotal > 0)) return
    try {
      await holds.use(job, result)
      const holders = owner === undefined ? [ballot.peer] : [ballot.peer, owner]
      const root = await exchange.get(result, holders, stopping.signal)
      const found = resultTotals(root)
      if (found) totals.set(job, found)
      deps.changed(job)
    } catch {
      // Nobody who has it is there: the totals stay what this peer last heard.
    }
  }

  async function end(job: JobId, outcome: JobOutcome): Promise<void> {
    const { result, ballot } = outcome
    const owner = book.get(job)?.spec.submitter
    let kept: BlockId[] = []
    if (result && ballot.peer === self) kept = await resultHere(exchange, result)
    const home = result !== undefined && owner === self && kept.length === 0
    const brought = home && (await bringHome(job, result, ballot.peer))
    if (brought) kept = await resultHere(exchange, result)
    book.close(job)
    // The spec stays as long as the job is remembered: it says what the job was.
    await holds.release(job, [job, ...kept])
    over.add(job)
    if (home && !brought) void bringLater(job, result, ballot.peer)
    // The leader's copy is one, the submitter's the other: without one of these another peer has it.
    await learnTotals(job, outcome, owner)
    if (kept.length > 0) recopy.look(job)
  }

  async function holdInputs(job: JobId, record: JobRecord): Promise<void> {
    const mine = record.spec.submitter === self
    const note = mine ? holds.hold : holds.use
    for (const shard of record.shards) for (const block of shard.blocks) await note(job, block)
    for (const file of (await workloads(record.spec.workload)).files(record.spec.body)) {
      for (const block of file.blocks) await note(job, block)
    }
  }

  async function restoreEnded({ job, kept }: KeptJob, outcome: JobOutcome): Promise<void> {
    const led = deps.isSelf(outcome.ballot.peer)
    const owned = kept.owner !== undefined && deps.isSelf(kept.owner)
    if (!(led || owned) || !outcome.result) return
    const blocks = await resultHere(exchange, outcome.result).catch((): BlockId[] => [])
    for (const block of blocks) await holds.hold(job, block)
    if (blocks.length > 0 && blocks.every(deps.has)) return
    // An owner may not have it yet: it was away at the end.
    if (led || blocks.length > 0) broken.push(job)
    if (owned && !led) void bringLater(job, outcome.result, outcome.ballot.peer)
  }

  return {
    broken,
    totals: job => totals.get(job),
    forget(job) {
      totals.delete(job)
      over.delete(job)
    },
    settledOf: job => over.has(job),
    ended(job, outcome) {
      const work = end(job, outcome)
      pending.add(work)
      return work.finally(() => pending.delete(work))
    },
    async restore(keptJob) {
      const { job, kept, results, copies, dropped } = keptJob
      if (dropped) return
      const record = await book.restore(job, kept.outcome ? { count: 0 } : kept.known)
      if (record) await deps.copies.restore(job, record, copies)
      if (kept.outcome) {
        over.add(job)
        await restoreEnded(keptJob, kept.outcome)
        const here = kept.outcome.result && (await exchange.local(kept.outcome.result))
        const found = here && !kept.seen?.complete ? resultTotals(here) : undefined
        if (found) totals.set(job, found)
        if (here && kept.outcome.result) await holds.use(job, kept.outcome.result)
        return
      }
      for (const { block } of results) await holds.hold(job, block)
      if (kept.round?.params !== undefined) await holds.hold(job, kept.round.params)
      try {
        if (record) await holdInputs(job, record)
      } catch (thrown) {
        if (!(thrown instanceof PeerError)) throw thrown // a workload of another version: nothing of it runs here
      }
    },
    async settled() {
      stopped = true
      // A result that is on its way may arrive; a peer that is away is not waited for.
      const late = setTimeout(() => stopping.abort(), graceMs)
      await Promise.allSettled(pending)
      clearTimeout(late)
    },
  }
}
