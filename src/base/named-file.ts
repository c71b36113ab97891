/**
 * The door for every path that a user names and this program reads. Invariant: nothing is opened so that it waits (a pipe that
 * nobody writes to, a device, a socket), nothing is read beyond its bound, and what is in the way is said in one line.
 *
 *     const labels = await readNamed(path, { as: `--labels ${path}`, bytesMax: 1024 * 1024 })
 */
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { shownName, systemPath } from './byte-names.ts'
import { PeerError } from './errors.ts'

export type FileKind = 'file' | 'folder' | 'pipe' | 'socket' | 'device'

export function kindOf(stats: Stats): FileKind {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'folder'
  if (stats.isFIFO()) return 'pipe'
  return stats.isSocket() ? 'socket' : 'device'
}

/** What `path` is, links followed; undefined where there is nothing. Throws FILE_UNREADABLE. */
export async function kindAt(path: string, as = shownName(path)): Promise<FileKind | undefined> {
  try {
    return kindOf(await stat(systemPath(path)))
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(as, thrown)
  }
}

/** `is a pipe: …`, behind the file's name. */
export function kindProblem(kind: Exclude<FileKind, 'file'>): string {
  const words = {
    folder: 'is a folder: name a file',
    pipe: 'is a pipe: save what comes out of it to a file, and name that',
    socket: 'is a socket: name a file',
    device: 'is a device: name a file',
  }
  return words[kind]
}

export interface NamedInit {
  /** How messages call it, such as `--labels names.txt`; default: its path. */
  as?: string
  bytesMax: number
  /** Also a pipe, such as a shell's `<(…)`; only where this process is the one that the user started. */
  pipes?: boolean
  /** Ends the wait for a pipe. */
  signal?: AbortSignal
}

// Not blocking: else a pipe without a writer would hold one of the few threads that read files, for ever.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** The whole of a file. @throws PeerError kind `input`: FILE_KIND, FILE_TOO_LARGE, FILE_UNREADABLE */
export async function readNamed(path: string, init: NamedInit): Promise<Uint8Array> {
  const { as = shownName(path), bytesMax, signal } = init
  const { handle, kind } = await opened(path, as, init.pipes)
  if (kind === 'pipe') return bounded(new Socket({ fd: handle.fd, writable: false }), as, bytesMax, signal)
  try {
    const { size } = await handle.stat()
    if (size > bytesMax) throw tooLarge(as, bytesMax)
    if (size > 0) return await filled(handle, size)
    // Those of /proc have no size.
    return await bounded(
      handle.createReadStream({ autoClose: false, end: bytesMax, highWaterMark: 1 << 20 }),
      as,
      bytesMax,
      signal,
    )
  } catch (thrown) {
    throw thrown instanceof PeerError ? thrown : unreadable(as, thrown)
  } finally {
    await handle.close()
  }
}

/** The same as text. */
export async function readNamedText(path: string, init: NamedInit): Promise<string> {
  return Buffer.from(await readNamed(path, init)).toString('utf8')
}

/** An open plain file, for those who read it piece by piece; the caller closes it. @throws PeerError as `readNamed` */
export async function openNamed(path: string, as = shownName(path)): Promise<FileHandle> {
  return (await opened(path, as)).handle
}

/** The same where nothing may be waited for; returns a descriptor, which the caller closes. */
export function openNamedSync(path: string, as = shownName(path)): number {
  let file: number
  try {
    file = openSync(systemPath(path), flags)
  } catch (thrown) {
    throw unreadable(as, thrown)
  }
  const kind = kindOf(fstatSync(file))
  if (kind === 'file') return file
  closeSync(file)
  throw wrong('FILE_KIND', `${as} ${kindProblem(kind)}`)
}

async function opened(path: string, as: string, pipes = false): Promise<{ handle: FileHandle; kind: FileKind }> {
  let handle: FileHandle
  try {
    // Some devices do something when they are opened.
    const kind = kindOf(await stat(systemPath(path)))
    if (kind !== 'file' && !(pipes && kind === 'pipe')) throw wrong('FILE_KIND', `${as} ${kindProblem(kind)}`)
    handle = await open(systemPath(path), flags)
  } catch (thrown) {
    throw thrown instanceof PeerError ? thrown : unreadable(as, thrown)
  }
  // It may be another one by now.
  const kind = kindOf(await handle.stat())
  if (kind === 'file' || (pipes && kind === 'pipe')) return { handle, kind }
  await handle.close()
  throw wrong('FILE_KIND', `${as} ${kindProblem(kind)}`)
}

/** As many bytes as it had: a file may grow or shrink meanwhile. */
async function filled(handle: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await handle.read(bytes, at, size - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}

type Source = AsyncIterable<Uint8Array> & { destroy(error?: Error): unknown }

async function bounded(stream: Source, as: string, bytesMax: number, signal?: AbortSignal): Promise<Uint8Array> {
  const stop = () => stream.destroy(wrong('FILE_STOPPED', `${as} was not read to its end: stopped`))
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of stream) {
      bytes += chunk.length
      if (bytes > bytesMax) throw tooLarge(as, bytesMax)
      chunks.push(chunk)
    }
  } catch (thrown) {
    throw thrown instanceof PeerError ? thrown : unreadable(as, thrown)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  if (chunks.length === 1) return chunks[0]
  return Buffer.concat(chunks)
}

const reasons: Record<string, string> = {
  ENOENT: 'does not exist: check the path',
  ENOTDIR: 'does not exist: check the path',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
  EISDIR: 'is a folder: name a file',
  ELOOP: 'is a link that leads in a circle: check the path',
  ENAMETOOLONG: 'is too long a name: check the path',
  ENXIO: 'is a socket or a device without a driver: name a file',
}

function unreadable(as: string, cause: unknown): PeerError {
  const { code } = cause as NodeJS.ErrnoException
  const what = (code && reasons[code]) ?? `cannot be read (${code ?? String(cause)}): check the file and its disk`
  return new PeerError({
    code: 'FILE_UNREADABLE',
    kind: 'input',
    message: `${as} ${what}`,
    details: { system: code },
    cause,
  })
}

function tooLarge(as: string, bytesMax: number): PeerError {
  return wrong('FILE_TOO_LARGE', `${as} has more than ${bytesMax} bytes, which is the most: is it the right file?`)
}

function wrong(code: string, message: string): PeerError {
  return new PeerError({ code, kind: code === 'FILE_STOPPED' ? 'aborted' : 'input', message })
}
