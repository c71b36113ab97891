/** Cases of the kernels on images whose channels are neighbours: around every tile, and for each way that a backend may take. */
import type { Prng } from '../../../src/base/prng.ts'
import { poolKinds } from '../../../src/compute/kernels/pool2d.ts'
import { awkwards, epilogues, input, type KernelCase, normals, one, sum, weight } from './case.ts'

/** batch, channels, height, width, filters, kernel h, w, stride h, w, pads t, l, b, r, dilation h, w, groups */
const convolutions: number[][] = [
  [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [2, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 3, 8, 8, 7, 3, 3, 2, 2, 0, 0, 1, 1, 1, 1, 1],
  [3, 5, 4, 9, 6, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [1, 8, 6, 6, 13, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1],
  [2, 12, 9, 17, 17, 5, 3, 1, 2, 2, 1, 2, 1, 1, 1, 1],
  [1, 4, 11, 10, 12, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1],
  [1, 6, 7, 7, 9, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3],
  [0, 3, 4, 4, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 37, 3, 3, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 2, 3, 3, 3, 3, 3, 1, 1, 3, 3, 3, 3, 1, 1, 1],
  // Blocks of 96 rows and what remains, panels of 16 and of 8, and ragged ones.
  [1, 9, 13, 15, 16, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [2, 10, 11, 11, 24, 2, 2, 1, 1, 0, 1, 1, 0, 1, 1, 1],
  [1, 24, 10, 10, 41, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1],
  [1, 12, 7, 7, 20, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4],
  // Few channels: framed.
  [2, 3, 21, 23, 18, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1, 1],
  [1, 1, 9, 12, 8, 3, 5, 3, 2, 0, 4, 2, 1, 2, 1, 1],
  // 3 x 3 of stride 1: Winograd.
  [1, 16, 10, 10, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [2, 24, 13, 15, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 32, 14, 13, 24, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [3, 16, 43, 12, 16, 3, 3, 1, 1, 2, 0, 1, 2, 1, 1, 1],
  // Depthwise: written-out rows, tiles, single pixels, ragged channels.
  [2, 5, 9, 33, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 5],
  [1, 8, 10, 15, 8, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 8],
  [2, 40, 11, 14, 40, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 40],
  [1, 29, 12, 21, 29, 5, 5, 2, 2, 2, 2, 2, 2, 1, 1, 29],
  [1, 24, 9, 14, 24, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 24],
  [1, 16, 3, 40, 16, 1, 7, 1, 3, 0, 3, 0, 3, 1, 1, 16],
  [1, 8, 5, 5, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8],
]

export function conv2dChannelsLastCases(random: Prng): KernelCase[] {
  return convolutions.flatMap((row, i) => {
    const [batch, channels, height, width, filters, kernelH, kernelW, strideH, strideW, ...rest] = row
    const [padTop, padLeft, padBottom, padRight, dilationH, dilationW, groups] = rest
    const outHeight = Math.floor((height + padTop + padBottom - dilationH * (kernelH - 1) - 1) / strideH) + 1
    const outWidth = Math.floor((width + padLeft + padRight - dilationW * (kernelW - 1) - 1) / strideW) + 1
    const hasBias = i % 4 === 3 ? 0 : 1
    const hasResidual = i % 3 === 1 ? 1 : 0
    const outputs = batch * filters * outHeight * outWidth
    const taps = (channels / groups) * kernelH * kernelW
    const x = normals(random, batch * channels * height * width)
    // Where Winograd's sums are allowed, an infinity may spread to neighbours.
    const spreads = kernelH === 3 && strideH === 1 && channels >= 16 && groups === 1
    if (i % 5 === 1 && !spreads) x[x.length >> 1] = Number.NaN
    if (i % 5 === 2 && !spreads) x[x.length >> 1] = Number.POSITIVE_INFINITY
    const w = normals(random, filters * taps)
    const sizes = { batch, channels, height, width, filters, kernelH, kernelW, outHeight, outWidth }
    const steps = { strideH, strideW, padTop, padLeft, dilationH, dilationW, groups }
    const bias = hasBias ? weight(normals(random, filters)) : null
    const residual = hasResidual ? input(normals(random, outputs)) : null
    const tolerance = sum(taps * (spreads ? 16 : 1))
    return [weight(w), ...(i % 4 === 0 ? [input(w)] : [])].map(filter =>
      one(
        'conv2d-channels-last',
        `${row.join(' ')}${filter.fixed ? '' : ' with filters made at run time'}`,
        { ...sizes, ...steps, hasBias, hasResidual, ...epilogues[i % 3] },
        [input(x), filter, bias, residual],
        outputs,
        tolerance,
      ),
    )
  })
}

/** batch, channels, height, width, kernel h, w, stride h, w, pads t, l, b, r, out height, width (rounded up in some), dilation */
const pools: number[][] = [
  [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [2, 3, 8, 8, 2, 2, 2, 2, 0, 0, 0, 0, 4, 4, 1],
  [1, 8, 7, 9, 3, 3, 2, 2, 1, 1, 1, 1, 4, 5, 1],
  [1, 17, 6, 6, 3, 3, 2, 2, 0, 0, 0, 0, 3, 3, 1],
  [2, 12, 9, 9, 2, 3, 1, 2, 0, 1, 1, 0, 8, 4, 2],
  [0, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0, 2, 2, 1],
  [1, 5, 3, 2, 2, 5, 1, 1, 0, 2, 0, 2, 2, 2, 1],
]

export function pool2dChannelsLastCases(random: Prng): KernelCase[] {
  return pools.flatMap(([batch, channels, height, width, kernelH, kernelW, strideH, strideW, ...rest], i) =>
    Object.entries(poolKinds).map(([label, kind]) => {
      const [padTop, padLeft, padBottom, padRight, outHeight, outWidth, dilation] = rest
      const count = batch * channels * height * width
      const sizes = { batch, channels, height, width, kernelH, kernelW, outHeight, outWidth, strideH, strideW }
      const pads = { padTop, padLeft, padBottom, padRight, dilationH: dilation, dilationW: dilation }
      return one(
        'pool2d-channels-last',
        `${label} ${batch} ${channels} ${height} ${width} ${kernelH} ${kernelW} ${rest.join(' ')}`,
        { ...sizes, ...pads, kind },
        [input(i % 2 ? awkwards(random, count) : normals(random, count))],
        batch * channels * outHeight * outWidth,
        sum(kernelH * kernelW),
      )
    }),
  )
}
