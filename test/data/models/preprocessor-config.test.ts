import { expect, test } from 'vitest'
import { readPreprocess } from '../../../src/data/models/preprocessor-config.ts'

const read = (config: object) => readPreprocess(config, 'p.json')
const mean = [0.485, 0.456, 0.406]
const std = [0.229, 0.224, 0.225]

test('a new image processor: ViT', () => {
  const config = {
    do_normalize: true,
    do_rescale: true,
    do_resize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_processor_type: 'ViTImageProcessor',
    image_std: [0.5, 0.5, 0.5],
    resample: 2,
    rescale_factor: 0.00392156862745098,
    size: { height: 224, width: 224 },
  }
  expect(read(config)).toEqual({
    resize: { height: 224, width: 224, filter: 2 },
    rescaleFactor: 0.00392156862745098,
    normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  })
})

test('an old feature extractor: CLIP, whose number is the shortest edge', () => {
  const config = {
    crop_size: 224,
    do_center_crop: true,
    do_normalize: true,
    do_resize: true,
    feature_extractor_type: 'CLIPFeatureExtractor',
    image_mean: mean,
    image_std: std,
    resample: 3,
    size: 224,
  }
  expect(read(config)).toEqual({
    resize: { shortestEdge: 224, filter: 3 },
    centerCrop: { height: 224, width: 224 },
    rescaleFactor: 1 / 255,
    normalize: { mean, std },
  })
  expect(read({ ...config, feature_extractor_type: 'DeiTFeatureExtractor', size: 256 }).resize).toEqual({
    height: 256,
    width: 256,
    filter: 3,
  })
})

test('MobileNetV2, with objects for both sizes', () => {
  const config = {
    size: { shortest_edge: 256 },
    crop_size: { height: 224, width: 220 },
    resample: 2,
    do_center_crop: true,
  }
  expect(read(config)).toMatchObject({
    resize: { shortestEdge: 256, filter: 2 },
    centerCrop: { height: 224, width: 220 },
  })
})

test('ConvNeXT enlarges by crop_pct and crops, or warps from 384 on', () => {
  const config = {
    image_processor_type: 'ConvNextImageProcessor',
    size: { shortest_edge: 224 },
    crop_pct: 0.875,
    resample: 3,
  }
  expect(read(config)).toMatchObject({
    resize: { shortestEdge: 256, filter: 3 },
    centerCrop: { height: 224, width: 224 },
  })
  const large = read({ ...config, size: { shortest_edge: 384 } })
  expect(large.resize).toEqual({ height: 384, width: 384, filter: 3 })
  expect(large.centerCrop).toBeUndefined()
})

test('a step that is switched off is not taken, whatever its numbers', () => {
  const config = {
    do_resize: false,
    size: 224,
    do_center_crop: false,
    crop_size: 224,
    do_rescale: false,
    rescale_factor: 0.5,
    do_normalize: false,
    image_mean: mean,
    image_std: std,
  }
  expect(read(config)).toEqual({ rescaleFactor: 1 })
  expect(read({})).toEqual({ rescaleFactor: 1 / 255 })
})

test('one mean for all channels', () => {
  expect(read({ image_mean: 0.5, image_std: [0.25] }).normalize).toEqual({ mean: [0.5], std: [0.25] })
})

test.each([
  [{ size: { longest_edge: 800 } }, 'size'],
  [{ size: 0 }, 'size'],
  [{ size: 1e9 }, 'size'],
  [{ resample: 7 }, 'resample'],
  [{ do_resize: 'yes' }, 'do_resize'],
  [{ do_resize: true }, 'size'],
  [{ do_center_crop: true }, 'crop_size'],
  [{ do_normalize: true, image_std: 1 }, 'image_mean'],
  [{ do_normalize: true, image_mean: 1 }, 'image_std'],
  [{ image_mean: [0, 0, 0], image_std: [1, 0, 1] }, 'image_std'],
  [{ image_mean: [0, 0, 0], image_std: [1] }, 'image_std'],
  [{ image_mean: [0, 0, 0, 0], image_std: 1 }, 'image_mean'],
  [{ do_pad: true }, 'do_pad'],
  [{ do_flip_channel_order: true }, 'do_flip_channel_order'],
  [{ rescale_factor: -1 }, 'rescale_factor'],
  [[], 'the whole'],
])('%j is refused by its field', (config, field) => {
  expect(() => read(config)).toThrow(
    expect.objectContaining({
      kind: 'model',
      code: 'MODEL_PREPROCESS',
      message: expect.stringContaining(`p.json: ${field} `),
    }),
  )
})
