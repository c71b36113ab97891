/**
 * Files that are written for the user. Invariant: a file under its final name is complete; until `close` it has another name
 * beside it, and memory holds one chunk.
 */
import { once } from 'node:events'
import type { Stats } from 'node:fs'
import { type FileHandle, open, readlink, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
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

/** Where a draft goes in the end. */
interface Target {
  /** Links followed: what a link names is replaced, not the link. */
  file: string
  /** What is there already: its mode and owner stay. */
  before?: Stats
}

async function targetOf(file: string, depth = 0): Promise<Target> {
  const link = await readlink(file).catch(() => undefined)
  if (link !== undefined && depth < linksMax) return targetOf(resolve(dirname(file), link), depth + 1)
  return { file, before: await stat(file).catch(() => undefined) }
}

/** As many as Linux follows. */
const linksMax = 40

/**
 * A file that is written under another name and renamed when it is closed. An older file of that name keeps its mode and
 * owner; where only the file itself may be written, and not its folder, it is written in place.
 */
export async function openDraft(out: string, start = ''): Promise<Draft> {
  const guarded = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      throw outputError(out, thrown)
    }
  }
  const { file, before } = await targetOf(out)
  // Found out now rather than by the rename, after all the work.
  if (before?.isDirectory()) throw outputError(out, undefined, 'EISDIR')
  const draft = join(dirname(file), `.shardmesh-${process.pid}-${drafts++}.part`)
  const opened = await guarded(openBeside(draft, file, before))
  let handle: FileHandle | undefined = opened.handle
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
      if (handle) await guarded(handle.sync())
      await handle?.close()
      handle = undefined
      if (!opened.inPlace) await guarded(rename(draft, file))
    },
    async abort() {
      await handle?.close()
      handle = undefined
      if (!opened.inPlace) await rm(draft, { force: true })
    },
  }
}

/** The draft with the older file's mode and owner; or the older file itself, where nothing can be put in its place. */
async function openBeside(
  draft: string,
  file: string,
  before: Stats | undefined,
): Promise<{ handle: FileHandle; inPlace: boolean }> {
  let handle: FileHandle | undefined
  try {
    handle = await open(draft, 'wx')
    if (before) {
      await handle.chown(before.uid, before.gid)
      await handle.chmod(before.mode & 0o7777)
    }
    return { handle, inPlace: false }
  } catch (thrown) {
    if (handle) await handle.close().then(() => rm(draft, { force: true }))
    const code = systemCode(thrown)
    if (!before || (code !== 'EACCES' && code !== 'EPERM')) throw thrown
    return { handle: await open(file, 'w'), inPlace: true }
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
    ENAMETOOLONG: 'the name is too long: choose a shorter one',
    ELOOP: 'it is a link that leads in a circle: choose another name',
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
