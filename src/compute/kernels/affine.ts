/**
 * affine: scale and shift by channel, with an activation; what remains of a BatchNormalization that no
 * convolution could take in, and of arithmetic with constants by channel.
 *
 * y[o,c,i] = act(x[o,c,i] * scale[c] + shift[c])
 * Shapes: x and y [outer, channels, inner], scale and shift [channels].
 * Numerics: fused or with two roundings, by backend.
 * Source: ONNX operator BatchNormalization in inference, opset 15.
 */
import { activate, activationFields } from './activation.ts'
import { defineKernel } from './contract.ts'

export const affine = defineKernel({
  fields: { outer: 'u32', channels: 'u32', inner: 'u32', ...activationFields },
  operands: ['x', 'scale', 'shift'],
  reference(p, [x, scale, shift], y) {
    let at = 0
    for (let o = 0; o < p.outer; o++)
      for (let c = 0; c < p.channels; c++)
        for (let i = 0; i < p.inner; i++, at++) y[at] = activate(p, x[at] * scale[c] + shift[c])
  },
  cost(p) {
    const count = p.outer * p.channels * p.inner
    return { flops: 2 * count, bytes: 8 * count }
  },
})
