/**
 * Anything longer than a block, cut and joined. Invariant: every block but the last has `limits.blockBytes`, so the
 * same bytes always give the same list, whatever the pieces in which they came.
 */
import { PeerError } from '../../base/errors.ts'
import { type BlockId, isBlockId, shortId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { BlockList, BlockStore } from './types.ts'

/** Anything that finds a block and has checked its hash: a store, or a fetch from other peers. */
export type GetBlock = (id: BlockId) => Promise<Uint8Array | undefined>

/** Blocks asked for at once: enough to hide a round trip, few enough to bound memory. */
const readAhead = 8

/** Cuts a stream into pieces of `limits.blockBytes`; each piece is a view that is valid until the next is asked for. */
export async function* cutBlocks(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // As large as what has come needs: of a folder of small files each is cut by itself.
  let buffer = new Uint8Array(0)
  let filled = 0
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      if (filled === 0 && piece.length - at >= limits.blockBytes) {
        yield piece.subarray(at, at + limits.blockBytes)
        at += limits.blockBytes
        continue
      }
      const taken = Math.min(limits.blockBytes - filled, piece.length - at)
      if (filled + taken > buffer.length) buffer = grown(buffer, filled, filled + taken)
      buffer.set(piece.subarray(at, at + taken), filled)
      filled += taken
      at += taken
      if (filled === limits.blockBytes) {
        yield buffer.subarray(0, filled)
        filled = 0
      }
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled)
}

/** Twice as long or as long as is needed, a block at most. */
function grown(buffer: Uint8Array, filled: number, needed: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(needed, Math.min(2 * buffer.length, limits.blockBytes)))
  larger.set(buffer.subarray(0, filled))
  return larger
}

/** Puts `source` into `store`. No bytes at all give an empty list. Throws what the store and the source throw. */
export async function writeBlocks(
  store: Pick<BlockStore, 'put'>,
  source: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<BlockList> {
  const list: BlockList = { bytes: 0, blocks: [] }
  for await (const piece of cutBlocks(source instanceof Uint8Array ? [source] : source)) {
    list.bytes += piece.length
    list.blocks.push(await store.put(piece))
  }
  return list
}

/**
 * Checks a list that came from outside: at most `bytesMax` bytes, and exactly the blocks that so many bytes have.
 * Throws PeerError of kind `protocol`.
 */
export function checkBlockList(list: BlockList, bytesMax: number = limits.modelBytesMax): void {
  const refuse = (reason: string) => {
    throw new PeerError({
      code: 'BLOCK_LIST_INVALID',
      kind: 'protocol',
      message: `a list of blocks is not valid: ${reason}`,
    })
  }
  if (!Number.isSafeInteger(list.bytes) || list.bytes < 0) refuse(`${list.bytes} bytes`)
  if (list.bytes > bytesMax) refuse(`${list.bytes} bytes, at most ${bytesMax} are taken`)
  const expected = Math.ceil(list.bytes / limits.blockBytes)
  if (list.blocks.length !== expected) refuse(`${list.blocks.length} blocks, ${list.bytes} bytes have ${expected}`)
  if (!list.blocks.every(isBlockId)) refuse('an entry is not a block id')
}

/**
 * The bytes of a list, one block after the other, each checked for its length. Throws PeerError: `protocol` for a
 * list that cannot be, `resource` (retry elsewhere) for a block that is nowhere, `integrity` for one of a wrong length.
 */
export async function* streamBlocks(
  get: GetBlock,
  list: BlockList,
  bytesMax: number = limits.modelBytesMax,
): AsyncIterable<Uint8Array> {
  checkBlockList(list, bytesMax)
  const coming: Promise<Uint8Array | undefined>[] = []
  const request = (index: number) => {
    if (index >= list.blocks.length) return
    const block = get(list.blocks[index])
    block.catch(() => {}) // it is awaited in its turn; until then a rejection is not a crash
    coming.push(block)
  }
  for (let i = 0; i < readAhead; i++) request(i)
  for (const [index, id] of list.blocks.entries()) {
    const bytes = await coming.shift()
    request(index + readAhead)
    if (!bytes) {
      throw new PeerError({
        code: 'BLOCK_MISSING',
        kind: 'resource',
        retry: 'elsewhere',
        message: `block ${shortId(id)} (${index + 1} of ${list.blocks.length}) was found nowhere: is the peer that had it gone?`,
        details: { block: id },
      })
    }
    const expected = Math.min(limits.blockBytes, list.bytes - index * limits.blockBytes)
    if (bytes.length !== expected) {
      throw new PeerError({
        code: 'BLOCK_LENGTH',
        kind: 'integrity',
        message: `block ${shortId(id)} has ${bytes.length} bytes where its list needs ${expected}`,
        details: { block: id, expected, got: bytes.length },
      })
    }
    yield bytes
  }
}

/** The whole of a list in one array of its own; throws as `streamBlocks` does, before it allocates. */
export async function readBlocks(
  get: GetBlock,
  list: BlockList,
  bytesMax: number = limits.modelBytesMax,
): Promise<Uint8Array> {
  checkBlockList(list, bytesMax)
  const whole = new Uint8Array(list.bytes)
  let at = 0
  for await (const bytes of streamBlocks(get, list, bytesMax)) {
    whole.set(bytes, at)
    at += bytes.length
  }
  return whole
}
