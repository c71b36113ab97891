/**
 * Hashes what came over the network on a thread of its own: at a gigabyte a second, hashing would take a fifth of the
 * thread that the protocol and the heartbeats run on. The bytes travel there and back without a copy. Invariant: what
 * is handed in comes back, hashed, whatever becomes of the thread; bytes that cannot travel are hashed here.
 */
import { Worker } from 'node:worker_threads'
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

/** One thread for the whole process, made when it is first needed; it does not keep the process alive. */
export function createBlockHasher(): BlockHasher {
  const waiting = new Map<number, (hashed: Hashed | undefined) => void>()
  let calls = 0
  let worker: Worker | undefined
  let broken = false

  function start(): Worker {
    const started = new Worker(sibling(import.meta.url, './hash-worker'))
    started.unref()
    started.on('message', ({ call, hash, bytes }: FromHasher) => {
      waiting.get(call)?.({ id: Buffer.from(hash).toString('hex'), bytes })
      waiting.delete(call)
    })
    const over = () => {
      broken = true
      // Their bytes went with the thread: whoever fetched them fetches again.
      for (const done of waiting.values()) done(undefined)
      waiting.clear()
    }
    started.on('error', over)
    started.on('exit', over)
    return started
  }

  return {
    async hash(bytes) {
      const travels = bytes.byteLength >= threadBytes && bytes.byteLength === bytes.buffer.byteLength
      if (!travels || broken || !(bytes.buffer instanceof ArrayBuffer)) return { id: blockId(bytes), bytes }
      worker ??= start()
      const call = calls++
      const done = new Promise<Hashed | undefined>(resolve => waiting.set(call, resolve))
      worker.postMessage({ call, bytes } satisfies ToHasher, [bytes.buffer])
      const hashed = await done
      if (!hashed) throw new Error('the thread that hashes blocks ended')
      return hashed
    },
  }
}
