/**
 * Hashes what came over the network on a thread of its own: at a gigabyte a second, hashing would take a fifth of the
 * thread that the protocol and the heartbeats run on. The bytes travel there and back without a copy. Invariant: what
 * is handed in comes back, hashed, whatever becomes of the thread; bytes that cannot travel are hashed here.
 */
import { createCallThread } from '../../base/call-thread.ts'
import { type BlockId, blockId } from '../../base/ids.ts'
import { sibling } from '../../base/package-root.ts'

export interface Hashed {
  id: BlockId
  bytes: Uint8Array
}

export interface BlockHasher {
  /** Takes `bytes` over; use those that come back. */
  hash(bytes: Uint8Array): Promise<Hashed>
}

export interface ToHasher {
  call: number
  bytes: Uint8Array
}

export interface FromHasher {
  call: number
  hash: Uint8Array
  bytes: Uint8Array
}

/** Below this the way to the thread takes longer than the hash. */
const threadBytes = 128 * 1024

/** One thread, made when it is first needed; it does not keep the process alive. */
export function createBlockHasher(): BlockHasher {
  let broken = false
  const thread = createCallThread<Omit<ToHasher, 'call'>, FromHasher>(sibling(import.meta.url, './hash-worker'), () => {
    broken = true
  })

  return {
    async hash(bytes) {
      const { buffer } = bytes
      const travels = bytes.byteLength >= threadBytes && bytes.byteLength === buffer.byteLength
      if (!travels || broken || !(buffer instanceof ArrayBuffer)) return { id: blockId(bytes), bytes }
      const reply = await thread.call({ bytes }, [buffer])
      // Its bytes went with the thread: whoever fetched them fetches again.
      if (!reply) throw new Error('the thread that hashes blocks ended')
      return { id: Buffer.from(reply.hash).toString('hex'), bytes: reply.bytes }
    },
  }
}
