/**
 * Moves blocks between peers: serves what this peer holds, fetches what it lacks from whoever has it.
 * A block is hashed before it is used or kept, so a wrong one never gets further than this file.
 */
import { PeerError } from '../base/errors.ts'
import { type BlockId, blockId, isBlockId, type PeerKey } from '../base/ids.ts'
import type { BlockStore } from '../data/store/types.ts'
import type { Mesh } from '../mesh/types.ts'

export const blockProtocol = '/shardmesh/block/1'

export interface BlockExchange {
  /** From the store, else from `holders` in turn, else from any connected peer. Throws BLOCK_UNAVAILABLE. */
  get(id: BlockId, holders: readonly PeerKey[], signal?: AbortSignal): Promise<Uint8Array>
  /** What this peer holds itself. */
  local(id: BlockId): Promise<Uint8Array | undefined>
  /** Stores a block made here. */
  put(bytes: Uint8Array): Promise<BlockId>
}

const fetchTimeoutMs = 30_000

export function createBlockExchange(mesh: Mesh, store: BlockStore): BlockExchange {
  /** Concurrent demands for a block share one fetch. */
  const fetching = new Map<BlockId, Promise<Uint8Array>>()

  mesh.serve(blockProtocol, async (_from, body) => {
    const id = Buffer.from(body).toString('hex')
    const block = isBlockId(id) ? await store.get(id) : undefined
    if (block) return block
    throw new PeerError({ code: 'BLOCK_ABSENT', kind: 'transport', message: 'no such block here', retry: 'elsewhere' })
  })

  async function fetchFrom(peer: PeerKey, id: BlockId): Promise<Uint8Array> {
    const bytes = await mesh.request(peer, blockProtocol, Buffer.from(id, 'hex'), { timeoutMs: fetchTimeoutMs })
    if (blockId(bytes) !== id) {
      throw new PeerError({
        code: 'BLOCK_DAMAGED',
        kind: 'integrity',
        message: `${peer} sent other bytes than block ${id} has`,
        retry: 'elsewhere',
      })
    }
    return bytes
  }

  async function fetch(id: BlockId, holders: readonly PeerKey[]): Promise<Uint8Array> {
    const connected = mesh.peers().flatMap(record => (record.connected ? [record.peer] : []))
    const candidates = new Set([...holders.filter(peer => connected.includes(peer)), ...connected])
    let last: unknown
    for (const peer of candidates) {
      try {
        const bytes = await fetchFrom(peer, id)
        await store.put(bytes)
        return bytes
      } catch (thrown) {
        last = thrown
      }
    }
    throw new PeerError({
      code: 'BLOCK_UNAVAILABLE',
      kind: 'transport',
      message: `no reachable peer has block ${id.slice(0, 8)}`,
      retry: 'later',
      cause: last,
    })
  }

  return {
    async get(id, holders, signal) {
      const local = await store.get(id)
      if (local) return local
      signal?.throwIfAborted()
      let pending = fetching.get(id)
      if (!pending) {
        pending = fetch(id, holders).finally(() => fetching.delete(id))
        fetching.set(id, pending)
      }
      return pending
    },
    local: id => store.get(id),
    put: bytes => store.put(bytes),
  }
}
