/** Pixels to JPEG bytes, for pictures that the program draws itself. */

import { assert } from '../../base/errors.ts'
import sharp from './sharp.ts'

/**
 * @param pixels [height, width, 3] bytes, RGB; only read.
 * @param quality 1 to 100, as libjpeg counts.
 * @returns the file's bytes: baseline JPEG, chroma at half resolution.
 */
export async function encodeJpeg(
  pixels: Uint8Array,
  width: number,
  height: number,
  quality: number,
): Promise<Uint8Array> {
  assert(pixels.length === width * height * 3, 'pixels are height x width x 3 bytes')
  return await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer()
}
