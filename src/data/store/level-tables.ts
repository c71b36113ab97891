/**
 * Checks LevelDB's tables by the sums that each block has, and cuts damaged blocks out. LevelDB itself checks no sum where it
 * merges or repairs tables, and ends the whole process where keys are then out of order. Invariant: a table that passed has
 * nothing in it that LevelDB did not write.
 *
 * Format: https://github.com/google/leveldb/blob/main/doc/table_format.md; Snappy's: https://github.com/google/snappy
 */
import { readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../base/make-folder.ts'
import { writeWhole } from '../../base/whole-file.ts'

const footerBytes = 48
const magic = 0xdb4775248b80fb57n
/** A block's kind and its sum follow it. */
const trailerBytes = 5
const snappyKind = 1
const emptyBlock = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)

export const isTable = (name: string) => /^\d+\.(ldb|sst)$/.test(name)

interface Handle {
  offset: number
  size: number
}

interface Entry {
  key: Uint8Array
  handle: Handle
}

/**
 * Cuts what is damaged out of the folder's tables; the old ones go to `damaged` in it. Returns the names of those that were;
 * LevelDB has to repair the folder then, for its list of tables has their sizes. Throws what the file system throws.
 */
export async function mendTables(folder: string): Promise<string[]> {
  const mended: string[] = []
  for (const name of (await readdir(folder).catch((): string[] => [])).filter(isTable)) {
    const file = join(folder, name)
    const bytes = await readTable(file)
    if (bytes && isSound(bytes)) continue
    mended.push(name)
    await makeFolder(join(folder, 'damaged'), 0o700)
    await rename(file, join(folder, 'damaged', name))
    const rest = bytes && soundPart(bytes)
    if (rest) await writeWhole(file, rest)
  }
  return mended
}

/** Whether the table at `file` is as LevelDB wrote it; also where there is none any more, for LevelDB removes its own. */
export async function isSoundTable(file: string): Promise<boolean> {
  try {
    return isSound(await readFile(file))
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

/** Undefined where the disk cannot read it. */
async function readTable(file: string): Promise<Uint8Array | undefined> {
  return readFile(file).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'EIO' || thrown.code === 'EISDIR') return undefined
    throw thrown
  })
}

function isSound(table: Uint8Array): boolean {
  const parts = partsOf(table)
  if (!parts) return false
  const { meta, metaEntries, entries } = parts
  return (
    blockIn(table, meta) !== undefined &&
    metaEntries !== undefined &&
    [...metaEntries, ...entries].every(({ handle }) => blockIn(table, handle) !== undefined)
  )
}

interface Parts {
  meta: Handle
  metaEntries?: Entry[]
  /** Of the blocks with the data. */
  entries: Entry[]
}

/** Undefined where nobody can say where the table's blocks are. */
function partsOf(table: Uint8Array): Parts | undefined {
  if (table.length < footerBytes) return undefined
  const footer = table.subarray(table.length - footerBytes)
  if (new DataView(footer.buffer, footer.byteOffset + footerBytes - 8).getBigUint64(0, true) !== magic) return undefined
  const reader = { bytes: footer, at: 0 }
  const meta = handleFrom(reader)
  const index = blockIn(table, handleFrom(reader))
  const entries = index && entriesOf(index)
  if (!entries) return undefined
  const metaBlock = blockIn(table, meta)
  return { meta, entries, metaEntries: metaBlock && entriesOf(metaBlock) }
}

/** A table of the blocks that are sound; undefined without any. Filters, which are a help only, are left out. */
function soundPart(table: Uint8Array): Uint8Array | undefined {
  const entries = (partsOf(table)?.entries ?? []).filter(({ handle }) => blockIn(table, handle) !== undefined)
  if (entries.length === 0) return undefined
  const parts: Uint8Array[] = []
  let at = 0
  const add = (bytes: Uint8Array): number => {
    parts.push(bytes)
    at += bytes.length
    return at - bytes.length
  }
  const moved = entries.map(({ key, handle: { offset, size } }) => ({
    key,
    handle: { offset: add(table.subarray(offset, offset + size + trailerBytes)), size },
  }))
  const meta = { offset: add(withTrailer(emptyBlock)), size: emptyBlock.length }
  const index = indexBlock(moved)
  const indexHandle = { offset: add(withTrailer(index)), size: index.length }
  const footer = new Uint8Array(footerBytes)
  footer.set(Uint8Array.from([...handleBytes(meta), ...handleBytes(indexHandle)]))
  new DataView(footer.buffer).setBigUint64(footerBytes - 8, magic, true)
  add(footer)
  return Buffer.concat(parts)
}

/** A block's content, unpacked; undefined where its sum is wrong. */
function blockIn(table: Uint8Array, { offset, size }: Handle): Uint8Array | undefined {
  if (!(offset >= 0 && size >= 0 && offset + size + trailerBytes <= table.length)) return undefined
  const stated = new DataView(table.buffer, table.byteOffset + offset + size + 1).getUint32(0, true)
  if (masked(crc32c(table, offset, offset + size + 1)) !== stated) return undefined
  const content = table.subarray(offset, offset + size)
  return table[offset + size] === snappyKind ? unsnappy(content) : content
}

function withTrailer(content: Uint8Array): Uint8Array {
  const block = new Uint8Array(content.length + trailerBytes)
  block.set(content)
  new DataView(block.buffer).setUint32(content.length + 1, masked(crc32c(block, 0, content.length + 1)), true)
  return block
}

/** The entries of a block whose values are handles; undefined where it is none. */
function entriesOf(block: Uint8Array): Entry[] | undefined {
  if (block.length < 4) return undefined
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4).getUint32(0, true)
  const end = block.length - 4 - 4 * restarts
  if (end < 0) return undefined
  const reader = { bytes: block, at: 0 }
  const entries: Entry[] = []
  let last: Uint8Array = new Uint8Array(0)
  while (reader.at < end) {
    const [shared, own, valueBytes] = [varint(reader), varint(reader), varint(reader)]
    if (shared > last.length || reader.at + own + valueBytes > end) return undefined
    const key: Uint8Array = Buffer.concat([last.subarray(0, shared), block.subarray(reader.at, reader.at + own)])
    reader.at += own
    const value = { bytes: block.subarray(reader.at, reader.at + valueBytes), at: 0 }
    reader.at += valueBytes
    entries.push({ key, handle: handleFrom(value) })
    last = key
  }
  return entries
}

function indexBlock(entries: readonly Entry[]): Uint8Array {
  const parts: Uint8Array[] = []
  const restarts = new DataView(new ArrayBuffer(4 * entries.length + 4))
  let at = 0
  for (const [index, { key, handle }] of entries.entries()) {
    restarts.setUint32(4 * index, at, true)
    const value = handleBytes(handle)
    const entry = Uint8Array.from([
      ...varintBytes(0),
      ...varintBytes(key.length),
      ...varintBytes(value.length),
      ...key,
      ...value,
    ])
    parts.push(entry)
    at += entry.length
  }
  restarts.setUint32(4 * entries.length, entries.length, true)
  return Buffer.concat([...parts, new Uint8Array(restarts.buffer)])
}

interface Reader {
  bytes: Uint8Array
  at: number
}

/** Of at most 53 bits, as all are that a file's length bounds; beyond the end it is NaN, which no bound admits. */
function varint(reader: Reader): number {
  let value = 0
  for (let factor = 1; factor < 2 ** 53; factor *= 128) {
    const byte = reader.bytes[reader.at++] ?? Number.NaN
    value += (byte & 127) * factor
    if (!(byte >= 128)) return Number.isNaN(byte) ? byte : value
  }
  return Number.NaN
}

function varintBytes(value: number): number[] {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
  return [...bytes, value]
}

const handleFrom = (reader: Reader): Handle => ({ offset: varint(reader), size: varint(reader) })
const handleBytes = ({ offset, size }: Handle) => [...varintBytes(offset), ...varintBytes(size)]

/** Blocks of tables have some kilobytes; one record may be as large as a block of ours. */
const unpackedBytesMax = 64 * 1024 * 1024

/** Undefined for what is no Snappy. */
function unsnappy(packed: Uint8Array): Uint8Array | undefined {
  const reader = { bytes: packed, at: 0 }
  const length = varint(reader)
  if (!(length <= unpackedBytesMax)) return undefined
  const out = new Uint8Array(length)
  let to = 0
  const number = (bytes: number) => {
    let value = 0
    for (let i = 0; i < bytes; i++) value += (packed[reader.at++] ?? 0) * 256 ** i
    return value
  }
  while (reader.at < packed.length) {
    const tag = packed[reader.at++]
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >> 2
      const bytes = 1 + (short < 60 ? short : number(short - 59))
      if (reader.at + bytes > packed.length || to + bytes > length) return undefined
      out.set(packed.subarray(reader.at, reader.at + bytes), to)
      reader.at += bytes
      to += bytes
      continue
    }
    const bytes = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
    const back = kind === 1 ? (tag >> 5) * 256 + number(1) : number(kind === 2 ? 2 : 4)
    if (back === 0 || back > to || to + bytes > length) return undefined
    for (let i = 0; i < bytes; i++, to++) out[to] = out[to - back]
  }
  return to === length ? out : undefined
}

/**
 * Castagnoli's polynomial, reversed; eight tables of 256, so that eight bytes take one step (Kounavis and Berry, "A systematic
 * approach to building high performance software-based CRC generators").
 */
const sums = new Uint32Array(8 * 256)
for (let byte = 0; byte < 256; byte++) {
  let sum = byte
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  sums[byte] = sum
}
for (let at = 256; at < sums.length; at++) sums[at] = (sums[at - 256] >>> 8) ^ sums[sums[at - 256] & 255]

function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0xffffffff
  let i = from
  for (; i + 8 <= to; i += 8) {
    sum =
      sums[1792 + ((sum ^ bytes[i]) & 255)] ^
      sums[1536 + (((sum >>> 8) ^ bytes[i + 1]) & 255)] ^
      sums[1280 + (((sum >>> 16) ^ bytes[i + 2]) & 255)] ^
      sums[1024 + ((sum >>> 24) ^ bytes[i + 3])] ^
      sums[768 + bytes[i + 4]] ^
      sums[512 + bytes[i + 5]] ^
      sums[256 + bytes[i + 6]] ^
      sums[bytes[i + 7]]
  }
  for (; i < to; i++) sum = sums[(sum ^ bytes[i]) & 255] ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}

/** LevelDB stores sums rotated and shifted, for bytes may hold sums themselves. */
const masked = (sum: number) => (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0
