/**
 * A shard's result as it travels: in front of its bytes a hash of what it was made of (the shard's blocks, the round's
 * parameters). Invariant: a leader merges a result only where it belongs, whatever its messages say of it. It does not
 * prove that the result is right, only that it was made for this shard: a member of the mesh is trusted to compute.
 */
import { createHash } from 'node:crypto'
import type { BlockId } from '../../base/ids.ts'

const sealBytes = 32

/** What a result is made of. */
export interface ResultOrigin {
  /** The shard's blocks, in order. */
  blocks: readonly BlockId[]
  /** The block of the round's parameters, of a job in rounds. */
  params?: BlockId
}

function sealOf({ blocks, params = '' }: ResultOrigin): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([params, ...blocks]))
    .digest()
}

export function sealResult(origin: ResultOrigin, bytes: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(sealBytes + bytes.length)
  sealed.set(sealOf(origin))
  sealed.set(bytes, sealBytes)
  return sealed
}

/** The result's bytes; undefined where it was made of something else. */
export function openResult(origin: ResultOrigin, sealed: Uint8Array): Uint8Array | undefined {
  const same = sealed.length >= sealBytes && sealOf(origin).equals(sealed.subarray(0, sealBytes))
  return same ? sealed.subarray(sealBytes) : undefined
}
