/**
 * A decoded image to what a network is given, up to the last step, which is arithmetic and so a kernel's: resize and
 * centre crop here, on bytes; rescaling and normalising there, as one multiply-add a channel. Invariant: sizes and
 * cuts are those of Hugging Face's `get_resize_output_image_size` and `center_crop` (transformers,
 * image_transforms.py), pixels are Pillow's.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { DecodedImage } from './decode.ts'
import type { ImagePreprocess, ResampleFilter } from './preprocess.ts'
import { type Raster, resample, type Window } from './resample.ts'

/** Pixels. */
export interface ImageSize {
  height: number
  width: number
}

/** The size after resizing, before cropping; `shortestEdge` rounds the longer side down, as Hugging Face does. */
export function resizedSize(preprocess: ImagePreprocess, image: ImageSize): ImageSize {
  const { resize } = preprocess
  if (!resize) return { height: image.height, width: image.width }
  if ('height' in resize) return { height: resize.height, width: resize.width }
  const short = Math.min(image.height, image.width)
  const long = Math.trunc((resize.shortestEdge * Math.max(image.height, image.width)) / short)
  return image.width <= image.height
    ? { height: long, width: resize.shortestEdge }
    : { height: resize.shortestEdge, width: long }
}

/** The size of what `prepareImage` returns. It is the same for every image when there is a crop or a resize to height and width. */
export function preparedSize(preprocess: ImagePreprocess, image: ImageSize): ImageSize {
  return preprocess.centerCrop ?? resizedSize(preprocess, image)
}

/**
 * `decoded` ready for the kernel `image-to-tensor`: [height, width, channels] bytes of the size that `preparedSize`
 * says. It may be `decoded.pixels` itself: treat both as read-only. Throws PeerError of kind `input` when the image
 * would become larger than `limits.imagePixelsMax`.
 */
export function prepareImage(decoded: DecodedImage, preprocess: ImagePreprocess): Uint8Array {
  const whole: Raster = preprocess.channels === 1 ? toGrey(decoded) : decoded
  const image = preprocess.cropBefore ? cutBefore(whole, preprocess.cropBefore) : whole
  const filter = preprocess.resize?.filter ?? 0
  const resized = resizedSize(preprocess, image)
  const { pixels } = middle(image, resized, preprocess.centerCrop ?? resized, filter)
  return preprocess.flipChannels && preprocess.channels === 3 ? flipped(pixels) : pixels
}

/** The middle of an image, its sides as shares of the shorter one, rounded down. */
function cutBefore(image: Raster, share: ImageSize): Raster {
  const short = Math.min(image.height, image.width)
  const crop = { height: Math.trunc(share.height * short), width: Math.trunc(share.width * short) }
  return middle(image, image, crop, 0)
}

/** `crop` out of the middle of the image at the size `resized`; zeros where the crop is larger. */
function middle(image: Raster, resized: ImageSize, crop: ImageSize, filter: ResampleFilter): Raster {
  const top = Math.floor((resized.height - crop.height) / 2)
  const left = Math.floor((resized.width - crop.width) / 2)
  // What of the crop lies inside the resized image; only that much is computed.
  const window: Window = {
    top: Math.max(0, top),
    left: Math.max(0, left),
    height: Math.min(crop.height, resized.height),
    width: Math.min(crop.width, resized.width),
  }
  checkSize(crop.height, crop.width)
  checkSize(window.height, window.width)
  // The pass between holds a crop's width times the image's height, or the other way round.
  checkSize(image.height, window.width)
  const part = resample(image, resized.width, resized.height, filter, window)
  if (part.height === crop.height && part.width === crop.width) return part
  const { height, width } = crop
  return { height, width, channels: part.channels, pixels: pad(part, crop, Math.max(0, -top), Math.max(0, -left)) }
}

function flipped(rgb: Uint8Array): Uint8Array {
  const bgr = new Uint8Array(rgb.length)
  for (let p = 0; p < rgb.length; p += 3) {
    bgr[p] = rgb[p + 2]
    bgr[p + 1] = rgb[p + 1]
    bgr[p + 2] = rgb[p]
  }
  return bgr
}

function checkSize(height: number, width: number): void {
  if (height < 1 || width < 1 || height * width > limits.imagePixelsMax) {
    throw new PeerError({
      code: 'IMAGE_TOO_LARGE',
      kind: 'input',
      message: `too long for its width: it would be resized to ${width} x ${height} pixels`,
      details: { height, width },
    })
  }
}

/** `part` at (top, left) of an image of zeros. */
function pad(part: Raster, size: ImageSize, top: number, left: number): Uint8Array {
  const { channels } = part
  const pixels = new Uint8Array(size.height * size.width * channels)
  const line = part.width * channels
  for (let y = 0; y < part.height; y++) {
    pixels.set(part.pixels.subarray(y * line, y * line + line), ((top + y) * size.width + left) * channels)
  }
  return pixels
}

/** Pillow's `convert('L')` (libImaging/Convert.c, L24): ITU-R 601-2 luma in 16 fractional bits, rounded. */
export function toGrey(image: DecodedImage): Raster {
  const { pixels } = image
  const grey = new Uint8Array(image.width * image.height)
  for (let i = 0, p = 0; i < grey.length; i++, p += 3) {
    grey[i] = (pixels[p] * 19595 + pixels[p + 1] * 38470 + pixels[p + 2] * 7471 + 0x8000) >> 16
  }
  return { width: image.width, height: image.height, channels: 1, pixels: grey }
}

/**
 * Rescaling and normalising as one multiply-add a channel: y = byte * scale + bias, with
 * scale = rescaleFactor / std and bias = -mean / std. One mean or std counts for every channel. Throws PeerError of
 * kind `model` when their number does not fit the channels or a std is 0.
 */
export function scaleAndBias(preprocess: ImagePreprocess): { scale: number[]; bias: number[] } {
  const { channels, rescaleFactor, normalize } = preprocess
  const perChannel = (name: string, values: number[] | undefined, otherwise: number): number[] => {
    if (!values) return new Array<number>(channels).fill(otherwise)
    if (values.length === 1) return new Array<number>(channels).fill(values[0])
    if (values.length === channels) return [...values]
    throw new PeerError({
      code: 'MODEL_PREPROCESS',
      kind: 'model',
      message: `${name} has ${values.length} values, the network's input has ${channels} channels: correct preprocessor_config.json`,
      details: { expected: channels, got: values.length },
    })
  }
  const mean = perChannel('image_mean', normalize?.mean, 0)
  const std = perChannel('image_std', normalize?.std, 1)
  if (std.includes(0)) {
    throw new PeerError({
      code: 'MODEL_PREPROCESS',
      kind: 'model',
      message: 'image_std contains 0: correct preprocessor_config.json',
    })
  }
  // A file's numbers are of R G B, and the pixels come as B G R.
  if (preprocess.flipChannels) {
    mean.reverse()
    std.reverse()
  }
  return { scale: std.map(s => rescaleFactor / s), bias: std.map((s, c) => (mean[c] === 0 ? 0 : -mean[c] / s)) }
}
