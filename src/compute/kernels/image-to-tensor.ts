/**
 * image-to-tensor: pixels to a network's input, rescaled and normalised on the way.
 *
 * y[n,c,p] = pixels[n,p,c] * scale[c] + shift[c]
 * Shapes: pixels uint8 [batch, area, channels], interleaved, rows from the top (area = H * W); scale and shift [channels];
 *         y [batch, channels, area].
 * Numerics: fused or with two roundings, by backend.
 * Source: rescale and normalise of Hugging Face image processors, (x * factor - mean) / std as one multiply-add.
 */
import { defineKernel } from './contract.ts'

export const imageToTensor = defineKernel({
  fields: { batch: 'u32', channels: 'u32', area: 'u32' },
  operands: ['pixels', 'scale', 'shift'],
  reference(p, [pixels, scale, shift], y) {
    for (let n = 0; n < p.batch; n++)
      for (let c = 0; c < p.channels; c++)
        for (let i = 0; i < p.area; i++)
          y[(n * p.channels + c) * p.area + i] = pixels[(n * p.area + i) * p.channels + c] * scale[c] + shift[c]
  },
  cost(p) {
    const count = p.batch * p.channels * p.area
    return { flops: 2 * count, bytes: 5 * count }
  },
})
