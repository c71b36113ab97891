import sharp from 'sharp'
import { expect, test } from 'vitest'
import { encodeJpeg } from '../../../src/data/images/encode.ts'

test('a drawn picture comes back from its JPEG nearly as it was, in the same orientation', async () => {
  const [width, height] = [24, 10]
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
    return channel === 0 ? x * 10 : channel === 1 ? y * 20 : 80
  })
  const before = pixels.slice()
  const { data, info } = await sharp(await encodeJpeg(pixels, width, height, 95))
    .raw()
    .toBuffer({ resolveWithObject: true })
  expect([info.width, info.height, info.channels]).toEqual([width, height, 3])
  const worst = Math.max(...data.map((value, i) => Math.abs(value - pixels[i])))
  expect(worst).toBeLessThan(30)
  expect(pixels).toEqual(before)
})

test('a lower quality makes a smaller file', async () => {
  const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256)
  const [low, high] = await Promise.all([20, 90].map(quality => encodeJpeg(pixels, 64, 64, quality)))
  expect(low.length).toBeLessThan(high.length)
})

test('pixels that do not fill the picture are a bug', async () => {
  await expect(encodeJpeg(new Uint8Array(11), 2, 2, 80)).rejects.toThrow(/height x width x 3/)
})
