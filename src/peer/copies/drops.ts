/**
 * Jobs that are given up: their blocks are freed and they are shown no more, while the core still remembers how they
 * ended, so that nobody runs them again. A job's owner gives it up on every peer; one that is away is told when it is
 * back. Only this peer's own copy goes when a person frees its disk.
 */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { isBlockId, type JobId, type PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { JobView } from '../../jobs/core/types.ts'
import { decodeValue, encodeValue } from '../../jobs/wire/fields.ts'
import type { Mesh } from '../../mesh/types.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { Journal, KeptJob } from '../driver/journal.ts'

export const dropProtocol = '/shardmesh/drop/1'

export interface DropsDeps {
  mesh: Mesh
  holds: BlockHolds
  journal: Journal
  view: (job: JobId) => JobView | undefined
  /** The job is given up here. */
  dropped: (job: JobId) => void
}

export interface Drops {
  has(job: JobId): boolean
  /** Gives up jobs that are over, here; resolves to the bytes freed. Throws PeerError when the disk refuses. */
  drop(jobs: readonly JobId[]): Promise<number>
  /** Tells every peer to give up what this peer, their owner, has dropped. */
  tell(): void
  forget(job: JobId): void
  restore(kept: readonly KeptJob[]): void
  stop(): void
}

const listForm = z.array(z.string().refine(isBlockId, 'not a job id')).max(limits.jobsMax)
const listBytesMax = limits.jobsMax * 80

export function createDrops({ mesh, holds, journal, view, dropped }: DropsDeps): Drops {
  const gone = new Set<JobId>()
  /** What each peer that is connected was told. */
  const told = new Map<PeerKey, Set<JobId>>()

  async function drop(jobs: readonly JobId[]): Promise<number> {
    const fresh = jobs.filter(job => !gone.has(job))
    for (const job of fresh) {
      gone.add(job)
      journal.keepDropped(job)
    }
    if (fresh.length > 0) await journal.commit()
    let freed = 0
    for (const job of fresh) {
      freed += await holds.release(job)
      dropped(job)
    }
    return freed
  }

  mesh.serve(dropProtocol, async (from, body) => {
    const parsed = listForm.safeParse(decodeValue(body, listBytesMax))
    if (!parsed.success) {
      throw new PeerError({
        code: 'MESSAGE_INVALID',
        kind: 'protocol',
        message: 'a list of dropped jobs breaks the rules',
      })
    }
    // Only a job's owner drops it.
    await drop(parsed.data.filter(job => view(job)?.owner === from && view(job)?.outcome !== undefined))
    return new Uint8Array()
  })

  function tellPeer(peer: PeerKey): void {
    const known = told.get(peer) ?? new Set()
    told.set(peer, known)
    const news = [...gone].filter(job => view(job)?.owner === mesh.self && !known.has(job)).slice(0, limits.jobsMax)
    if (news.length === 0) return
    for (const job of news) known.add(job)
    mesh.request(peer, dropProtocol, encodeValue(news)).catch(() => {
      for (const job of news) known.delete(job) // told again when it is back
    })
  }

  const offUp = mesh.on('up', record => {
    if (record.connected && !told.has(record.peer)) tellPeer(record.peer)
  })
  const offDown = mesh.on('down', peer => told.delete(peer))

  return {
    has: job => gone.has(job),
    drop,
    tell() {
      for (const record of mesh.peers()) if (record.connected && record.peer !== mesh.self) tellPeer(record.peer)
    },
    forget: job => void gone.delete(job),
    restore(kept) {
      for (const { job, dropped: isDropped } of kept) if (isDropped) gone.add(job)
    },
    stop() {
      offUp()
      offDown()
    },
  }
}
