import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../../src/base/package-root.ts'
import { prng } from '../../../src/base/prng.ts'
import { toGrey } from '../../../src/data/images/apply.ts'
import { decodeImage } from '../../../src/data/images/decode.ts'
import type { ResampleFilter } from '../../../src/data/images/preprocess.ts'
import { type Raster, resample } from '../../../src/data/images/resample.ts'
import { difference, pillow, pillowVersion, runPython } from './pillow.ts'

const filters: ResampleFilter[] = [0, 1, 2, 3, 4, 5]

function noise(width: number, height: number, channels: number, seed = 1): Raster {
  const random = prng(seed)
  return {
    width,
    height,
    channels,
    pixels: Uint8Array.from({ length: width * height * channels }, () => random.int(256)),
  }
}

const sizes = [
  [37, 23],
  [1, 1],
  [36, 23],
  [37, 24],
  [7, 5],
  [74, 46],
  [16, 16],
  [100, 1],
  [1, 50],
  [224, 224],
]

/** SHA-256 over every size and filter of one noisy image, as Pillow 9.4 gives it. */
const pillowSays = {
  3: '1ba3a2891c7fc785928941c63116706f80d4d382a7fd89804bc94ef1455a750b',
  1: '787fbef5ab58311513fd28bce7e0669b9677bcf26abf5b44d400b4d9a80839d6',
}

test.each([3, 1] as const)('noise resized in every way is what Pillow gave, %i channels', channels => {
  const image = noise(37, 23, channels)
  const hash = createHash('sha256')
  for (const [width, height] of sizes)
    for (const filter of filters) hash.update(resample(image, width, height, filter).pixels)
  expect(hash.digest('hex')).toBe(pillowSays[channels])
})

test.skipIf(!pillowVersion)('Pillow on this machine still says the same', () => {
  for (const channels of [3, 1] as const) {
    const script = `
import hashlib, json, sys
from PIL import Image
case = json.load(sys.stdin)
image = Image.frombytes(case['mode'], (37, 23), bytes(case['pixels']))
h = hashlib.sha256()
for size in case['sizes']:
    for f in range(6): h.update(image.resize(size, f).tobytes())
print(h.hexdigest())`
    const mode = channels === 3 ? 'RGB' : 'L'
    const input = JSON.stringify({ mode, sizes, pixels: [...noise(37, 23, channels).pixels] })
    expect(runPython(script, input).toString().trim()).toBe(pillowSays[channels])
  }
})

test('a window is the same pixels as that part of the whole', () => {
  const random = prng(3)
  for (let round = 0; round < 60; round++) {
    const image = noise(1 + random.int(40), 1 + random.int(40), random.pick([1, 3]), round)
    const width = random.int(4) === 0 ? image.width : 1 + random.int(60)
    const height = random.int(4) === 0 ? image.height : 1 + random.int(60)
    const filter = random.pick(filters)
    const left = random.int(width)
    const top = random.int(height)
    const window = { left, top, width: 1 + random.int(width - left), height: 1 + random.int(height - top) }
    const whole = resample(image, width, height, filter)
    const part = resample(image, width, height, filter, window)
    expect([part.width, part.height]).toEqual([window.width, window.height])
    for (let y = 0; y < window.height; y++) {
      const at = ((top + y) * width + left) * image.channels
      const line = window.width * image.channels
      const want = whole.pixels.subarray(at, at + line)
      expect(difference(part.pixels.subarray(y * line, (y + 1) * line), want).count).toBe(0)
    }
  }
})

test('one colour stays that colour, and the same size stays the same image', () => {
  const flat: Raster = { width: 19, height: 31, channels: 3, pixels: new Uint8Array(19 * 31 * 3).fill(255) }
  for (const filter of filters) {
    expect(resample(flat, 53, 11, filter).pixels.every(byte => byte === 255)).toBe(true)
    expect(resample(flat, 19, 31, filter)).toBe(flat)
  }
})

const photos = join(packageRoot, '../shared/data/photos')
const cases = ['bald_eagle', 'china', 'flower', 'pelican'].flatMap(name =>
  [
    { width: 224, height: 224 },
    { width: 32, height: 32 },
    { width: 256, height: 341 },
    { width: 1000, height: 700 },
    { width: 640, height: 100 },
  ].flatMap(size => filters.map(filter => ({ name, ...size, filter }))),
)

if (!pillowVersion || !existsSync(photos)) {
  const missing = pillowVersion ? `no ${photos}` : 'no /usr/bin/python3 with PIL: install python3-pil'
  console.warn(`skipped: ${cases.length * 2 + 1} comparisons of resized photographs with Pillow (${missing})`)
} else {
  // The stated tolerance is none: decoding and resizing together agree with Pillow to the bit.
  test.each(['RGB', 'L'] as const)('photographs, decoded and resized, are what Pillow gives (%s)', async mode => {
    const wanted = pillow(
      cases.map(({ name, width, height, filter }) => ({
        file: join(photos, `${name}.jpg`),
        mode,
        resize: { width, height, filter },
      })),
    )
    for (const [i, { name, width, height, filter }] of cases.entries()) {
      const decoded = await decodeImage(readFileSync(join(photos, `${name}.jpg`)))
      const got = resample(mode === 'L' ? toGrey(decoded) : decoded, width, height, filter)
      expect({ name, width, height, filter, ...difference(got.pixels, wanted[i].pixels) }).toMatchObject({
        max: 0,
        count: 0,
      })
    }
  })
}
