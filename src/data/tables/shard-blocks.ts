/**
 * A table's shard as blocks: a head (dag-cbor: how many rows, which columns, what the labels are), then the features, row by
 * row in float32, the labels and each column of texts as places in its distinct ones, as bytes one after the other, cut at `limits.blockBytes`. Little-endian, as every
 * machine that runs this is.
 *
 * Invariant: the same rows give the same blocks; and what comes back from another peer is checked in every length before it
 * is used.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { assert, PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { CutShard } from '../sharding.ts'
import { cutBlocks } from '../store/block-list.ts'
import type { BlockStore } from '../store/types.ts'
import type { LabelColumn, TableShard, TextColumn } from './types.ts'

const text = z.string().max(limits.cellCharsMax)

const headSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('table'),
  index: z.int().min(0).max(limits.shardsMax),
  firstRow: z.int().min(0),
  rows: z.int().min(1).max(limits.tableShardRowsMax),
  columns: z.array(text).max(limits.tableColumnsMax),
  /** Names of the classes, or that the labels are numbers; absent: there are none. */
  label: z.union([z.array(text).max(limits.labelsMax), z.literal('number')]).optional(),
  /** The distinct texts of each column of texts; absent: there are none. */
  texts: z
    .array(z.strictObject({ name: text, texts: z.array(text).min(1).max(limits.tableShardRowsMax) }))
    .min(1)
    .max(limits.tableColumnsMax)
    .optional(),
})
type Head = z.infer<typeof headSchema>

/** Stores one shard. Throws what the store throws. */
export async function storeTableShard(shard: TableShard, store: Pick<BlockStore, 'put'>): Promise<CutShard> {
  const { index, firstRow, rows, columns, x, label, texts } = shard
  assert(x.length === rows * columns.length, 'a shard has a value for each row and column')
  const head: Head = { version: 1, kind: 'table', index, firstRow, rows, columns: [...columns] }
  if (label) head.label = label.kind === 'class' ? [...label.names] : 'number'
  if (texts) head.texts = texts.map(column => ({ name: column.name, texts: [...column.texts] }))
  const first = encode(head)
  // Only names can make it so long.
  if (first.length > limits.blockBytesMax) {
    throw new PeerError({
      code: 'TABLE_NAMES_TOO_LONG',
      kind: 'input',
      message: `the texts of ${rows} rows, and the names of columns and labels, take ${first.length} bytes, at most ${limits.blockBytesMax} are taken: take fewer rows a shard`,
    })
  }
  const blocks = [await store.put(first)]
  const parts = [raw(x), ...(label ? [raw(label.kind === 'class' ? label.codes : label.values)] : [])]
  for (const { codes } of texts ?? []) parts.push(raw(codes))
  let bytes = 0
  for await (const piece of cutBlocks(parts)) {
    bytes += piece.length
    blocks.push(await store.put(piece))
  }
  return { items: rows, bytes, blocks }
}

/** Shards in the order in which they are to lie in the job. */
export async function* storeTableShards(
  shards: AsyncIterable<TableShard>,
  store: Pick<BlockStore, 'put'>,
): AsyncIterable<CutShard> {
  for await (const shard of shards) yield await storeTableShard(shard, store)
}

/**
 * @param missing whether a value may be NaN, which stands for one that is missing
 * @param memory gives the bytes that the features will lie in, from a multiple of 4 on; default: new ones
 * @throws PeerError kind `protocol` when anything does not fit
 */
export function readTableShard(
  blocks: readonly Uint8Array[],
  missing = false,
  memory: (bytes: number) => Uint8Array = bytes => new Uint8Array(bytes),
): TableShard {
  const [first, ...data] = blocks
  if (!first || blocks.length > limits.shardBlocksMax) throw shardError(`it has ${blocks.length} blocks`)
  const { index, firstRow, rows, columns, label, texts } = readHead(first)
  const values = rows * columns.length
  const textCodes = rows * (texts?.length ?? 0)
  if (values + textCodes > limits.tableShardValuesMax) throw shardError(`it has ${values + textCodes} values`)
  if (columns.length === 0 && !texts) throw shardError('it has no columns')
  const labelBytes = label === undefined ? 0 : label === 'number' ? 8 * rows : 4 * rows
  const total = 4 * values + labelBytes + 4 * textCodes
  if (data.length !== Math.ceil(total / limits.blockBytes)) throw shardError(`it has ${data.length} data blocks`)
  const joined = memory(total)
  for (const [i, block] of data.entries()) {
    const expected = Math.min(limits.blockBytes, total - i * limits.blockBytes)
    if (block.length !== expected) throw shardError(`data block ${i} has ${block.length} bytes and not ${expected}`)
    joined.set(block, i * limits.blockBytes)
  }
  const x = new Float32Array(joined.buffer, joined.byteOffset, values)
  if (!missing && x.some(Number.isNaN)) throw shardError('it has a value that is not a number')
  const shard: TableShard = { index, firstRow, rows, columns, x }
  if (label !== undefined) shard.label = readLabels(label, joined.slice(4 * values, 4 * values + labelBytes))
  if (texts) {
    const codes = new Uint32Array(joined.slice(4 * values + labelBytes).buffer)
    shard.texts = texts.map((column, i) => readTexts(column, codes.subarray(i * rows, (i + 1) * rows)))
  }
  return shard
}

function readTexts(column: { name: string; texts: string[] }, codes: Uint32Array): TextColumn {
  if (codes.some(code => code >= column.texts.length)) throw shardError('a text is missing')
  return { ...column, codes }
}

function readHead(block: Uint8Array): Head {
  if (block.length > limits.blockBytesMax) throw shardError('its head is too large')
  let decoded: unknown
  try {
    decoded = decode(block)
  } catch (thrown) {
    throw shardError('its head is not dag-cbor', thrown)
  }
  const head = headSchema.safeParse(decoded)
  if (!head.success) throw shardError('its head has not the right form', head.error)
  return head.data
}

function readLabels(label: NonNullable<Head['label']>, bytes: Uint8Array): LabelColumn {
  const { buffer } = new Uint8Array(bytes)
  if (label === 'number') return { kind: 'number', values: new Float64Array(buffer) }
  const codes = new Uint32Array(buffer)
  if (codes.some(code => code >= label.length)) throw shardError('a label has no name')
  return { kind: 'class', names: label, codes }
}

function raw({ buffer, byteOffset, byteLength }: Float32Array | Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function shardError(reason: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'SHARD_INVALID',
    kind: 'protocol',
    retry: 'elsewhere',
    message: `a table's shard is not valid: ${reason}; the peer that cut it may run another version`,
    cause,
  })
}
