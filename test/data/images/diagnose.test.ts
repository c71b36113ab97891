/** Why a file cannot be decoded depends on its bytes alone, however many others are decoded beside it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { decodeImage } from '../../../src/data/images/decode.ts'
import { diagnoseImage } from '../../../src/data/images/diagnose.ts'
import type { ImageFormat } from '../../../src/data/images/probe.ts'
import { shared } from '../../fixtures/shared.ts'

const random = prng(3)
const width = 40
const height = 30
const pixels = Uint8Array.from({ length: 3 * width * height }, () => random.int(256))
const raw = sharp(pixels, { raw: { width, height, channels: 3 } })
const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const
const whole = Object.fromEntries(
  await Promise.all(formats.map(async format => [format, await raw.clone().toFormat(format).toBuffer()] as const)),
) as Record<ImageFormat, Buffer>

function changed(format: ImageFormat, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(whole[format])
  change(bytes)
  return bytes
}
const frame = whole.jpeg.findIndex((byte, i) => byte === 0xff && whole.jpeg[i + 1] === 0xc0)
const idat = whole.png.indexOf('IDAT')
/** A TIFF's one entry of this tag. */
const entry = (bytes: Buffer, tag: number) => {
  const start = bytes.readUInt32LE(4)
  for (let i = 0; i < bytes.readUInt16LE(start); i++) {
    if (bytes.readUInt16LE(start + 2 + 12 * i) === tag) return start + 2 + 12 * i
  }
  throw new Error(`no tag ${tag}`)
}

/** Bytes, and the reason that stands in the errors file. */
const cases: Record<string, [Buffer, string]> = {
  ...Object.fromEntries(
    formats.map(format => [
      `half a ${format}`,
      [whole[format].subarray(0, whole[format].length / 2), `truncated ${format.toUpperCase()}`],
    ]),
  ),
  'jpeg without an end': [whole.jpeg.subarray(0, -2), 'truncated JPEG'],
  'jpeg without a height': [changed('jpeg', b => b.writeUInt16BE(0, frame + 5)), 'damaged JPEG: its size is 40 x 0'],
  'jpeg of 12 bits': [changed('jpeg', b => b.writeUInt8(12, frame + 4)), 'a JPEG of 12 bits a sample is not read'],
  'jpeg, lossless': [changed('jpeg', b => b.writeUInt8(0xc3, frame + 1)), 'a lossless JPEG is not read'],
  'png with a wrong byte': [
    changed('png', b => b.writeUInt8(b[idat + 9] ^ 1, idat + 9)),
    'damaged PNG: the checksum of its chunk IDAT is wrong',
  ],
  'png of other data': [
    changed('png', b => {
      const size = b.readUInt32BE(idat - 4)
      b.fill(7, idat + 4, idat + 4 + size)
      b.writeUInt32BE(crc32(b.subarray(idat, idat + 4 + size)), idat + 4 + size)
    }),
    'damaged PNG: its image data cannot be decoded',
  ],
  'gif of nothing': [
    Buffer.concat([whole.gif.subarray(0, 10), Buffer.from([0, 0, 0, 0x3b])]),
    'damaged GIF: it holds no image',
  ],
  'webp of nothing': [
    Buffer.from('RIFF\x14\0\0\0WEBPEXIF\x08\0\0\0aaaaaaaa', 'latin1'),
    'damaged WEBP: it holds no image data',
  ],
  'tiff of an unknown compression': [
    changed('tiff', b => b.writeUInt16LE(34_887, entry(b, 259) + 8)),
    'a TIFF of the compression 34887 is not read',
  ],
  'tiff without a width': [
    changed('tiff', b => {
      const at = entry(b, 256)
      b.writeUInt16LE(4, at + 2)
      b.writeUInt32LE(0, at + 8)
    }),
    'damaged TIFF: its size is 0 x 30',
  ],
  'animated avif': [changed('avif', b => b.write('avis', 8)), 'an animated AVIF is not read'],
}

async function outcome(bytes: Uint8Array): Promise<string> {
  return decodeImage(bytes).then(
    image => `${image.width} x ${image.height}`,
    thrown => thrown.message,
  )
}

test('the same file, the same reason: alone, and in a crowd of damaged and sound files', async () => {
  const files = [...Object.values(cases), ...formats.map(format => [whole[format], '40 x 30'] as const)]
  const crowd = Array.from({ length: 6 }, () => files).flat()
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.all(crowd.map(([bytes]) => outcome(bytes)))
    expect(outcomes).toEqual(crowd.map(([, expected]) => expected))
  }
  for (const [bytes, expected] of files) expect(await outcome(bytes)).toBe(expected)
})

test('the conditions that others reported', async () => {
  if (!shared) return console.warn('SKIPPED: no ../shared reports of damaged files')
  const folder = join(shared, 'reports/models/damaged')
  const files = readdirSync(folder)
  const seen = new Map<string, Set<string>>()
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      files.map(async file => {
        const kind = file.slice(2)
        const reasons = seen.get(kind) ?? new Set()
        seen.set(kind, reasons.add(await outcome(readFileSync(join(folder, file)))))
      }),
    )
  }
  expect(Object.fromEntries([...seen].map(([kind, reasons]) => [kind, [...reasons]]))).toMatchObject({
    'jpeg-truncated.jpg': ['truncated JPEG'],
    'jpeg-height-0.jpg': ['damaged JPEG: its size is 24 x 0'],
    'png-cut.png': ['truncated PNG'],
    'webp-cut.webp': ['truncated WEBP'],
    'gif-cut.gif': ['truncated GIF'],
  })
  for (const [kind, reasons] of seen) expect([kind, reasons.size]).toEqual([kind, 1])
})

test('whatever bytes there are, a reason comes of them, of one line and the same each time', () => {
  for (let round = 0; round < 3000; round++) {
    const format = formats[random.int(formats.length)]
    const bytes = Uint8Array.from(whole[format].subarray(0, 16 + random.int(whole[format].length - 16)))
    for (let change = random.int(6); change > 0; change--) bytes[random.int(bytes.length)] = random.int(256)
    const found = diagnoseImage(format, bytes)
    expect(found.reason).toMatch(/^[^\n]{4,160}$/)
    expect(diagnoseImage(format, bytes)).toEqual(found)
  }
})
