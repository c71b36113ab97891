import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { cmykToRgb, decodeImage } from '../../../src/data/images/decode.ts'
import { makeImages } from './make-images.ts'
import { difference, pillow, pillowVersion } from './pillow.ts'

const folder = mkdtempSync(join(tmpdir(), 'shardmesh-decode-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function failure(bytes: Uint8Array): Promise<PeerError> {
  const thrown = await decodeImage(bytes).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(thrown instanceof PeerError)) throw new Error(`decoded, or threw ${String(thrown)}`)
  expect(thrown.kind).toBe('input')
  expect(thrown.message).toMatch(/^[^\n]{4,160}$/)
  return thrown
}

if (pillowVersion) {
  const names = makeImages(folder)
  const wanted = pillow(names.map(name => ({ file: join(folder, name), mode: 'RGB' })))
  // Both sides use libjpeg-turbo, libpng, libwebp: the pixels agree to the bit.
  test.each(names.map((name, i) => [name, wanted[i]] as const))(
    `%s decodes as Pillow ${pillowVersion} does`,
    async (name, want) => {
      const got = await decodeImage(readFileSync(join(folder, name)))
      expect({ width: got.width, height: got.height, channels: got.channels }).toEqual({
        width: want.width,
        height: want.height,
        channels: 3,
      })
      expect(difference(got.pixels, want.pixels)).toEqual({ max: 0, count: 0 })
    },
  )
} else {
  console.warn('skipped: 46 comparisons of decoding with Pillow (no /usr/bin/python3 with PIL: install python3-pil)')
}

const noise = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (Math.imul(i, 2654435761) >>> 24) & 255)
const raw = sharp(noise, { raw: { width: 64, height: 48, channels: 3 } })

test('PNG is lossless, 16 bits become 8 by their high byte', async () => {
  expect(difference((await decodeImage(await raw.clone().png().toBuffer())).pixels, noise).count).toBe(0)
  const deep = Uint16Array.from(noise, byte => byte * 257)
  const grey16 = await sharp(deep, { raw: { width: 64, height: 48, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer()
  expect((await sharp(grey16).metadata()).depth).toBe('ushort')
  expect(difference((await decodeImage(grey16)).pixels, noise).count).toBe(0)
})

test('AVIF decodes', async () => {
  const { width, height } = await decodeImage(await raw.clone().avif().toBuffer())
  expect([width, height]).toEqual([64, 48])
})

describe('what is no image becomes a short reason', () => {
  test('by its bytes', async () => {
    expect((await failure(new Uint8Array(0))).message).toBe('empty file')
    expect((await failure(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>'))).code).toBe(
      'IMAGE_FORMAT',
    )
    expect((await failure(new TextEncoder().encode('hello'))).code).toBe('IMAGE_FORMAT')
    expect((await failure(Uint8Array.of(0xff, 0xd8, 0xff))).code).toBe('IMAGE_DAMAGED')
  })

  test('a file that ends early is never half an image', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff'] as const) {
      const whole = await raw.clone().toFormat(format).toBuffer()
      for (const part of [0.3, 0.6, 0.9]) await failure(whole.subarray(0, whole.length * part))
    }
    const jpeg = await raw.clone().jpeg().toBuffer()
    expect((await failure(jpeg.subarray(0, jpeg.length / 2))).message).toBe('truncated JPEG')
  })

  test('a header that promises too much is refused before anything is allocated', async () => {
    const jpeg = Uint8Array.from(await raw.clone().jpeg().toBuffer())
    const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0)
    jpeg.set([0x75, 0x30, 0x75, 0x30], frame + 5)
    expect((await failure(jpeg)).message).toBe('30000 x 30000 pixels, more than 268 million')
    const png = Buffer.from(await raw.clone().png().toBuffer())
    for (const [width, height, reason] of [
      [30_000, 30_000, '30000 x 30000 pixels, more than 268 million'],
      [200_000, 1, '200000 x 1 pixels, a side may have 100000'],
    ] as const) {
      png.writeUInt32BE(width, 16)
      png.writeUInt32BE(height, 20)
      png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
      expect((await failure(png)).message).toBe(reason)
    }
  })
})

test('ink to light, at the ends', () => {
  const ink = Uint8Array.of(0, 0, 0, 0, 255, 0, 128, 0, 10, 20, 30, 255, 0, 255, 255, 128)
  expect([...cmykToRgb(ink, 4)]).toEqual([255, 255, 255, 0, 255, 127, 0, 0, 0, 127, 0, 0])
})

/** 3 x 2 pixels with a frame of one at (1, 1); palette 10 20 30, 200 100 50, blue, white. Pillow's pixels. */
test.each([
  ['no transparent index', 'R0lGODlhAwACAJECAAoUHshkMgAA/////ywBAAEAAQABAAACAkwBADs=', [10, 20, 30]],
  [
    'white as the transparent index',
    'R0lGODlhAwACAJECAAoUHshkMgAA/////yH5BAEAAAMALAEAAQABAAEAAAICTAEAOw==',
    [255, 255, 255],
  ],
])('a GIF whose frame is smaller than its canvas: %s', async (_what, base64, around) => {
  const { pixels, width, height } = await decodeImage(new Uint8Array(Buffer.from(base64, 'base64')))
  expect([width, height]).toEqual([3, 2])
  const place = (n: number) => [...pixels.subarray(3 * n, 3 * n + 3)]
  expect([0, 1, 2, 3, 4, 5].map(place)).toEqual([around, around, around, around, [200, 100, 50], around])
})

test('16-bit grey is cut off at 255, as Pillow does', async () => {
  const grey = Uint16Array.of(0, 100, 255, 256, 40_000, 65_535)
  const image = sharp(grey, { raw: { width: 3, height: 2, channels: 1 } }).toColourspace('grey16')
  for (const format of ['png', 'tiff'] as const) {
    const { pixels } = await decodeImage(await image.clone().toFormat(format, { compression: 'none' }).toBuffer())
    expect(
      [0, 1, 2, 3, 4, 5].map(n => pixels[3 * n]),
      format,
    ).toEqual([0, 100, 255, 255, 255, 255])
  }
})
