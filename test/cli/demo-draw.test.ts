/** The demo's pictures: the shapes, the rasteriser against simple twins, and the files as they are drawn. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import { createCanvas, type Fill, oklch } from '../../src/cli/demo/canvas.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { drawPicture } from '../../src/cli/demo/picture.ts'
import { fieldReach, shapeField, shapeNames } from '../../src/cli/demo/shapes.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-draw-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const plain = (grey: number): Fill => ({ from: [grey, grey, grey], to: [grey, grey, grey], angle: 0, stripes: 0 })

test.each(shapeNames)('%s: has an inside, fits its disc, and its distances never overstate', name => {
  const random = prng(11)
  for (const variety of [0, 0.5, 1]) {
    const field = shapeField(name, variety)
    let inside = 0
    for (let i = 0; i < 3000; i++) {
      const [x, y] = [random.next() * 3 - 1.5, random.next() * 3 - 1.5]
      const distance = field(x, y)
      if (distance < 0) inside++
      if (Math.hypot(x, y) > fieldReach) expect(distance).toBeGreaterThan(0)
      // A distance cannot change faster than one moves; stretched shapes by 15 % at most.
      const [dx, dy] = [random.normal() * 0.1, random.normal() * 0.1]
      expect(Math.abs(field(x + dx, y + dy) - distance)).toBeLessThanOrEqual(1.15 * Math.hypot(dx, dy) + 1e-9)
    }
    expect(inside / 3000).toBeGreaterThan(0.05)
    expect(inside / 3000).toBeLessThan(0.4)
  }
})

test('a polygon is as far away as its nearest edge: the square against the plain formula', () => {
  const field = shapeField('square', 0)
  const half = 0.98 / Math.SQRT2
  const random = prng(3)
  for (let i = 0; i < 500; i++) {
    const [x, y] = [random.next() * 3 - 1.5, random.next() * 3 - 1.5]
    // Turned by 45 degrees; corners at 0.98 and 1 become a box within a hundredth.
    const offX = Math.abs((x + y) / Math.SQRT2) - half
    const offY = Math.abs((x - y) / Math.SQRT2) - half
    const box = Math.hypot(Math.max(offX, 0), Math.max(offY, 0)) + Math.min(Math.max(offX, offY), 0)
    expect(Math.abs(field(x, y) - box)).toBeLessThan(0.025)
  }
})

test.each([0.05, 0.5, 1, 1.75, 3])('blur by %s agrees with two plain weighted means', radius => {
  const [width, height] = [9, 6]
  const canvas = createCanvas(width, height)
  canvas.cover({ from: [0.1, 0.5, 0], to: [0.9, 0.2, 1], angle: 0.7, stripes: 2 })
  let expected: number[][] = []
  const start = canvas.bytes()
  for (let i = 0; i < width * height; i++) expected.push([...start.slice(i * 3, i * 3 + 3)])
  const mean = (at: (offset: number) => number[]) => {
    const sum = [0, 0, 0]
    for (let offset = -5; offset <= 5; offset++) {
      const weight = Math.min(1, Math.max(0, radius + 1 - Math.abs(offset))) / (2 * radius + 1)
      at(offset).forEach((value, c) => {
        sum[c] += weight * value
      })
    }
    return sum
  }
  const clamp = (i: number, length: number) => Math.min(length - 1, Math.max(0, i))
  for (let pass = 0; pass < 2; pass++) {
    expected = expected.map((_, i) => mean(offset => expected[i - (i % width) + clamp((i % width) + offset, width)]))
    expected = expected.map((_, i) =>
      mean(offset => expected[clamp(Math.floor(i / width) + offset, height) * width + (i % width)]),
    )
  }
  canvas.blur(radius)
  canvas.bytes().forEach((value, i) => {
    expect(Math.abs(value - expected[Math.floor(i / 3)][i % 3])).toBeLessThanOrEqual(1.5)
  })
})

test('paint covers the inside, leaves the outside, and a fill keeps to its two colours', () => {
  const canvas = createCanvas(40, 30)
  canvas.cover(plain(0.2))
  const at = { x: 30, y: 10, radius: 8, angle: 1, squash: 1 }
  canvas.paint({ field: shapeField('circle', 0), at, fill: plain(1), alpha: 0.5, softness: 1 })
  const bytes = canvas.bytes()
  const grey = (x: number, y: number) => bytes[(y * 40 + x) * 3]
  expect(grey(30, 10)).toBe(153)
  expect(grey(30, 16)).toBe(153)
  expect(grey(30, 18)).toBe(51)
  expect(grey(10, 30 - 10)).toBe(51)
})

test('grain has the deviation asked for and no bias', () => {
  const canvas = createCanvas(96, 96)
  canvas.cover(plain(0.5))
  canvas.grain(0.1, prng(5))
  const bytes = canvas.bytes()
  const mean = bytes.reduce((sum, value) => sum + value, 0) / bytes.length
  const deviation = Math.sqrt(bytes.reduce((sum, value) => sum + (value - mean) ** 2, 0) / bytes.length)
  expect(Math.abs(mean - 127.5)).toBeLessThan(2)
  expect(Math.abs(deviation / 255 - 0.1)).toBeLessThan(0.01)
})

test('oklch: white, black, and a red where red is', () => {
  for (const value of oklch(1, 0, 0)) expect(value).toBeCloseTo(1, 3)
  for (const value of oklch(0, 0, 0)) expect(value).toBe(0)
  const [red, green, blue] = oklch(0.628, 0.2577, 0.5102)
  expect(red).toBeCloseTo(1, 2)
  expect(Math.max(green, blue)).toBeLessThan(0.06)
})

test('a picture depends on its own random numbers alone', () => {
  const first = drawPicture('star', prng(42))
  drawPicture('ring', prng(1))
  expect(drawPicture('star', prng(42))).toEqual(first)
  expect(drawPicture('star', prng(43)).pixels).not.toEqual(first.pixels)
  expect(first.pixels.length).toBe(first.width * first.height * 3)
})

test('draws folders of JPEGs by class, the same for a seed, a larger set beginning with the smaller', async () => {
  const [small, large, other] = ['small', 'large', 'other'].map(name => join(scratch, name))
  const seen: number[] = []
  const drawn = await drawSamples(small, { count: 23, seed: 4, onProgress: files => seen.push(files) })
  expect(drawn).toEqual({ classes: [...shapeNames].sort(), files: 23 })
  expect(seen).toEqual(Array.from({ length: 23 }, (_, i) => i + 1))
  await drawSamples(large, { count: 60, seed: 4 })
  await drawSamples(other, { count: 23, seed: 5 })
  const sizes = new Set<string>()
  for (const [item, name] of drawn.classes.entries()) {
    const files = readdirSync(join(small, name)).sort()
    expect(files).toEqual(['0000.jpg', '0001.jpg', '0002.jpg'].slice(0, item < 3 ? 3 : 2))
    for (const file of files) {
      const bytes = readFileSync(join(small, name, file))
      expect(readFileSync(join(large, name, file)).equals(bytes)).toBe(true)
      expect(readFileSync(join(other, name, file)).equals(bytes)).toBe(false)
      const { format, width, height } = await sharp(bytes).metadata()
      expect(format).toBe('jpeg')
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(64)
      expect(Math.max(width, height)).toBeLessThanOrEqual(96)
      sizes.add(`${width}x${height}`)
    }
  }
  expect(sizes.size).toBeGreaterThan(10)
})

test('no pictures are still ten folders', async () => {
  const folder = join(scratch, 'none')
  expect((await drawSamples(folder, { count: 0, seed: 1 })).files).toBe(0)
  expect(readdirSync(folder)).toHaveLength(10)
})
