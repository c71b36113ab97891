/**
 * Sees to it that a job has the copies that it should have: its owner places the inputs while the job runs, and places them
 * anew when a holder was away too long; `recopy.ts` sees to what has no owner any more and to results. A copy is complete
 * when one peer holds every piece; a peer that fails is left for another, and tried again later. Nothing here is needed
 * for a job to end; it decides who may be switched off meanwhile.
 */
import { PeerError } from '../../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import type { JobView, ManifestHead } from '../../jobs/core/types.ts'
import { type BlockExchange, hereOnly } from '../blocks/block-exchange.ts'
import type { JobBook, JobRecord } from '../driver/job-book.ts'
import type { Absences } from './absences.ts'
import type { Copies } from './copies.ts'
import type { Holdings, WholeInputs } from './holdings.ts'
import { blocksOf, chainOf, type Piece } from './job-blocks.ts'

export interface SpreadDeps {
  copies: Copies
  holdings: Holdings
  book: JobBook
  exchange: BlockExchange
  absences: Absences
  view: (job: JobId) => JobView | undefined
  changed: (job: JobId) => void
  /** A holder that was away longer than this counts no more. */
  graceMs: number
}

/** Where the copies of a job's inputs stand, this peer's own aside. */
export interface Spreading {
  wanted: number
  /** Peers that hold everything. */
  placed: number
}

export interface Spread {
  /**
   * Keeps the inputs of this peer's own job with `wanted` other peers, or with as many as there are, until the job is over.
   * `again`: after a restart, when some hold them already.
   */
  inputs(job: JobId, wanted: number, again?: boolean): void
  /** Has `peer` hold the inputs, all of which are here; resolves once it does. Throws what keeps it from that. */
  fillInputs(peer: PeerKey, job: JobId, whole: WholeInputs): Promise<void>
  /** The same for the result of a job that is over. */
  fillResult(peer: PeerKey, job: JobId): Promise<void>
  of(job: JobId): Spreading | undefined
  /** The job is over: its inputs are not wanted any more. */
  end(job: JobId): void
  stop(): void
}

/** A peer that could not hold a piece is asked again after this long. */
const restMs = 5_000
const pollMs = 100
/** One that has not heard of the job after this long, or has not ended it, is stuck: another peer is asked. */
const unknownMsMax = 15_000

class Over extends Error {}

interface Work {
  wanted: number
  done: Set<PeerKey>
  busy: Set<PeerKey>
  resting: Map<PeerKey, number>
  /** Some peers may hold everything already: they are asked first. */
  ask: boolean
}

export function createSpread(deps: SpreadDeps): Spread {
  const { copies, holdings, book, exchange, absences } = deps
  const spreading = new Map<JobId, Work>()
  let stopped = false

  const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms).unref())

  const here = hereOnly(exchange, () => new Over('what was to be copied is not here any more'))

  async function* piecesOf(record: JobRecord, kind: Piece['kind'], block: BlockId): AsyncIterable<Piece> {
    yield* copies.pieces(await blocksOf(record, { kind, block }, here), kind, block)
  }

  /** Every piece of the inputs, as they become known to their owner. */
  async function* growing(job: JobId, record: JobRecord): AsyncIterable<Piece> {
    yield* piecesOf(record, 'files', job)
    for (let index = 0; ; index++) {
      while (index >= record.manifests.length) {
        const view = deps.view(job)
        if (!view || view.outcome) throw new Over('the job is over')
        // The view says that all is read only once the last manifest was appended.
        if (view.complete && index >= record.manifests.length) return
        await wait(pollMs)
      }
      yield* piecesOf(record, 'inputs', record.manifests[index])
    }
  }

  async function* known(job: JobId, record: JobRecord, manifest: ManifestHead): AsyncIterable<Piece> {
    yield* piecesOf(record, 'files', job)
    for (const block of await chainOf(record, job, manifest, here)) yield* piecesOf(record, 'inputs', block)
  }

  async function fill(peer: PeerKey, job: JobId, pieces: AsyncIterable<Piece>, over: () => boolean): Promise<void> {
    for await (const piece of pieces) {
      const untilMs = performance.now() + unknownMsMax
      for (;;) {
        if (stopped || over()) throw new Over('not wanted any more')
        try {
          await copies.ask(peer, job, piece)
          break
        } catch (thrown) {
          // It will hear of the job in a moment.
          if (!(thrown instanceof PeerError) || thrown.code !== 'JOB_UNKNOWN') throw thrown
          if (performance.now() > untilMs) throw thrown
          await wait(pollMs)
        }
      }
    }
  }

  const isOver = (job: JobId) => deps.view(job)?.outcome !== undefined

  function recordOf(job: JobId): JobRecord {
    const record = book.get(job)
    if (!record) throw new Over('the job is not known here any more')
    return record
  }

  /** The owner's way: pieces go out while the inputs are still being read. */
  async function place(peer: PeerKey, job: JobId, wanted: number): Promise<void> {
    const record = recordOf(job)
    await fill(peer, job, growing(job, record), () => isOver(job))
    const { manifests } = record
    await holdings.tell(peer, job, { wanted, manifest: { count: manifests.length, head: manifests.at(-1) } })
  }

  /** Of the peers that could hold a copy, those first that do. */
  async function candidates(job: JobId, work: Work): Promise<PeerKey[]> {
    const peers = copies.candidates(job)
    if (!work.ask) return peers
    work.ask = false
    const holds = async (peer: PeerKey) =>
      (await holdings.ask(peer, [{ job, kind: 'inputs' }]).catch(() => [false]))[0] === true
    const answers = await Promise.all(peers.map(holds))
    return [...peers.filter((_, at) => answers[at]), ...peers.filter((_, at) => !answers[at])]
  }

  function dropGone(job: JobId, work: Work): void {
    for (const peer of work.done) {
      if (absences.awayMs(peer) < deps.graceMs) continue
      work.done.delete(peer)
      work.ask = true
      deps.changed(job)
    }
  }

  /** Keeps as many peers filling as copies are missing, until the job is over. */
  async function run(job: JobId, work: Work): Promise<void> {
    for (; !stopped && !isOver(job); await wait(pollMs)) {
      dropGone(job, work)
      if (work.done.size + work.busy.size >= work.wanted) continue
      const now = performance.now()
      for (const peer of await candidates(job, work)) {
        if (work.done.size + work.busy.size >= work.wanted) break
        if (work.done.has(peer) || work.busy.has(peer) || (work.resting.get(peer) ?? 0) > now) continue
        work.busy.add(peer)
        place(peer, job, work.wanted)
          .then(
            () => work.done.add(peer),
            () => work.resting.set(peer, performance.now() + restMs),
          )
          .finally(() => {
            work.busy.delete(peer)
            deps.changed(job)
          })
      }
    }
  }

  return {
    inputs(job, wanted, again = false) {
      if (wanted <= 0 || spreading.has(job)) return
      const work: Work = { wanted, done: new Set(), busy: new Set(), resting: new Map(), ask: again }
      spreading.set(job, work)
      holdings.want(job, wanted)
      void run(job, work)
    },
    async fillInputs(peer, job, whole) {
      await fill(peer, job, known(job, recordOf(job), whole.manifest), () => isOver(job))
      await holdings.tell(peer, job, whole)
    },
    async fillResult(peer, job) {
      const result = deps.view(job)?.outcome?.result
      if (result === undefined) throw new Over('the job has no result')
      const over = () => deps.view(job)?.outcome?.result !== result
      await fill(peer, job, piecesOf(recordOf(job), 'result', result), over)
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
