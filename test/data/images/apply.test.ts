import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { preparedSize, prepareImage, resizedSize, scaleAndBias } from '../../../src/data/images/apply.ts'
import type { DecodedImage } from '../../../src/data/images/decode.ts'
import { type ImagePreprocess, imagePreprocessSchema } from '../../../src/data/images/preprocess.ts'
import { resample } from '../../../src/data/images/resample.ts'

const plain: ImagePreprocess = { rescaleFactor: 1 / 255, channels: 3 }

function noise(width: number, height: number): DecodedImage {
  const random = prng(width * 1000 + height)
  return { width, height, channels: 3, pixels: Uint8Array.from({ length: width * height * 3 }, () => random.int(256)) }
}

test('the shortest edge is as asked, the other is rounded down as Hugging Face does', () => {
  const to = (shortestEdge: number, height: number, width: number) =>
    resizedSize({ ...plain, resize: { shortestEdge, filter: 3 } }, { height, width })
  expect(to(224, 427, 640)).toEqual({ height: 224, width: 335 }) // 335.7
  expect(to(224, 640, 427)).toEqual({ height: 335, width: 224 })
  expect(to(256, 375, 500)).toEqual({ height: 256, width: 341 })
  expect(to(7, 3, 3)).toEqual({ height: 7, width: 7 })
  expect(to(1, 1, 100_000)).toEqual({ height: 1, width: 100_000 })
})

/** center_crop as transformers writes it, on a padded copy, to check the shortcut. */
function slowCrop(image: DecodedImage, height: number, width: number): Uint8Array {
  let top = Math.floor((image.height - height) / 2)
  let left = Math.floor((image.width - width) / 2)
  const newHeight = Math.max(height, image.height)
  const newWidth = Math.max(width, image.width)
  const topPad = Math.ceil((newHeight - image.height) / 2)
  const leftPad = Math.ceil((newWidth - image.width) / 2)
  const inside = top >= 0 && left >= 0 && top + height <= image.height && left + width <= image.width
  const at = (y: number, x: number, c: number) => {
    if (!inside) {
      y -= topPad
      x -= leftPad
    }
    return y >= 0 && x >= 0 && y < image.height && x < image.width ? image.pixels[(y * image.width + x) * 3 + c] : 0
  }
  if (!inside) {
    top += topPad
    left += leftPad
  }
  const out: number[] = []
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) out.push(at(top + y, left + x, c))
  return Uint8Array.from(out)
}

test('the centre crop is that of transformers, padded with zeros where the image is smaller', () => {
  const random = prng(5)
  for (let round = 0; round < 200; round++) {
    const image = noise(1 + random.int(9), 1 + random.int(9))
    const height = 1 + random.int(12)
    const width = 1 + random.int(12)
    const got = prepareImage(image, { ...plain, centerCrop: { height, width } })
    expect([...got]).toEqual([...slowCrop(image, height, width)])
  }
})

test('resize and crop together equal one after the other', () => {
  const random = prng(6)
  for (let round = 0; round < 60; round++) {
    const image = noise(1 + random.int(30), 1 + random.int(30))
    const shortestEdge = 1 + random.int(20)
    const preprocess: ImagePreprocess = {
      ...plain,
      resize: { shortestEdge, filter: random.pick([0, 1, 2, 3, 4, 5]) },
      centerCrop: { height: 1 + random.int(24), width: 1 + random.int(24) },
    }
    const size = resizedSize(preprocess, image)
    const resized = resample(image, size.width, size.height, preprocess.resize!.filter)
    const want = slowCrop({ ...resized, channels: 3 }, preprocess.centerCrop!.height, preprocess.centerCrop!.width)
    expect([...prepareImage(image, preprocess)]).toEqual([...want])
    expect(preparedSize(preprocess, image)).toEqual(preprocess.centerCrop)
  }
})

test('what needs nothing is returned as it is', () => {
  const image = noise(32, 32)
  expect(prepareImage(image, { ...plain, resize: { height: 32, width: 32, filter: 2 } })).toBe(image.pixels)
  expect(prepareImage(image, plain)).toBe(image.pixels)
})

test('one channel is Pillow’s luma, taken before resizing', () => {
  const image: DecodedImage = {
    width: 2,
    height: 2,
    channels: 3,
    pixels: Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9),
  }
  expect([...prepareImage(image, { ...plain, channels: 1 })]).toEqual([76, 150, 29, 9])
})

test('a sliver that would grow beyond any image is refused, unless a crop keeps it small', () => {
  const sliver = noise(1, 3000)
  const preprocess: ImagePreprocess = { ...plain, resize: { shortestEdge: 1000, filter: 2 } }
  expect(() => prepareImage(sliver, preprocess)).toThrow(
    expect.objectContaining({ kind: 'input', code: 'IMAGE_TOO_LARGE' }),
  )
  const cropped = prepareImage(sliver, { ...preprocess, centerCrop: { height: 10, width: 10 } })
  expect(cropped).toHaveLength(300)
})

test('scale and bias are one multiply-add for rescale and normalise', () => {
  expect(scaleAndBias({ ...plain, rescaleFactor: 1 })).toEqual({ scale: [1, 1, 1], bias: [0, 0, 0] })
  const normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
  const { scale, bias } = scaleAndBias({ ...plain, normalize })
  for (const x of [0, 1, 128, 255])
    for (const c of [0, 1, 2])
      expect(x * scale[c] + bias[c]).toBeCloseTo((x / 255 - normalize.mean[c]) / normalize.std[c], 12)
  expect(scaleAndBias({ ...plain, normalize: { mean: [0.5], std: [0.25] }, channels: 1 })).toEqual({
    scale: [4 / 255],
    bias: [-2],
  })
  expect(() => scaleAndBias({ ...plain, normalize: { mean: [1, 2], std: [1] } })).toThrow('2 values')
  expect(() => scaleAndBias({ ...plain, normalize: { mean: [0], std: [0] } })).toThrow('contains 0')
})

test('preprocessing from another peer is checked', () => {
  const good: ImagePreprocess = {
    ...plain,
    resize: { shortestEdge: 5, filter: 3 },
    centerCrop: { height: 1, width: 2 },
  }
  expect(imagePreprocessSchema.parse(good)).toEqual(good)
  for (const wrong of [
    { ...good, channels: 2 },
    { ...good, resize: { shortestEdge: 5, filter: 6 } },
    { ...good, resize: { shortestEdge: 0, filter: 1 } },
    { ...good, resize: { shortestEdge: 5, height: 5, width: 5, filter: 1 } },
    { ...good, centerCrop: { height: 1e9, width: 1 } },
    { ...good, rescaleFactor: Number.NaN },
    { ...good, more: 1 },
  ])
    expect(imagePreprocessSchema.safeParse(wrong).success).toBe(false)
})
