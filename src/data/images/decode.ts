/**
 * Bytes of an image file to RGB pixels, by sharp (libvips). Invariant: the pixels are those that Pillow gives for
 * `ImageOps.exif_transpose(Image.open(f)).convert('RGB')`, which is what networks were trained on: EXIF orientation
 * applied, alpha dropped, ICC profiles ignored, CMYK by Pillow's formula, an animation's first frame, 16-bit grey
 * cut off at 255. Known difference: the chroma of an AVIF with 4:2:0 is not smoothed between its samples.
 */

import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { machineTrouble, machineUnfit } from '../../base/trouble.ts'
import { diagnoseImage } from './diagnose.ts'
import { gifFill } from './gif-fill.ts'
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
    const kind = await kindOf(format, bytes)
    if (kind === 'cmyk') return await decodeCmyk(image)
    if (kind === 'grey16') return await decodeGrey16(image)
    return format === 'gif' ? await decodeGif(image, bytes) : await decodeColour(image)
  } catch (thrown) {
    if (thrown instanceof PeerError) throw thrown
    throw machineTrouble(thrown) === undefined
      ? decodeError(format, bytes, thrown)
      : machineUnfit('decode images', thrown)
  }
}

/** What wants a way of its own; a JPEG's own header is enough, which saves a pass of the decoder. */
async function kindOf(format: ImageFormat, bytes: Uint8Array): Promise<'cmyk' | 'grey16' | 'colour'> {
  if (format === 'jpeg') {
    const frame = jpegFrame(bytes)
    if (!frame) throw unreadable('IMAGE_DAMAGED', 'damaged JPEG: no frame header')
    checkPixels(frame.width, frame.height)
    return frame.components === 4 ? 'cmyk' : 'colour'
  }
  // Without sharp's own limit, whose message would not say the size.
  const header = await sharp(bytes, { limitInputPixels: false }).metadata()
  checkPixels(header.width, header.height)
  if (header.space === 'cmyk') return 'cmyk'
  return header.channels === 1 && header.depth === 'ushort' ? 'grey16' : 'colour'
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

/** Pillow's mode I;16 becomes RGB by cutting off, not by scaling (libImaging/Convert.c). */
async function decodeGrey16(image: Sharp): Promise<DecodedImage> {
  const pipeline = image.autoOrient().toColourspace('grey16').raw({ depth: 'ushort' })
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  const grey = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
  const pixels = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) {
    const value = Math.min(grey[i * channels], 255)
    pixels.fill(value, i * 3, i * 3 + 3)
  }
  return { width, height, channels: 3, pixels }
}

/** What the frame does not cover, or leaves transparent, has a colour of the palette, as Pillow has it. */
async function decodeGif(image: Sharp, bytes: Uint8Array): Promise<DecodedImage> {
  const fill = gifFill(bytes)
  if (!fill) return decodeColour(image)
  const pipeline = image.ensureAlpha().toColourspace('srgb').raw({ depth: 'uchar' })
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true })
  if (info.channels !== 4) return decodeColour(image)
  const { colour, frame } = fill
  const { width, height } = info
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0, from = 0, to = 0; y < height; y++) {
    const row = y >= frame.top && y < frame.top + frame.height
    for (let x = 0; x < width; x++, from += 4, to += 3) {
      const covered = row && x >= frame.left && x < frame.left + frame.width && data[from + 3] !== 0
      for (let c = 0; c < 3; c++) pixels[to + c] = covered ? data[from + c] : colour[c]
    }
  }
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
