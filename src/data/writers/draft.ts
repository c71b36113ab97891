/**
 * Files that are written for the user. Invariant: a file under its final name is complete; until `close` it has another name
 * beside it, and memory holds one chunk.
 */
import { once } from 'node:events'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { PeerError } from '../../base/errors.ts'
import { systemCode } from '../store/errors.ts'

/** `predictions.errors.csv` for `predictions.csv`, and for `predictions.jsonl` as well. */
export function errorsFileOf(out: string): string {
  return join(dirname(out), `${basename(out, extname(out))}.errors.csv`)
}

/** A file, or a stream, that is written piece by piece. Each call is awaited before the next. */
export interface Draft {
  write(more: string | Uint8Array): Promise<void>
  close(): Promise<void>
  abort(): Promise<void>
}

/** What was written to a stream cannot be taken back; a reader that is slow is waited for. */
export function streamDraft(stream: Writable, start = ''): Draft {
  let buffer = start
  const flush = async () => {
    const text = buffer
    buffer = ''
    if (!stream.write(text)) await once(stream, 'drain')
  }
  return {
    async write(more) {
      if (typeof more === 'string') buffer += more
      if (buffer.length >= chunkCharacters || typeof more !== 'string') await flush()
      if (typeof more !== 'string' && !stream.write(more)) await once(stream, 'drain')
    },
    close: flush,
    abort: async () => {},
  }
}

const chunkCharacters = 64 * 1024
let drafts = 0

/** A file that is written under another name and renamed when it is closed. */
export async function openDraft(file: string, start = ''): Promise<Draft> {
  const draft = join(dirname(file), `.${basename(file)}.${process.pid}-${drafts++}.part`)
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      throw outputError(file, thrown)
    }
  }
  // Found out now rather than by the rename, after all the work.
  if ((await stat(file).catch(() => undefined))?.isDirectory()) throw outputError(file, undefined, 'EISDIR')
  let handle: FileHandle | undefined = await guarded(open(draft, 'wx'))
  let text = start
  const flush = async () => {
    const chunk = text
    text = ''
    if (handle && chunk) await guarded(handle.writeFile(chunk))
  }
  return {
    async write(more) {
      if (typeof more === 'string') text += more
      if (text.length >= chunkCharacters || typeof more !== 'string') await flush()
      if (handle && typeof more !== 'string') await guarded(handle.writeFile(more))
    },
    async close() {
      await flush()
      await handle?.close()
      handle = undefined
      await guarded(rename(draft, file))
    },
    async abort() {
      await handle?.close()
      handle = undefined
      await rm(draft, { force: true })
    },
  }
}

function outputError(file: string, thrown: unknown, code: string | undefined = systemCode(thrown)): PeerError {
  const known: Record<string, string> = {
    ENOENT: 'its folder does not exist: make it first',
    ENOTDIR: 'its folder does not exist: make it first',
    EACCES: 'permission denied: choose another place',
    EPERM: 'permission denied: choose another place',
    EROFS: 'the file system is read-only: choose another place',
    EISDIR: 'it is a folder: choose another name',
    EEXIST: 'it is a folder: choose another name',
    ENOTEMPTY: 'it is a folder: choose another name',
    ENOSPC: 'the disk is full: free some space',
    EDQUOT: 'your disk quota is used up: free some space',
  }
  return new PeerError({
    code: 'OUTPUT_UNWRITABLE',
    kind: code === 'ENOSPC' || code === 'EDQUOT' ? 'resource' : 'input',
    message: `cannot write ${file}: ${(code && known[code]) ?? String(thrown)}`,
    details: { file, system: code },
    cause: thrown,
  })
}
