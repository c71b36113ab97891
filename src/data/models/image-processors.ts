/**
 * What each of Hugging Face's image processors takes where its file says nothing: a file holds what differs, and a field that is
 * left out is not off, but its class's default. Source: transformers 4.57, image_processing_*.py (`__init__`), and
 * image_processing_auto.py for the class of a config.json's `model_type`.
 */
import type { ResampleFilter } from '../images/preprocess.ts'

export interface ProcessorDefaults {
  /** The class, without what its name ends in. */
  name: string
  /** A number stands for the shortest edge; a pair for height and width. */
  size: number | readonly [number, number]
  resample: ResampleFilter
  /** Height and width of the centre crop, and whether it is on. */
  crop?: readonly [number, number]
  centerCrop: boolean
  normalize: boolean
  mean: readonly number[]
  std: readonly number[]
  /** `size: 224` in a file means the shortest edge, and not a square. */
  numberIsShortestEdge: boolean
  /** The part of an enlarged image that is kept (ConvNeXT, PoolFormer). */
  cropPct?: number
  /** The channels are turned to B G R. */
  flip?: true
  /** Divided by std a second time (EfficientNet's top). */
  includeTop?: true
  /** The crop comes first, as a share of the shorter side (Perceiver). */
  cropFirst?: true
}

const half = [0.5, 0.5, 0.5]
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
const standard = { mean: half, std: half }
const [nearest, bilinear, bicubic] = [0, 2, 3] as const

const square = (side: number) => [side, side] as const
const plain = { centerCrop: false, normalize: true, numberIsShortestEdge: false }
const cropped = (crop: number) => ({
  crop: square(crop),
  centerCrop: true,
  normalize: true,
  numberIsShortestEdge: true,
})

/** By the class's name without what it ends in. */
const classes: Record<string, Omit<ProcessorDefaults, 'name'>> = {
  Beit: { ...plain, size: square(256), resample: bicubic, crop: square(224), centerCrop: true, ...standard },
  Bit: { ...cropped(224), size: 224, resample: bicubic, ...clip },
  Blip: { ...plain, size: square(384), resample: bicubic, ...clip },
  ChineseCLIP: { ...cropped(224), size: 224, resample: bicubic, ...clip },
  CLIP: { ...cropped(224), size: 224, resample: bicubic, ...clip },
  ConvNext: { ...plain, size: 384, resample: bilinear, numberIsShortestEdge: true, cropPct: 224 / 256, ...standard },
  DeiT: { ...plain, size: square(256), resample: bicubic, crop: square(224), centerCrop: true, ...standard },
  DINOv3ViT: { ...plain, size: square(224), resample: bilinear, ...imagenet },
  DPT: { ...plain, size: square(384), resample: bicubic, ...standard },
  EfficientFormer: { ...plain, size: square(224), resample: bicubic, crop: square(224), centerCrop: true, ...imagenet },
  EfficientNet: { ...plain, size: square(346), resample: nearest, crop: square(289), includeTop: true, ...standard },
  Flava: { ...plain, size: square(224), resample: bicubic, crop: square(224), centerCrop: true, ...clip },
  Levit: { ...cropped(224), size: 224, resample: bicubic, ...imagenet },
  MobileNetV1: { ...cropped(224), size: 256, resample: bilinear, ...standard },
  MobileNetV2: { ...cropped(224), size: 256, resample: bilinear, ...standard },
  MobileViT: { ...cropped(256), size: 224, resample: bilinear, normalize: false, flip: true, ...standard },
  Perceiver: {
    ...{ ...plain, size: square(224), resample: bicubic, crop: square(256), centerCrop: true, cropFirst: true },
    ...imagenet,
  },
  PoolFormer: { ...cropped(224), size: 224, resample: bicubic, cropPct: 0.9, ...imagenet },
  Pvt: { ...plain, size: square(224), resample: bilinear, ...imagenet },
  Segformer: { ...plain, size: square(512), resample: bilinear, ...imagenet },
  Siglip: { ...plain, size: square(224), resample: bicubic, ...standard },
  VideoMAE: { ...cropped(224), size: 224, resample: bilinear, ...standard },
  ViT: { ...plain, size: square(224), resample: bilinear, ...standard },
  ViTHybrid: { ...cropped(224), size: 224, resample: bicubic, ...clip },
}

/** Kinds of network that share another's processor. */
const ofModelType: Record<string, keyof typeof classes> = {
  ...{ beit: 'Beit', 'data2vec-vision': 'Beit', bit: 'Bit', blip: 'Blip', chinese_clip: 'ChineseCLIP', clip: 'CLIP' },
  ...{ convnext: 'ConvNext', convnextv2: 'ConvNext', cvt: 'ConvNext', deit: 'DeiT', dinat: 'ViT', dinov2: 'Bit' },
  ...{ dinov2_with_registers: 'Bit', dinov3_vit: 'DINOv3ViT', dinov3_convnext: 'DINOv3ViT', dpt: 'DPT' },
  ...{
    efficientformer: 'EfficientFormer',
    efficientnet: 'EfficientNet',
    flava: 'Flava',
    focalnet: 'Bit',
    hiera: 'Bit',
  },
  ...{ ijepa: 'ViT', levit: 'Levit', mobilenet_v1: 'MobileNetV1', mobilenet_v2: 'MobileNetV2', mobilevit: 'MobileViT' },
  ...{
    mobilevitv2: 'MobileViT',
    nat: 'ViT',
    perceiver: 'Perceiver',
    poolformer: 'PoolFormer',
    pvt: 'Pvt',
    pvt_v2: 'Pvt',
  },
  ...{
    regnet: 'ConvNext',
    resnet: 'ConvNext',
    segformer: 'Segformer',
    siglip: 'Siglip',
    swiftformer: 'ViT',
    swin: 'ViT',
  },
  ...{ swinv2: 'ViT', van: 'ConvNext', videomae: 'VideoMAE', vit: 'ViT', vit_hybrid: 'ViTHybrid', vit_mae: 'ViT' },
  ...{ vit_msn: 'ViT' },
}

/**
 * The defaults of a class by its name (`CLIPImageProcessor`, `CLIPImageProcessorFast`, `CLIPFeatureExtractor`), else of the kind of
 * network; undefined where neither is named. `unknown`: a class is named that is not in the table.
 */
export function processorDefaults(
  className: string | undefined,
  modelType: string | undefined,
): ProcessorDefaults | 'unknown' | undefined {
  if (className !== undefined) {
    const name = className.replace(/(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/, '')
    const found = Object.keys(classes).find(one => one.toLowerCase() === name.toLowerCase())
    return found === undefined ? 'unknown' : { name: found, ...classes[found] }
  }
  if (modelType === undefined || !Object.hasOwn(ofModelType, modelType)) return undefined
  const name = ofModelType[modelType]
  return { name, ...classes[name] }
}
