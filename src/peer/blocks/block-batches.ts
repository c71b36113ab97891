/**
 * Small blocks, many to a request: one by one a block of two kilobytes costs as much as a block of a hundred. Invariant: a
 * block is kept only if it has the hash that was asked for; what a reply leaves out is the caller's to fetch one by one.
 *
 * A request is ids of 32 bytes each; the reply says of the first of them, as many as it has room for, one after the other:
 *
 *   u32 length · bytes[length]     or  u32 absent, u32 alone: not here, or large enough for a request of its own
 */
import { PeerError } from '../../base/errors.ts'
import { type BlockId, blockId, type PeerKey } from '../../base/ids.ts'
import type { BlockStore } from '../../data/store/types.ts'
import { idsIn, idsOut } from '../../jobs/wire/fields.ts'
import type { Mesh } from '../../mesh/types.ts'
import { createTurns } from './turns.ts'

export const batchProtocol = '/shardmesh/blocks/1'

export interface BlockBatches {
  /**
   * Has `peer` send the small ones of `ids` that are not here, and keeps them. Resolves to those that did not come.
   * Throws PeerError: what the request met, BLOCK_DAMAGED, or the store's own.
   */
  bring(peer: PeerKey, ids: readonly BlockId[]): Promise<BlockId[]>
}

/** Of one request. */
export const batchBlocksMax = 256
/** A block above this is worth a request, and its hash a thread. */
export const batchedBytesMax = 64 * 1024
/** Of one reply: a block of the usual size in small change. */
const replyBytesMax = 1024 * 1024
/** Replies that are made for one peer at a time; more of its requests wait. */
const servedMax = 4
const absent = 0xffffffff
const alone = 0xfffffffe
const lengthBytes = 4

export function createBlockBatches(mesh: Mesh, store: BlockStore): BlockBatches {
  const inTurn = createTurns(servedMax)

  mesh.serve(batchProtocol, (from, body) => {
    const ids = idsIn(body, batchBlocksMax, 'a request for blocks')
    return inTurn(from, () => replyTo(ids, store))
  })

  async function keep(
    peer: PeerKey,
    asked: readonly BlockId[],
    reply: Uint8Array,
  ): Promise<{ said: number; left: BlockId[] }> {
    const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength)
    const left: BlockId[] = []
    const puts: Promise<unknown>[] = []
    let said = 0
    for (let at = 0; at < reply.byteLength; said++) {
      if (said === asked.length || at + lengthBytes > reply.byteLength) throw damaged(peer)
      const length = view.getUint32(at)
      at += lengthBytes
      if (length === absent || length === alone) {
        left.push(asked[said])
        continue
      }
      if (length > batchedBytesMax || at + length > reply.byteLength) throw damaged(peer)
      // A copy: the store may keep it for long, and not the whole reply with it.
      const bytes = reply.slice(at, at + length)
      at += length
      if (blockId(bytes) !== asked[said]) throw damaged(peer)
      puts.push(store.put(bytes, asked[said]))
    }
    // All of them settle before the first refusal is told: nothing is written after the caller has heard.
    const refused = (await Promise.allSettled(puts)).find(put => put.status === 'rejected')
    if (refused) throw refused.reason
    return { said, left }
  }

  return {
    async bring(peer, ids) {
      const left: BlockId[] = []
      let wanted: BlockId[] = []
      for (const id of ids) if (!(await store.has(id))) wanted.push(id)
      while (wanted.length > 0) {
        const asked = wanted.slice(0, batchBlocksMax)
        const reply = await mesh.request(peer, batchProtocol, idsOut(asked), {
          timeoutMs: batchMs,
          untilIdle: true,
        })
        const kept = await keep(peer, asked, reply)
        // Otherwise a peer that never answers would be asked for ever.
        if (kept.said === 0) return [...left, ...wanted]
        left.push(...kept.left)
        wanted = wanted.slice(kept.said)
      }
      return left
    },
  }
}

const batchMs = 30_000

async function replyTo(ids: readonly BlockId[], store: BlockStore): Promise<Uint8Array> {
  const small: BlockId[] = []
  let room = replyBytesMax
  for (const id of ids) {
    const bytes = store.bytesOf(id) ?? 0
    room -= bytes <= batchedBytesMax ? bytes : 0
    if (room < 0) break
    small.push(id)
  }
  const blocks = await Promise.all(
    small.map(id => ((store.bytesOf(id) ?? 0) <= batchedBytesMax ? store.get(id) : undefined)),
  )
  const bytes = blocks.reduce((sum, block) => sum + lengthBytes + (block?.byteLength ?? 0), 0)
  const reply = new Uint8Array(bytes)
  const view = new DataView(reply.buffer)
  let at = 0
  for (const [place, block] of blocks.entries()) {
    const said = block ? block.byteLength : (store.bytesOf(small[place]) ?? 0) > batchedBytesMax ? alone : absent
    view.setUint32(at, said)
    at += lengthBytes
    if (block) reply.set(block, at)
    at += block?.byteLength ?? 0
  }
  return reply
}

function damaged(peer: PeerKey): PeerError {
  return new PeerError({
    code: 'BLOCK_DAMAGED',
    kind: 'integrity',
    message: 'a peer sent other bytes than the blocks have that it was asked for: ask another peer',
    retry: 'elsewhere',
    details: { peer },
  })
}
