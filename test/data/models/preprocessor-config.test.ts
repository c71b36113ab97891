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
  [{ do_color_quantize: true }, 'do_color_quantize'],
  [{ size: 224, sharpen: 2 }, 'sharpen'],
  [{ size_divisor: 32 }, 'size_divisor'],
  [{ image_processor_type: 'NewImageProcessor', size: 224 }, 'resample'],
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

/** What transformers 4.57 takes where a file says nothing but its class. */
const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
const square = (side: number) => ({ height: side, width: side })
test.each([
  ['ViTImageProcessor', { resize: { ...square(224), filter: 2 }, normalize: half }],
  ['ViTImageProcessorFast', { resize: { ...square(224), filter: 2 }, normalize: half }],
  ['CLIPFeatureExtractor', { resize: { shortestEdge: 224, filter: 3 }, centerCrop: square(224), normalize: clip }],
  ['BeitImageProcessor', { resize: { ...square(256), filter: 3 }, centerCrop: square(224), normalize: half }],
  ['BitImageProcessor', { resize: { shortestEdge: 224, filter: 3 }, centerCrop: square(224), normalize: clip }],
  ['ConvNextImageProcessor', { resize: { ...square(384), filter: 2 }, normalize: half }],
  [
    'LevitImageProcessor',
    { resize: { shortestEdge: 256, filter: 3 }, centerCrop: square(224), normalize: { mean, std } },
  ],
  [
    'PoolFormerImageProcessor',
    { resize: { shortestEdge: 248, filter: 3 }, centerCrop: square(224), normalize: { mean, std } },
  ],
  [
    'MobileViTImageProcessor',
    { resize: { shortestEdge: 224, filter: 2 }, centerCrop: square(256), flipChannels: true },
  ],
  ['SiglipImageProcessor', { resize: { ...square(224), filter: 3 }, normalize: half }],
  ['PvtImageProcessor', { resize: { ...square(224), filter: 2 }, normalize: { mean, std } }],
  ['SegformerImageProcessor', { resize: { ...square(512), filter: 2 }, normalize: { mean, std } }],
  [
    'PerceiverImageProcessor',
    {
      ...{ resize: { ...square(224), filter: 3 }, cropBefore: { height: 0.875, width: 0.875 } },
      normalize: { mean, std },
    },
  ],
  [
    'EfficientNetImageProcessor',
    { resize: { ...square(346), filter: 0 }, normalize: { mean: half.mean, std: [0.25, 0.25, 0.25] } },
  ],
])('%s: what the file leaves out is its class’s default', (image_processor_type, expected) => {
  expect(read({ image_processor_type })).toEqual({ rescaleFactor: 1 / 255, ...expected })
})

test('a file without a class is of the class of its network’s kind', () => {
  expect(readPreprocess({ size: 288 }, 'p.json', 'dinov2')).toMatchObject({
    resize: { shortestEdge: 288, filter: 3 },
    centerCrop: square(224),
    normalize: clip,
  })
  expect(readPreprocess({ size: 288 }, 'p.json', 'something-new')).toMatchObject({
    resize: { ...square(288), filter: 2 },
  })
})

test('an offset and a second division are one subtraction and one division', () => {
  const config = { image_processor_type: 'EfficientNetImageProcessor', image_mean: 0.5, image_std: 0.2 }
  expect(read({ ...config, rescale_offset: true, rescale_factor: 1 / 127.5 })).toMatchObject({
    rescaleFactor: 1 / 127.5,
    normalize: { mean: [1.5], std: [0.2 ** 2] },
  })
  expect(read({ ...config, include_top: false }).normalize).toEqual({ mean: [0.5], std: [0.2] })
})
