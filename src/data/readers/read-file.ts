/**
 * One input file, read whole. Invariant: what the file itself is to blame for ends as a short reason for the errors file,
 * never as an exception, so that one bad file does not stop a job; what the machine lacks is never called the file's fault.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { systemPath } from '../../base/byte-names.ts'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { systemCode } from '../store/errors.ts'
import { patiently } from './patience.ts'

/** A file's bytes, or why there are none. */
export type FileContent = { bytes: Uint8Array; error?: undefined } | { error: string; bytes?: undefined }

const reasons: Record<string, string> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'is a folder',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'name too long',
}

/** An open input whose size is known, so that the caller decides when to hold its bytes. */
export interface OpenInput {
  bytes: number
  /** Reads it whole and closes it; call once. */
  read(): Promise<FileContent>
  close(): Promise<void>
}

/**
 * Opens a file, or says why it cannot be an input: missing, unreadable, empty, not a file, larger than `limits.inputBytesMax`.
 * Waits for descriptors. @throws PeerError MACHINE_SHORT
 */
export async function openInput(file: string): Promise<OpenInput | { error: string }> {
  let handle: FileHandle | undefined
  try {
    // Not blocking: else a named pipe without a writer would hold a thread for ever.
    handle = await patiently(file, () => open(systemPath(file), constants.O_RDONLY | constants.O_NONBLOCK))
    const stats = await handle.stat()
    const error = refusal(stats.isDirectory(), stats.isFile(), stats.size)
    if (error) {
      await handle.close()
      return { error }
    }
    const opened = handle
    return { bytes: stats.size, read: () => readWhole(file, opened, stats.size), close: () => opened.close() }
  } catch (thrown) {
    await handle?.close().catch(() => {}) // the first error is the one to report
    if (thrown instanceof PeerError) throw thrown
    return { error: reason(thrown) }
  }
}

function refusal(isFolder: boolean, isFile: boolean, bytes: number): string | undefined {
  if (isFolder) return 'is a folder'
  if (!isFile) return 'not a plain file'
  if (bytes === 0) return 'empty file'
  if (bytes > limits.inputBytesMax) return `larger than ${limits.inputBytesMax / 1024 / 1024} MiB`
  return undefined
}

function reason(thrown: unknown): string {
  const code = systemCode(thrown)
  return (code && reasons[code]) ?? `read error${code ? ` (${code})` : ''}`
}

async function readWhole(file: string, handle: FileHandle, size: number): Promise<FileContent> {
  try {
    const bytes = new Uint8Array(size)
    let filled = 0
    while (filled < size) {
      const at = filled
      const { bytesRead } = await patiently(file, () => handle.read(bytes, at, size - at, at))
      if (bytesRead === 0) return { error: 'changed while it was read' }
      filled += bytesRead
    }
    return { bytes }
  } catch (thrown) {
    if (thrown instanceof PeerError) throw thrown
    return { error: reason(thrown) }
  } finally {
    await handle.close()
  }
}
