/**
 * Sees to it that a job has the copies that it should have: of its inputs while the submitter wants to leave, of its result
 * once it is there. A copy is complete when one peer holds every piece; a peer that fails is left for another, and tried
 * again later. Nothing here is needed for a job to end; it decides who may be switched off meanwhile.
 */
import { PeerError } from '../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import type { JobOutcome, JobView } from '../jobs/core/types.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { Copies } from './copies.ts'
import { blocksOf, type Piece } from './job-blocks.ts'
import type { JobBook, JobRecord } from './job-book.ts'

export interface SpreadDeps {
  copies: Copies
  book: JobBook
  exchange: BlockExchange
  view: (job: JobId) => JobView | undefined
  changed: (job: JobId) => void
}

/** Where the copies of a job's inputs stand, this peer's own aside. */
export interface Spreading {
  wanted: number
  /** Peers that hold everything. */
  placed: number
}

export interface Spread {
  /** Places the inputs of this peer's own job with `wanted` other peers, or with as many as there are. */
  inputs(job: JobId, wanted: number): void
  /** Places the result, which is here, with one other peer besides `holders`. */
  result(job: JobId, outcome: JobOutcome, holders: readonly PeerKey[]): void
  of(job: JobId): Spreading | undefined
  /** The job is over: its inputs are not wanted any more. */
  end(job: JobId): void
  stop(): void
}

/** A peer that could not hold a piece is asked again after this long. */
const restMs = 5_000
const pollMs = 100

class Over extends Error {}

interface Work {
  wanted: number
  done: Set<PeerKey>
  busy: Set<PeerKey>
  resting: Map<PeerKey, number>
}

export function createSpread(deps: SpreadDeps): Spread {
  const { copies, book, exchange } = deps
  const spreading = new Map<JobId, Work>()
  let stopped = false

  const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms).unref())

  async function here(block: BlockId): Promise<Uint8Array> {
    const bytes = await exchange.local(block)
    if (!bytes) throw new Over('what was to be copied is not here any more')
    return bytes
  }

  async function* piecesOf(record: JobRecord, kind: Piece['kind'], block: BlockId): AsyncIterable<Piece> {
    yield* copies.pieces(await blocksOf(record, { kind, block }, here), kind, block)
  }

  /** Every piece of the inputs, as they become known. */
  async function* inputPieces(job: JobId, over: () => boolean): AsyncIterable<Piece> {
    const record = book.get(job)
    if (!record) return
    yield* piecesOf(record, 'files', job)
    for (let index = 0; ; index++) {
      while (index >= record.manifests.length) {
        if (over()) return
        const view = deps.view(job)
        if (!view || view.outcome) throw new Over('the job is over')
        // The view says that all is read only once the last manifest was appended.
        if (view.complete && index >= record.manifests.length) return
        await wait(pollMs)
      }
      yield* piecesOf(record, 'inputs', record.manifests[index])
    }
  }

  async function fill(peer: PeerKey, job: JobId, pieces: AsyncIterable<Piece>, over: () => boolean): Promise<void> {
    for await (const piece of pieces) {
      for (;;) {
        if (stopped || over()) throw new Over('not wanted any more')
        try {
          await copies.ask(peer, job, piece)
          break
        } catch (thrown) {
          // It will hear of the job in a moment.
          if (!(thrown instanceof PeerError) || thrown.code !== 'JOB_UNKNOWN') throw thrown
          await wait(pollMs)
        }
      }
    }
  }

  /** Keeps as many peers filling as copies are missing; resolves when none is, or the copies are not wanted any more. */
  async function run(job: JobId, work: Work, pieces: () => AsyncIterable<Piece>, over: () => boolean): Promise<void> {
    while (!stopped && !over() && work.done.size < work.wanted) {
      const now = performance.now()
      for (const peer of copies.candidates(job)) {
        if (work.done.size + work.busy.size >= work.wanted) break
        if (work.done.has(peer) || work.busy.has(peer) || (work.resting.get(peer) ?? 0) > now) continue
        work.busy.add(peer)
        fill(peer, job, pieces(), over)
          .then(
            () => work.done.add(peer),
            () => work.resting.set(peer, performance.now() + restMs),
          )
          .finally(() => {
            work.busy.delete(peer)
            deps.changed(job)
          })
      }
      await wait(pollMs)
    }
  }

  const newWork = (wanted: number): Work => ({ wanted, done: new Set(), busy: new Set(), resting: new Map() })

  return {
    inputs(job, wanted) {
      if (wanted <= 0 || spreading.has(job)) return
      const work = newWork(wanted)
      spreading.set(job, work)
      const over = () => deps.view(job)?.outcome !== undefined
      void run(job, work, () => inputPieces(job, over), over)
    },
    result(job, { result }, holders) {
      const record = book.get(job)
      if (!record || !result) return
      const work = newWork(1)
      for (const peer of holders) work.resting.set(peer, Number.POSITIVE_INFINITY)
      const over = () => deps.view(job)?.outcome?.result !== result
      void run(job, work, () => piecesOf(record, 'result', result), over)
    },
    of(job) {
      const work = spreading.get(job)
      return work && { wanted: work.wanted, placed: work.done.size }
    },
    end: job => void spreading.delete(job),
    stop() {
      stopped = true
    },
  }
}
