/**
 * The blocks of a job in lists that mean the same on every peer, so that a piece of the job can be named by a list and two
 * places in it: the networks' files, the inputs of one manifest, the merged result.
 */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { type BlockId, isBlockId, type JobId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { ManifestHead } from '../../jobs/core/types.ts'
import { decodeManifest } from '../../jobs/wire/manifest.ts'
import { resultParts } from '../../jobs/workloads/result-parts.ts'
import { workloads } from '../../jobs/workloads/workloads.ts'
import { verify } from '../../mesh/identity.ts'
import type { JobRecord } from '../driver/job-book.ts'

/** `block`: the spec, the manifest or the result's root, which says what the list has. */
export interface Piece {
  kind: 'files' | 'inputs' | 'result'
  block: BlockId
  /** Places in the list, the last one excluded. */
  from: number
  to: number
}

/** A manifest of the most shards, each of the most blocks, is longer than any list that is used. */
const listMax = limits.shardsMax * limits.shardBlocksMax

export const pieceForm = z.object({
  kind: z.enum(['files', 'inputs', 'result']),
  block: z.string().refine(isBlockId, 'not a block id'),
  from: z.int().min(0).max(listMax),
  to: z.int().min(1).max(listMax),
})

/** As part of a record's key. */
export const pieceName = ({ kind, block, from, to }: Piece): string => `${kind}-${block}-${from}-${to}`

/** Throws ZodError for what is no piece's name. */
export function pieceOf(name: string): Piece {
  const [kind, block, from, to] = name.split('-')
  return pieceForm.parse({ kind, block, from: Number(from), to: Number(to) })
}

export type GetBlock = (block: BlockId) => Promise<Uint8Array>

/** The whole list that `kind` and `block` name, the naming block itself first. Throws PeerError where it is not sound. */
export async function blocksOf(
  record: JobRecord,
  { kind, block }: Pick<Piece, 'kind' | 'block'>,
  get: GetBlock,
): Promise<BlockId[]> {
  if (kind === 'result') return [block, ...resultParts(await get(block))]
  if (kind === 'files') {
    const files = (await workloads(record.spec.workload)).files(record.spec.body)
    return [block, ...files.flatMap(file => file.blocks)]
  }
  const manifest = await decodeManifest(await get(block), verify, record.spec.submitter)
  return [block, ...manifest.shards.flatMap(shard => shard.blocks)]
}

/**
 * The job's manifest blocks, oldest first: from the newest back, each names the one before it. Throws PeerError where
 * the chain is not the job's, or is not as long as `head` says.
 */
export async function chainOf(record: JobRecord, job: JobId, head: ManifestHead, get: GetBlock): Promise<BlockId[]> {
  const chain: BlockId[] = []
  let block = head.head
  for (let index = head.count - 1; index >= 0; index--) {
    if (block === undefined) throw notTheJobs()
    const manifest = await decodeManifest(await get(block), verify, record.spec.submitter)
    if (manifest.job !== job || manifest.index !== index) throw notTheJobs()
    chain.push(block)
    block = manifest.previous
  }
  return chain.reverse()
}

function notTheJobs(): PeerError {
  return new PeerError({
    code: 'MANIFEST_INVALID',
    kind: 'integrity',
    message: "a chain of manifests is not the job's",
    retry: 'elsewhere',
  })
}

/** The slice of the list that the piece names. Throws PeerError of kind `protocol` when there is none. */
export function sliceOf(list: readonly BlockId[], { from, to }: Piece): BlockId[] {
  if (from >= to || to > list.length) {
    throw new PeerError({
      code: 'PIECE_INVALID',
      kind: 'protocol',
      message: 'a piece of a job names blocks that it has not',
    })
  }
  return list.slice(from, to)
}
