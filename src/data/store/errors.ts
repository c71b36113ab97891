/** What can go wrong with a store, as errors that say what to do. */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'

/** The `code` of a failed system call (`ENOENT`), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

/** Another folder is another peer, which has to be said with it. */
const elsewhere = 'start with another data folder (--data), which is a new peer without the jobs of this one'

const advice: Record<string, string> = {
  ENOSPC: `the disk is full: free some space, or ${elsewhere}`,
  EDQUOT: `your disk quota is used up: free some space, or ${elsewhere}`,
  EROFS: `the file system is read-only: make it writable (a disk may have failed), or ${elsewhere}`,
  EACCES: `permission denied: make the folder writable, or ${elsewhere}`,
  EPERM: `permission denied: make the folder writable, or ${elsewhere}`,
  ENOTDIR: `a part of the path is not a folder: move what is in the way, or ${elsewhere}`,
  EEXIST: `a part of the path is not a folder: move what is in the way, or ${elsewhere}`,
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
  ENFILE: 'too many open files on this machine: close some programs',
}

/** A failed write or read in the store's folder, as one line for the user. */
export function storeError(folder: string, thrown: unknown): PeerError {
  if (thrown instanceof PeerError) return thrown
  const code = systemCode(thrown) ?? 'UNKNOWN'
  const why = advice[code] ?? `${thrown instanceof Error ? thrown.message : String(thrown)}: check the disk`
  return new PeerError({
    code: code === 'ENOSPC' || code === 'EDQUOT' ? 'STORE_FULL' : 'STORE_UNUSABLE',
    kind: 'resource',
    retry: 'later',
    message: `cannot keep blocks in ${folder}: ${why}`,
    details: { folder, system: code },
    cause: thrown,
  })
}

/** Throws when `bytes` is larger than any block may be. */
export function checkBlockSize(bytes: Uint8Array): void {
  if (bytes.length > limits.blockBytesMax) {
    throw new PeerError({
      code: 'BLOCK_TOO_LARGE',
      kind: 'protocol',
      message: `a block of ${bytes.length} bytes is larger than ${limits.blockBytesMax}: cut it first`,
      details: { got: bytes.length, expected: limits.blockBytesMax },
    })
  }
}
