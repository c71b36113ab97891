/**
 * Copies of a job's blocks with peers that promise to hold them, so that whoever has them may leave. A promise is given
 * once every block is here and a record of it on disk, and it lasts until the job is over (for a result: until it is
 * dropped or expires). A peer without room says so, and another one is asked.
 */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { type BlockId, isBlockId, type JobId, type PeerKey } from '../../base/ids.ts'
import { hash32 } from '../../base/prng.ts'
import type { BlockStore } from '../../data/store/types.ts'
import type { JobView, Message } from '../../jobs/core/types.ts'
import { decodeDigest, encodeDigest } from '../../jobs/wire/digest.ts'
import { decodeValue, encodeValue } from '../../jobs/wire/fields.ts'
import type { Mesh } from '../../mesh/types.ts'
import { type BlockBatches, batchBlocksMax } from '../blocks/block-batches.ts'
import { type BlockExchange, hereOnly } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { JobBook, JobRecord } from '../driver/job-book.ts'
import type { Journal } from '../driver/journal.ts'
import { blocksOf, type Piece, pieceForm, pieceName, pieceOf, sliceOf } from './job-blocks.ts'

export const copyProtocol = '/shardmesh/copies/1'

export interface CopiesDeps {
  mesh: Mesh
  store: BlockStore
  exchange: BlockExchange
  batches: BlockBatches
  holds: BlockHolds
  book: JobBook
  journal: Journal
  view: (job: JobId) => JobView | undefined
  /** Whether `from` may have copies of the job's inputs made. */
  mayCopyInputs: (from: PeerKey, job: JobView) => boolean
  /** The job is over here and what it held was freed: what is held for it from now on stays. */
  settled: (job: JobId) => boolean
  /** Tells the core of a job that ended before this peer came. */
  hear: (from: PeerKey, message: Message) => void
  /** Bytes that pinned blocks may take here. */
  bytesMax: number
}

export interface Copies {
  /** Asks `peer` to hold a piece; resolves once it does. Throws PeerError. */
  ask(peer: PeerKey, job: JobId, piece: Piece): Promise<void>
  /** A list of blocks in pieces small enough to be asked for at once. */
  pieces(list: readonly BlockId[], kind: Piece['kind'], block: BlockId): Piece[]
  /** Connected peers in the order in which they should hold the job's copies. */
  candidates(job: JobId): PeerKey[]
  /** Any peers in that order, which is the same everywhere. */
  ranked(job: JobId, peers: readonly PeerKey[]): PeerKey[]
  /** Holds again, after a restart, what was promised before. */
  restore(job: JobId, record: JobRecord, names: readonly string[]): Promise<void>
}

/** A piece: enough to be worth a request, little enough to arrive in time over a slow link. */
const pieceBlocksMax = 1024
const pieceBytesMax = 32 * 1024 * 1024
const pieceMs = 300_000
/** Blocks fetched at once for one piece, and requests for many small ones. */
const parallel = 4
const batchesAtOnce = 2

/** A digest without bitmap and shares among it. */
const requestBytesMax = 8 * 1024
const requestForm = z.object({
  job: z.string().refine(isBlockId, 'not a job id'),
  piece: pieceForm,
  /** Of a result: how the job ended, for who was not there. */
  ended: z.instanceof(Uint8Array).optional(),
})

export function createCopies(deps: CopiesDeps): Copies {
  const { mesh, store, exchange, holds, book, journal } = deps
  const here = hereOnly(exchange)

  function decode(body: Uint8Array): z.infer<typeof requestForm> {
    const parsed = requestForm.safeParse(decodeValue(body, requestBytesMax))
    if (parsed.success) return parsed.data
    throw new PeerError({ code: 'MESSAGE_INVALID', kind: 'protocol', message: 'a request for a copy breaks the rules' })
  }

  /** Inputs are the owner's to spread while the job runs, or a holder's in its stead; a result is what every peer knows as the job's. */
  function entitle(from: PeerKey, job: JobId, piece: Piece): void {
    const view = deps.view(job)
    if (!view) throw refusal('JOB_UNKNOWN', 'this job was not heard of here yet', 'later')
    if (piece.kind === 'result' ? view.outcome?.result !== piece.block : view.outcome !== undefined) {
      throw refusal('COPY_REFUSED', 'the job is in another state here', 'later')
    }
    if (piece.kind !== 'result' && !deps.mayCopyInputs(from, view)) {
      throw refusal('COPY_REFUSED', "only a job's owner has copies of its inputs made", 'elsewhere')
    }
    // What the end frees here must be freed before anything is held anew.
    if (piece.kind === 'result' && !deps.settled(job)) {
      throw refusal('JOB_UNKNOWN', 'the job is just ending here', 'later')
    }
  }

  async function fetchAll(blocks: readonly BlockId[], from: PeerKey): Promise<void> {
    const batches: BlockId[][] = []
    for (let at = 0; at < blocks.length; at += batchBlocksMax) batches.push(blocks.slice(at, at + batchBlocksMax))
    const left: BlockId[] = []
    const bring = async () => {
      for (let batch = batches.shift(); batch; batch = batches.shift()) {
        left.push(...(await deps.batches.bring(from, batch)))
      }
    }
    await Promise.all(Array.from({ length: batchesAtOnce }, bring))
    const work = async () => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        if (!(await store.has(id))) await exchange.get(id, [from])
      }
    }
    await Promise.all(Array.from({ length: parallel }, work))
    for (const id of blocks) {
      // A full disk lets a block through and keeps nothing.
      if (await store.has(id)) continue
      throw refusal('COPY_NO_ROOM', 'this peer could not store a block: its disk is full', 'elsewhere')
    }
  }

  async function promise(from: PeerKey, job: JobId, piece: Piece): Promise<void> {
    entitle(from, job, piece)
    const record = await book.readSpec(job, from)
    await holds.hold(job, piece.block)
    const list = await blocksOf(record, piece, block => exchange.get(block, [from]))
    const blocks = sliceOf(list, piece)
    if (Number.isFinite(deps.bytesMax) && holds.pinnedBytes() >= deps.bytesMax) {
      throw refusal('COPY_NO_ROOM', 'this peer holds as much as its --cache-size lets it', 'elsewhere')
    }
    for (const block of blocks) await holds.hold(job, block)
    try {
      await fetchAll(blocks, from)
      entitle(from, job, piece) // it may have ended meanwhile
      journal.keepCopy(job, pieceName(piece))
      await journal.commit()
    } catch (thrown) {
      // Of a job that runs, the next attempt wants them again.
      if (piece.kind !== 'result' && deps.view(job)?.outcome) await holds.unhold(job, blocks)
      throw thrown
    }
  }

  mesh.serve(copyProtocol, async (from, body) => {
    const { job, piece, ended } = decode(body)
    if (ended && deps.view(job) === undefined) {
      const digest = decodeDigest(ended)
      if (digest.job === job && digest.outcome) deps.hear(from, digest)
    }
    await promise(from, job, piece)
    return new Uint8Array()
  })

  return {
    async ask(peer, job, piece) {
      const gone = new AbortController()
      const off = mesh.on('down', down => {
        if (down === peer) gone.abort(refusal('CONNECTION_LOST', 'the peer is gone or hangs', 'elsewhere'))
      })
      try {
        const ended = piece.kind === 'result' ? endOf(deps.view(job)) : undefined
        const body = encodeValue(ended ? { job, piece, ended } : { job, piece })
        await mesh.request(peer, copyProtocol, body, { timeoutMs: pieceMs, signal: gone.signal })
      } finally {
        off()
      }
    },
    pieces(list, kind, block) {
      const pieces: Piece[] = []
      let from = 0
      let bytes = 0
      for (let at = 0; at < list.length; at++) {
        bytes += store.bytesOf(list[at]) ?? 0
        if (at + 1 < list.length && at + 1 - from < pieceBlocksMax && bytes < pieceBytesMax) continue
        pieces.push({ kind, block, from, to: at + 1 })
        from = at + 1
        bytes = 0
      }
      return pieces
    },
    candidates(job) {
      const connected = mesh.peers().filter(record => record.connected && record.peer !== mesh.self)
      return ranked(
        job,
        connected.map(record => record.peer),
      )
    },
    ranked,
    async restore(job, record, names) {
      const lists = new Map<string, BlockId[]>()
      for (const name of names) {
        try {
          const piece = pieceOf(name)
          const key = `${piece.kind}-${piece.block}`
          const list = lists.get(key) ?? (await blocksOf(record, piece, here))
          lists.set(key, list)
          for (const block of [piece.block, ...sliceOf(list, piece)]) await holds.hold(job, block)
        } catch {
          // What is not here any more cannot be held: its owner hears that when it asks.
        }
      }
    },
  }
}

function ranked(job: JobId, peers: readonly PeerKey[]): PeerKey[] {
  const rank = (peer: PeerKey) => hash32(`${job}/${peer}`)
  // Equal hashes are rare, and are to mean the same everywhere.
  return [...peers].sort((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1))
}

/** How the job ended, as its leader gossiped it at the time. */
function endOf(view: JobView | undefined): Uint8Array | undefined {
  const { outcome } = view ?? {}
  if (!view || !outcome) return undefined
  return encodeDigest({
    type: 'digest',
    job: view.job,
    owner: view.owner,
    ballot: outcome.ballot,
    version: 0,
    phase: outcome.phase,
    manifest: { count: 0 },
    complete: view.complete,
    done: new Uint8Array(0),
    itemsDone: view.itemsDone,
    itemsTotal: view.itemsTotal,
    shards: view.shardsTotal,
    shardsDone: view.shardsDone,
    errors: view.errors,
    shares: [],
    outcome,
  })
}

function refusal(code: string, message: string, retry: 'never' | 'later' | 'elsewhere'): PeerError {
  return new PeerError({ code, kind: 'resource', message, retry })
}
