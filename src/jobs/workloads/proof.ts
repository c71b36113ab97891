/**
 * What a lane proves of itself before its first shard: that it decodes a picture and computes a product, each to known bits.
 * A machine without its decoder, or whose kernels are wrong, is to say so, and not to spoil or fail anybody's job.
 */
import { machineUnfit } from '../../base/trouble.ts'
import type { Backend } from '../../compute/backends/types.ts'
import { loadModel } from '../../compute/engine/model.ts'
import { openNetwork } from '../../compute/engine/network.ts'
import type { decodeImage } from '../../data/images/decode.ts'

/** A grey JPEG of 8 x 8 pixels, each 120; written by Pillow. */
const picture =
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AK9f/9k='
const grey = 120

/** An ONNX network: y = x [n, 4] · [[1, -2], [0.5, 4], [3, 0.25], [-1, 8]]; written by the package onnx. */
const network =
  'CAg6bwoRCgF4CgF3EgF5IgZNYXRNdWwSAXAqKwgECAIQAUIBd0ogAACAPwAAAMAAAAA/AACAQAAAQEAAAIA+AACAvwAAAEFaFAoBeBIPCg0IARIJCgMSAW4KAggEYhQKAXkSDwoNCAESCQoDEgFuCgIIAkIECgAQDQ=='
const row = Float32Array.of(1, 2, 4, 8)
const product = [6, 71]

/** Rejects with MACHINE_UNFIT. */
export async function proveProduct(backend: Backend): Promise<void> {
  try {
    const running = await openNetwork(backend, loadModel(new Uint8Array(Buffer.from(network, 'base64'))), {
      batchMax: 1,
    })
    const { y } = await running.run(row, 1)
    running.dispose()
    if (!product.every((value, at) => y[at] === value))
      throw new Error(`a product came to ${[...y].join(', ')}, not ${product.join(', ')}`)
  } catch (thrown) {
    throw machineUnfit(`compute on ${backend.device}`, thrown)
  }
}

let proving: Promise<typeof decodeImage> | undefined

/**
 * The decoder of pictures, once it has decoded a known one. Rejects with MACHINE_UNFIT.
 * @param anew proves it once more, for what happened since
 */
export function provenDecoder(anew = false): Promise<typeof decodeImage> {
  if (anew) proving = undefined
  const mine = proving ?? prove()
  proving = mine
  mine.catch(() => {
    if (proving === mine) proving = undefined
  })
  return mine
}

async function prove(): Promise<typeof decodeImage> {
  try {
    // The decoder is a binary of its own, which a broken installation lacks: its absence is no reason for a lane not to start.
    const decoder = await import('../../data/images/decode.ts')
    const { width, height, pixels } = await decoder.decodeImage(new Uint8Array(Buffer.from(picture, 'base64')))
    const right = width === 8 && height === 8 && pixels.every(value => value === grey)
    if (!right) throw new Error('the decoder gives a known picture other pixels')
    return decoder.decodeImage
  } catch (thrown) {
    throw machineUnfit('decode images', thrown)
  }
}
