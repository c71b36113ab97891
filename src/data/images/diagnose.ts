/**
 * Why an image file cannot be decoded, from its own bytes. libvips has one text of errors for the whole process: where several
 * damaged files are decoded at once it gives the reason of one for another. What is said here depends on the file alone, so that
 * a result has the same bytes in every run. Called only once the decoder has refused a file.
 */
import type { ImageFormat } from './probe.ts'

export interface Diagnosis {
  code: 'IMAGE_DAMAGED' | 'IMAGE_TRUNCATED' | 'IMAGE_FORMAT'
  reason: string
}

/** What is wrong inside a file; undefined: nothing that its structure tells. */
type Finding = { truncated: true } | { unread: string } | { damaged: string } | undefined

const truncated: Finding = { truncated: true }
const damaged = (why: string): Finding => ({ damaged: why })
const unread = (what: string): Finding => ({ unread: what })

export function diagnoseImage(format: ImageFormat, bytes: Uint8Array): Diagnosis {
  const name = format.toUpperCase()
  const found = inside(format, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  if (found && 'truncated' in found) return { code: 'IMAGE_TRUNCATED', reason: `truncated ${name}` }
  if (found && 'unread' in found) return { code: 'IMAGE_FORMAT', reason: `${found.unread} is not read` }
  const why = found?.damaged ?? 'its image data cannot be decoded'
  return { code: 'IMAGE_DAMAGED', reason: `damaged ${name}: ${why}` }
}

function inside(format: ImageFormat, view: DataView): Finding {
  try {
    return look[format](view)
  } catch (thrown) {
    if (thrown instanceof RangeError) return truncated // it points beyond its end
    throw thrown
  }
}

const look: Record<ImageFormat, (view: DataView) => Finding> = { jpeg, png, gif, webp, tiff, avif }

const textAt = (view: DataView, at: number, length = 4): string =>
  Array.from({ length: Math.min(length, view.byteLength - at) }, (_, i) =>
    String.fromCharCode(view.getUint8(at + i)),
  ).join('')

/** ISO/IEC 10918-1, annex B. */
function jpeg(view: DataView): Finding {
  const length = view.byteLength
  let framed = false
  for (let at = 2; at + 4 <= length; ) {
    const marker = view.getUint8(at + 1)
    if (view.getUint8(at) !== 0xff || marker === 0xff) {
      at++
      continue
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2
      continue
    }
    if (marker === 0xd9) return damaged('it ends before its image data')
    const size = view.getUint16(at + 2)
    if (size < 2) return damaged('a segment has no length')
    if (marker === 0xda) {
      if (!framed) return damaged('no frame header')
      return endOfScans(view, at + 2 + size) ? undefined : truncated
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame && at + 10 <= length) {
      framed = true
      const found = jpegFrame(view, at, marker)
      if (found) return found
    }
    at += 2 + size
  }
  return truncated
}

function jpegFrame(view: DataView, at: number, marker: number): Finding {
  const [bits, height, width] = [view.getUint8(at + 4), view.getUint16(at + 5), view.getUint16(at + 7)]
  if (width === 0 || height === 0) return damaged(`its size is ${width} x ${height}`)
  if (bits !== 8) return unread(`a JPEG of ${bits} bits a sample`)
  if ([0xc3, 0xc7, 0xcb, 0xcf].includes(marker)) return unread('a lossless JPEG')
  if ([0xc5, 0xc6, 0xcd, 0xce].includes(marker)) return unread('a hierarchical JPEG')
  const components = view.getUint8(at + 9)
  return [1, 3, 4].includes(components) ? undefined : damaged(`it has ${components} components`)
}

/** Whether an end marker follows: inside of coded data 0xff stands before 0 or a restart alone. */
function endOfScans(view: DataView, from: number): boolean {
  for (let at = from; at + 2 <= view.byteLength; at++) {
    if (view.getUint8(at) === 0xff && view.getUint8(at + 1) === 0xd9) return true
  }
  return false
}

/** PNG (third edition), section 5: chunks of a length, a type, data and a checksum. */
function png(view: DataView): Finding {
  let data = false
  for (let at = 8; ; ) {
    if (at + 12 > view.byteLength) return truncated
    const size = view.getUint32(at)
    const type = textAt(view, at + 4)
    if (!/^[A-Za-z]{4}$/.test(type)) return damaged('a chunk has no name')
    if (at + 12 + size > view.byteLength) return truncated
    if (crc32(view, at + 4, size + 4) !== view.getUint32(at + 8 + size)) {
      return damaged(`the checksum of its chunk ${type} is wrong`)
    }
    if (at === 8) {
      if (type !== 'IHDR' || size !== 13) return damaged('it does not begin with a header')
      const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)]
      if (width === 0 || height === 0) return damaged(`its size is ${width} x ${height}`)
    }
    if (type === 'IDAT') data = true
    if (type === 'IEND') return data ? undefined : damaged('it holds no image data')
    at += 12 + size
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})

function crc32(view: DataView, from: number, length: number): number {
  let c = 0xffffffff
  for (let at = from; at < from + length; at++) c = crcTable[(c ^ view.getUint8(at)) & 0xff] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

/** GIF89a, sections 15 to 27: blocks of sub-blocks. */
function gif(view: DataView): Finding {
  const { byteLength: length } = view
  if (length < 13) return truncated
  const table = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0)
  let at = 13 + table(view.getUint8(10))
  let images = 0
  for (;;) {
    if (at >= length) return truncated
    const kind = view.getUint8(at)
    if (kind === 0x3b) return images > 0 ? undefined : damaged('it holds no image')
    if (kind === 0x2c) {
      if (at + 10 > length) return truncated
      const [width, height] = [view.getUint16(at + 5, true), view.getUint16(at + 7, true)]
      if (width === 0 || height === 0) return damaged(`its size is ${width} x ${height}`)
      at += 11 + table(view.getUint8(at + 9))
      images++
    } else if (kind === 0x21) at += 2
    else return damaged('a block is of no known kind')
    for (let size = -1; size !== 0; at += size + 1) {
      if (at >= length) return truncated
      size = view.getUint8(at)
    }
  }
}

/** RFC 9649: a RIFF container. */
function webp(view: DataView): Finding {
  const { byteLength: length } = view
  if (length < 20 || view.getUint32(4, true) + 8 > length) return truncated
  for (let at = 12; at + 8 <= length; ) {
    const type = textAt(view, at)
    const size = view.getUint32(at + 4, true)
    if (at + 8 + size > length) return truncated
    if (type === 'VP8 ' || type === 'VP8L' || type === 'ANMF') return undefined
    at += 8 + size + (size & 1)
  }
  return damaged('it holds no image data')
}

/** TIFF 6.0, section 2, and BigTIFF: the first directory, and where it says that the image lies. */
function tiff(view: DataView): Finding {
  const { byteLength: length } = view
  if (length < 16) return truncated
  const little = view.getUint8(0) === 0x49
  const big = view.getUint16(2, little) === 43
  const whole = (at: number) => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little))
  const start = big ? whole(8) : whole(4)
  const [countBytes, entryBytes] = big ? [8, 20] : [2, 12]
  if (start + countBytes > length) return truncated
  const count = big ? whole(start) : view.getUint16(start, little)
  if (start + countBytes + count * entryBytes > length) return truncated
  const values = (entry: number): number[] => {
    const size = { 1: 1, 3: 2, 4: 4, 16: 8 }[view.getUint16(entry + 2, little)]
    const many = whole(entry + 4)
    const inline = entry + (big ? 12 : 8)
    if (size === undefined) return []
    const at = many * size <= (big ? 8 : 4) ? inline : whole(inline)
    if (at + many * size > length) return [Number.POSITIVE_INFINITY]
    const read = { 1: 'getUint8', 2: 'getUint16', 4: 'getUint32', 8: 'getBigUint64' } as const
    const word = read[size as 1 | 2 | 4 | 8]
    return Array.from({ length: many }, (_, i) => Number(view[word](at + i * size, little)))
  }
  const tags = new Map<number, number[]>()
  for (let i = 0; i < count; i++) {
    const entry = start + countBytes + i * entryBytes
    const tag = view.getUint16(entry, little)
    if (tiffTags.includes(tag)) tags.set(tag, values(entry))
  }
  return tiffImage(tags, length)
}

/** Width, height, compression, colours, offsets and lengths of strips, and of tiles. */
const tiffTags = [256, 257, 259, 262, 273, 279, 324, 325]
const tiffCompressions = [1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50000, 50001]
const tiffColours = [0, 1, 2, 3, 5, 6]

function tiffImage(tags: ReadonlyMap<number, number[]>, length: number): Finding {
  const first = (tag: number) => tags.get(tag)?.[0]
  if (!first(256) || !first(257)) return damaged(`its size is ${first(256) ?? 0} x ${first(257) ?? 0}`)
  const compression = first(259) ?? 1
  if (!tiffCompressions.includes(compression)) return unread(`a TIFF of the compression ${compression}`)
  const colours = first(262)
  if (colours === 8 || colours === 9) return unread('a TIFF in L*a*b* colours')
  if (colours !== undefined && !tiffColours.includes(colours)) return unread(`a TIFF of the colours ${colours}`)
  for (const [offsets, sizes] of [
    [273, 279],
    [324, 325],
  ]) {
    const ends = (tags.get(offsets) ?? []).map((offset, i) => offset + (tags.get(sizes)?.[i] ?? 0))
    if (ends.some(end => end > length)) return truncated
  }
  return tags.has(273) || tags.has(324) ? undefined : damaged('it holds no image data')
}

/** ISO/IEC 14496-12: boxes of a length and a type. */
function avif(view: DataView): Finding {
  const { byteLength: length } = view
  if (textAt(view, 8) === 'avis') return unread('an animated AVIF')
  for (let at = 0; at < length; ) {
    if (at + 8 > length) return truncated
    const size = view.getUint32(at)
    if (size === 0) return undefined // to the end of the file
    const whole = size === 1 && at + 16 <= length ? Number(view.getBigUint64(at + 8)) : size
    if (whole < 8) return damaged('a box has no length')
    if (at + whole > length) return truncated
    at += whole
  }
  return undefined
}
