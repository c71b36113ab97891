/**
 * Inputs into shards. A shard is a table block (dag-cbor: each item's path and bytes, or why it could not be read)
 * and then data blocks: the files' bytes one after the other, cut at `limits.blockBytes`. Invariant: where shards
 * are cut depends on the files and the options alone, never on timing or on who reads; and what comes back from
 * another peer is checked in every length before it is used.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { assert, PeerError } from '../base/errors.ts'
import type { BlockId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { InputFile } from './readers/inputs.ts'
import { type FileContent, openInput } from './readers/read-file.ts'
import { cutBlocks } from './store/block-list.ts'
import type { BlockStore } from './store/types.ts'

export interface CutShardsInit {
  /** A shard has at most this many items. More make better use of a device, fewer share work more evenly. Default 256. */
  itemsPerShard?: number
  /** A shard has at most so many bytes of files, unless one file alone has more. Default 8 MiB. */
  bytesPerShard?: number
}

/** A shard that is in the store. */
export interface CutShard {
  /** Items, unreadable ones included. */
  items: number
  /** Bytes of the readable ones. */
  bytes: number
  /** The table block, then the data blocks. */
  blocks: BlockId[]
}

/** One item of a shard as an assignee sees it: the file's bytes, or why there are none. */
export interface ShardItem {
  path: string
  /** A view into the blocks; copy it to keep it. */
  bytes?: Uint8Array
  error?: string
}

/** POSIX's PATH_MAX. */
const pathCharactersMax = 4096
const errorCharactersMax = 1024
/** Files opened ahead of the one that is being stored: hides the disk's latency. */
const readAhead = 32
/** Larger files are read only in their turn, so that reading ahead holds at most readAhead times this. */
const readAheadBytesMax = 512 * 1024
/** The table of a shard stays one block: so much of it may be paths and reasons, the rest is cbor. */
const tableTextBytesMax = limits.blockBytes

const tableSchema = z.strictObject({
  version: z.literal(1),
  items: z
    .array(
      z.strictObject({
        path: z.string().max(pathCharactersMax),
        bytes: z.int().min(0).max(limits.inputBytesMax),
        error: z.string().min(1).max(errorCharactersMax).optional(),
      }),
    )
    .max(limits.shardItemsMax),
})
type TableItem = z.infer<typeof tableSchema>['items'][number]

/**
 * Reads `entries` in order into `store` and yields each shard once all of it is stored. No shard is empty. Throws what
 * the store and `entries` throw; a file that cannot be read is an item with an error.
 */
export async function* cutShards(
  entries: AsyncIterable<InputFile> | Iterable<InputFile>,
  store: Pick<BlockStore, 'put'>,
  init: CutShardsInit = {},
): AsyncIterable<CutShard> {
  const itemsMax = init.itemsPerShard ?? 256
  const bytesMax = init.bytesPerShard ?? 8 * 1024 * 1024
  assert(Number.isInteger(itemsMax) && itemsMax >= 1 && itemsMax <= limits.shardItemsMax, 'items per shard in bounds')
  assert(bytesMax >= 1 && bytesMax <= (limits.shardBlocksMax - 2) * limits.blockBytes, 'bytes per shard in bounds')

  let open = emptyShard()
  for await (const { path, content } of contents(entries)) {
    const bytes = content.bytes?.length ?? 0
    const textBytes = Buffer.byteLength(path) + (content.error?.length ?? 0)
    const full =
      open.table.length === itemsMax || open.bytes + bytes > bytesMax || open.textBytes + textBytes > tableTextBytesMax
    if (full && open.table.length > 0) {
      yield await storeShard(open, store)
      open = emptyShard()
    }
    open.table.push(content.bytes ? { path, bytes } : { path, bytes, error: content.error })
    if (content.bytes) open.files.push(content.bytes)
    open.bytes += bytes
    open.textBytes += textBytes
  }
  if (open.table.length > 0) yield await storeShard(open, store)
}

interface OpenShard {
  table: TableItem[]
  files: Uint8Array[]
  bytes: number
  textBytes: number
}

function emptyShard(): OpenShard {
  return { table: [], files: [], bytes: 0, textBytes: 0 }
}

async function storeShard(shard: OpenShard, store: Pick<BlockStore, 'put'>): Promise<CutShard> {
  const blocks = [await store.put(encode({ version: 1, items: shard.table }))]
  for await (const piece of cutBlocks(shard.files)) blocks.push(await store.put(piece))
  return { items: shard.table.length, bytes: shard.bytes, blocks }
}

type Ahead = { path: string; large?: () => Promise<FileContent>; content?: FileContent }

/** Every entry's content in order, with the next ones being opened and, where small, read. */
async function* contents(
  entries: AsyncIterable<InputFile> | Iterable<InputFile>,
): AsyncIterable<{ path: string; content: FileContent }> {
  const ahead: Promise<Ahead>[] = []
  const inTurn = async (next: Promise<Ahead>) => {
    const { path, content, large } = await next
    return { path, content: content ?? (await large?.()) ?? { error: 'read error' } }
  }
  try {
    for await (const entry of entries) {
      const next = start(entry)
      next.catch(() => {}) // seen in its turn
      ahead.push(next)
      if (ahead.length > readAhead) yield await inTurn(ahead.shift()!)
    }
    for (let next = ahead.shift(); next; next = ahead.shift()) yield await inTurn(next)
  } finally {
    // Whoever stops early leaves no file open.
    await Promise.allSettled(ahead)
  }
}

async function readInput(file: string): Promise<FileContent> {
  const input = await openInput(file)
  return 'error' in input ? input : input.read()
}

async function start({ path, file }: InputFile): Promise<Ahead> {
  if (path.length > pathCharactersMax)
    return { path: path.slice(0, pathCharactersMax), content: { error: 'name too long' } }
  const input = await openInput(file)
  if ('error' in input) return { path, content: input }
  if (input.bytes > readAheadBytesMax) {
    // Opened again in its turn: what waits holds no descriptor that an earlier one may need.
    await input.close()
    return { path, large: () => readInput(file) }
  }
  return { path, content: await input.read() }
}

/**
 * A shard's items from its blocks' bytes, in order: the table, then the data. The blocks come from a peer that is not
 * trusted to have cut them well. Throws PeerError of kind `protocol` when anything does not fit.
 */
export function readShard(blocks: readonly Uint8Array[]): { items: ShardItem[] } {
  const [table, ...data] = blocks
  if (!table || blocks.length > limits.shardBlocksMax) throw shardError(`it has ${blocks.length} blocks`)
  const { items } = readTable(table)
  const total = items.reduce((sum, item) => sum + item.bytes, 0)
  const expected = Math.ceil(total / limits.blockBytes)
  if (data.length !== expected) throw shardError(`its table needs ${expected} data blocks, it has ${data.length}`)
  for (const [index, block] of data.entries()) {
    const bytes = Math.min(limits.blockBytes, total - index * limits.blockBytes)
    if (block.length !== bytes) throw shardError(`data block ${index} has ${block.length} bytes and not ${bytes}`)
  }
  let at = 0
  return {
    items: items.map(({ path, bytes, error }) => {
      if (error !== undefined) return { path, error }
      at += bytes
      return { path, bytes: cutOut(data, at - bytes, at) }
    }),
  }
}

/** The paths of a shard's items, from its table block alone. Throws as `readShard` does. */
export function readShardPaths(table: Uint8Array): string[] {
  return readTable(table).items.map(item => item.path)
}

function readTable(block: Uint8Array): z.infer<typeof tableSchema> {
  if (block.length > limits.blockBytesMax) throw shardError('its table is too large')
  let decoded: unknown
  try {
    decoded = decode(block)
  } catch (thrown) {
    throw shardError('its table is not dag-cbor', thrown)
  }
  const table = tableSchema.safeParse(decoded)
  if (!table.success) throw shardError('its table has not the right form', table.error)
  for (const item of table.data.items) {
    if ((item.bytes === 0) !== (item.error !== undefined)) throw shardError('an item has neither bytes nor an error')
  }
  return table.data
}

/** Bytes `from` … `to` of the joined blocks: a view where they lie in one block, else a copy. */
function cutOut(data: readonly Uint8Array[], from: number, to: number): Uint8Array {
  const size = limits.blockBytes
  const first = Math.floor(from / size)
  if (to <= (first + 1) * size) return data[first].subarray(from - first * size, to - first * size)
  const whole = new Uint8Array(to - from)
  for (let index = first; index * size < to; index++) {
    const start = Math.max(from, index * size)
    whole.set(data[index].subarray(start - index * size, Math.min(to, (index + 1) * size) - index * size), start - from)
  }
  return whole
}

function shardError(reason: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'SHARD_INVALID',
    kind: 'protocol',
    retry: 'elsewhere',
    message: `a shard is not valid: ${reason}; the peer that cut it may run another version`,
    cause,
  })
}
