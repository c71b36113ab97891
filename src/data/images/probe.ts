/**
 * What a file is, from its first bytes, before a decoder sees it. Invariant: only formats listed here reach the
 * decoder, and a JPEG's size and components are known without a second pass (ISO/IEC 10918-1, annex B: markers).
 */

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif'

/** A JPEG's frame header. */
export interface JpegFrame {
  width: number
  height: number
  /** 1 grey, 3 colour, 4 CMYK or YCCK. */
  components: number
}

const starts: [ImageFormat, number[]][] = [
  ['jpeg', [0xff, 0xd8, 0xff]],
  ['png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['gif', [0x47, 0x49, 0x46, 0x38]],
  ['tiff', [0x49, 0x49, 0x2a, 0x00]],
  ['tiff', [0x4d, 0x4d, 0x00, 0x2a]],
  ['tiff', [0x49, 0x49, 0x2b, 0x00]], // BigTIFF
  ['tiff', [0x4d, 0x4d, 0x00, 0x2b]],
]

/** The format that the first bytes announce; undefined when it is none that we decode. */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  for (const [format, start] of starts) if (start.every((byte, i) => bytes[i] === byte)) return format
  if (textAt(bytes, 0, 4) === 'RIFF' && textAt(bytes, 8, 12) === 'WEBP') return 'webp'
  // An ISO base media file: AVIF by its major brand, or by a compatible one behind a general brand.
  if (textAt(bytes, 4, 8) === 'ftyp' && textAt(bytes, 8, 40).includes('avi')) return 'avif'
  return undefined
}

function textAt(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to))
}

/** The frame header of a JPEG; undefined when there is none before the image data. */
export function jpegFrame(bytes: Uint8Array): JpegFrame | undefined {
  const word = (at: number) => (bytes[at] << 8) | bytes[at + 1]
  let at = 2
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) {
      at++ // stray bytes between segments: decoders skip them too
      continue
    }
    const marker = bytes[at + 1]
    if (marker === 0xff) at++
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker === 0xda || marker === 0xd9) return undefined
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { height: word(at + 5), width: word(at + 7), components: bytes[at + 9] }
    } else at += 2 + Math.max(2, word(at + 2))
  }
  return undefined
}
