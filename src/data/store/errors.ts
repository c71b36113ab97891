/** What can go wrong with a store, as errors that say what to do. */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'

/** The `code` of a failed system call (`ENOENT`), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

const advice: Record<string, string> = {
  ENOSPC: 'the disk is full: free some space or choose another data folder',
  EDQUOT: 'your disk quota is used up: free some space or choose another data folder',
  EROFS: 'the file system is read-only: choose another data folder',
  EACCES: 'permission denied: make the folder writable or choose another data folder',
  EPERM: 'permission denied: make the folder writable or choose another data folder',
  ENOTDIR: 'a part of the path is not a folder: choose another data folder',
  EEXIST: 'a part of the path is not a folder: choose another data folder',
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
