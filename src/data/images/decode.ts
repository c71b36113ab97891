/**
 * Bytes of an image file to RGB pixels, by sharp (libvips). Invariant: the pixels are those that Pillow gives for
 * `ImageOps.exif_transpose(Image.open(f)).convert('RGB')`, which is what networks were trained on: EXIF orientation
 * applied, alpha dropped, ICC profiles ignored, CMYK by Pillow's formula, an animation's first frame. Known
 * differences: 16-bit grey is scaled to 8 bits where Pillow clips it at 255; transparent pixels of a GIF are black.
 */

import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { machineTrouble, machineUnfit } from '../../base/trouble.ts'
import { diagnoseImage } from './diagnose.ts'
import { type ImageFormat, jpegFrame, sniffFormat } from './probe.ts'
import sharp, { type Sharp } from './sharp.ts'

// One image a thread, as many images at once as the caller asks for; libvips' own cache would only hold old pixels.
sharp.concurrency(1)
sharp.cache(false)

/** A decoded image: [height, width, 3] bytes R G B. */
export interface DecodedImage {
  width: number
  height: number
  channels: 3
  pixels: Uint8Array
}

/**
 * Decodes JPEG, PNG, WebP, GIF, TIFF and AVIF. Throws PeerError of kind `input` whose message is a short reason for
 * one row of an errors file: not an image, damaged, cut off, too many pixels.
 */
export async function decodeImage(bytes: Uint8Array): Promise<DecodedImage> {
  if (bytes.length === 0) throw unreadable('IMAGE_EMPTY', 'empty file')
  const format = sniffFormat(bytes)
  if (!format) throw unreadable('IMAGE_FORMAT', 'not an image in JPEG, PNG, WebP, GIF, TIFF or AVIF')
  // As strict as Pillow: a cut-off file fails, a scratch in a JPEG does not. libtiff calls a missing strip an error.
  const failOn = format === 'tiff' ? 'error' : 'truncated'
  const image = sharp(bytes, { failOn, ignoreIcc: true, limitInputPixels: limits.imagePixelsMax })
  try {
    return (await isCmyk(format, bytes)) ? await decodeCmyk(image) : await decodeColour(image)
  } catch (thrown) {
    if (thrown instanceof PeerError) throw thrown
    throw machineTrouble(thrown) === undefined
      ? decodeError(format, bytes, thrown)
      : machineUnfit('decode images', thrown)
  }
}

/** Only JPEG and TIFF can be CMYK; a JPEG's own header is enough, which saves a pass of the decoder. */
async function isCmyk(format: ImageFormat, bytes: Uint8Array): Promise<boolean> {
  if (format === 'jpeg') {
    const frame = jpegFrame(bytes)
    if (!frame) throw unreadable('IMAGE_DAMAGED', 'damaged JPEG: no frame header')
    checkPixels(frame.width, frame.height)
    return frame.components === 4
  }
  // Without sharp's own limit, whose message would not say the size.
  const header = await sharp(bytes, { limitInputPixels: false }).metadata()
  checkPixels(header.width, header.height)
  return header.space === 'cmyk'
}

function checkPixels(width: number, height: number): void {
  if (Math.max(width, height) > limits.imageSideMax) {
    throw unreadable('IMAGE_TOO_LARGE', `${width} x ${height} pixels, a side may have ${limits.imageSideMax}`)
  }
  if (width * height > limits.imagePixelsMax) {
    throw unreadable(
      'IMAGE_TOO_LARGE',
      `${width} x ${height} pixels, more than ${Math.floor(limits.imagePixelsMax / 1e6)} million`,
    )
  }
}

async function decodeColour(image: Sharp): Promise<DecodedImage> {
  const pipeline = image.autoOrient().removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' })
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true })
  const { width, height } = info
  if (info.channels === 3) return { width, height, channels: 3, pixels: data }
  if (info.channels !== 1) throw unreadable('IMAGE_CHANNELS', `${info.channels} channels, an image has 1, 3 or 4`)
  const pixels = new Uint8Array(data.length * 3)
  for (let i = 0; i < data.length; i++) pixels.fill(data[i], i * 3, i * 3 + 3)
  return { width, height, channels: 3, pixels }
}

async function decodeCmyk(image: Sharp): Promise<DecodedImage> {
  // Both calls are needed to keep libvips from converting through its own ink profile.
  const pipeline = image.autoOrient().pipelineColourspace('cmyk').toColourspace('cmyk').raw({ depth: 'uchar' })
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true })
  if (info.channels < 4) throw unreadable('IMAGE_CHANNELS', `${info.channels} channels, CMYK has 4`)
  return { width: info.width, height: info.height, channels: 3, pixels: cmykToRgb(data, info.channels) }
}

/**
 * Pillow's conversion (libImaging/Convert.c, cmyk2rgb): R = (255 - K) - C * (255 - K) / 255, rounded.
 * `ink`: [pixels, stride] bytes C M Y K …, 255 is full ink. Returns [pixels, 3].
 */
export function cmykToRgb(ink: Uint8Array, stride: number): Uint8Array {
  const count = Math.floor(ink.length / stride)
  const pixels = new Uint8Array(count * 3)
  for (let i = 0; i < count; i++) {
    const white = 255 - ink[i * stride + 3]
    for (let c = 0; c < 3; c++) {
      const product = ink[i * stride + c] * white + 128
      pixels[i * 3 + c] = Math.max(0, white - (((product >> 8) + product) >> 8))
    }
  }
  return pixels
}

/** What the decoder says may be of another file: the reason comes from the bytes. */
function decodeError(format: ImageFormat, bytes: Uint8Array, cause: unknown): PeerError {
  const { code, reason } = diagnoseImage(format, bytes)
  return unreadable(code, reason, cause)
}

function unreadable(code: string, message: string, cause?: unknown): PeerError {
  return new PeerError({ code, kind: 'input', message, cause })
}
