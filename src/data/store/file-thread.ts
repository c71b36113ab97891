/**
 * Hashes and writes blocks that came over the network, in one go on a thread of its own: file by file the main thread would
 * hand seven calls to the system's pool, and where there are few cores each of them takes the processor away from the
 * protocol that runs there. The bytes travel there and back without a copy. Invariant: bytes that are not what their
 * id says are never written.
 */
import { createCallThread } from '../../base/call-thread.ts'
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
  const thread = createCallThread<Omit<FileThreadRequest, 'call'>, FileThreadReply>(
    sibling(import.meta.url, './file-worker'),
  )
  return {
    async write(request) {
      const { buffer } = request.bytes
      const reply = await thread.call(request, buffer instanceof ArrayBuffer ? [buffer] : [])
      if (!reply) throw new Error('the thread that writes blocks ended')
      return reply
    },
    close: thread.close,
  }
}
