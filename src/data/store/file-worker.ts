/**
 * The thread of `file-thread.ts`: hashes what it is sent, writes it as a file if it is what it should be, and sends the
 * bytes back. It waits for the disk where it stands: nothing else runs on it.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { makeFolderSync } from '../../base/make-folder.ts'
import { systemCode } from './errors.ts'
import type { FileThreadReply, FileThreadRequest } from './file-thread.ts'

parentPort?.on('message', (request: FileThreadRequest) => {
  const { call, bytes, id } = request
  const matches = createHash('sha256').update(bytes).digest('hex') === id
  let failed: FileThreadReply['failed']
  if (matches) {
    try {
      write(request)
    } catch (thrown) {
      failed = { code: systemCode(thrown), message: thrown instanceof Error ? thrown.message : String(thrown) }
    }
  }
  const { buffer } = bytes
  const reply: FileThreadReply = { call, bytes, matches, failed }
  parentPort?.postMessage(reply, buffer instanceof ArrayBuffer ? [buffer] : [])
})

function write({ bytes, draft, file }: FileThreadRequest): void {
  try {
    const handle = openSync(draft, 'w', 0o600)
    try {
      for (let at = 0; at < bytes.byteLength; ) at += writeSync(handle, bytes, at)
    } finally {
      closeSync(handle)
    }
    try {
      renameSync(draft, file)
    } catch (thrown) {
      if (systemCode(thrown) !== 'ENOENT') throw thrown
      makeFolderSync(dirname(file))
      renameSync(draft, file)
    }
  } catch (thrown) {
    try {
      unlinkSync(draft)
    } catch {
      // It may not even exist; the first error is the one that matters.
    }
    throw thrown
  }
}
