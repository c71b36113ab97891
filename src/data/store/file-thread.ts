/**
 * Hashes and writes blocks that came over the network, in one go on a thread of its own: file by file the main thread would
 * hand seven calls to the system's pool, and where there are few cores each of them takes the processor away from the
 * protocol that runs there. The bytes travel there and back without a copy. Invariant: bytes that are not what their
 * id says are never written.
 */
import { Worker } from 'node:worker_threads'
import type { BlockId } from '../../base/ids.ts'
import { sibling } from '../../base/package-root.ts'

export interface FileThreadRequest {
  call: number
  bytes: Uint8Array
  id: BlockId
  /** Written first, then renamed to `file`. */
  draft: string
  file: string
}

export interface FileThreadReply {
  call: number
  bytes: Uint8Array
  /** They are what the id says. */
  matches: boolean
  /** Why they were not written, as the system said it. */
  failed?: { code: string | undefined; message: string }
}

export interface FileThread {
  /** Takes `bytes` over; use those that come back. Throws where the thread ended: the bytes went with it. */
  write(request: Omit<FileThreadRequest, 'call'>): Promise<Omit<FileThreadReply, 'call'>>
  close(): Promise<void>
}

/** Made when it is first needed; it does not keep the process alive. */
export function createFileThread(): FileThread {
  const waiting = new Map<number, (reply: FileThreadReply | undefined) => void>()
  let calls = 0
  let worker: Worker | undefined

  function start(): Worker {
    const started = new Worker(sibling(import.meta.url, './file-worker'))
    started.unref()
    started.on('message', (reply: FileThreadReply) => {
      waiting.get(reply.call)?.(reply)
      waiting.delete(reply.call)
    })
    const over = () => {
      if (worker !== started) return
      worker = undefined
      for (const done of waiting.values()) done(undefined)
      waiting.clear()
    }
    started.on('error', over)
    started.on('exit', over)
    return started
  }

  return {
    async write(request) {
      worker ??= start()
      const call = calls++
      const done = new Promise<FileThreadReply | undefined>(resolve => waiting.set(call, resolve))
      const { buffer } = request.bytes
      worker.postMessage(
        { ...request, call } satisfies FileThreadRequest,
        buffer instanceof ArrayBuffer ? [buffer] : [],
      )
      const reply = await done
      if (!reply) throw new Error('the thread that writes blocks ended')
      return reply
    },
    async close() {
      await worker?.terminate()
    },
  }
}
