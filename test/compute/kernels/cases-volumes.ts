/** Cases of the kernels with windows over one to three spatial axes. */
import type { Prng } from '../../../src/base/prng.ts'
import { pool3dKinds } from '../../../src/compute/kernels/pool3d.ts'
import { awkwards, epilogues, exact, input, type KernelCase, normals, one, sum, weight } from './case.ts'

/** One spatial axis: size, kernel, stride, pad before, pad after, dilation, extra at the output's end. */
type Axis = [
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
  dilation: number,
  extra: number,
]

const still: Axis = [1, 1, 1, 0, 0, 1, 0]

/** batch, channels, filters, groups, then the axes */
const transposed: [number, number, number, number, Axis, Axis, Axis][] = [
  [1, 1, 1, 1, still, still, still],
  [2, 3, 4, 1, still, still, [5, 3, 1, 0, 0, 1, 0]],
  [1, 4, 6, 2, still, [5, 3, 2, 1, 1, 1, 1], [7, 3, 2, 1, 1, 1, 1]],
  [2, 2, 3, 1, still, [4, 2, 2, 0, 0, 1, 0], [9, 2, 2, 0, 0, 1, 0]],
  [1, 3, 3, 3, still, [6, 3, 1, 1, 1, 2, 0], [6, 3, 3, 2, 0, 1, 0]],
  [1, 2, 2, 1, [3, 2, 2, 0, 1, 1, 0], [4, 3, 1, 1, 1, 1, 0], [5, 3, 2, 1, 0, 2, 1]],
  [0, 2, 2, 1, still, [3, 2, 1, 0, 0, 1, 0], [3, 2, 1, 0, 0, 1, 0]],
  [1, 5, 9, 1, still, [4, 4, 2, 1, 1, 1, 0], [4, 4, 2, 1, 1, 1, 0]],
  [1, 2, 2, 1, still, [3, 1, 3, 0, 0, 1, 2], [2, 2, 4, 0, 0, 1, 0]],
]

const transposedSize = ([size, kernel, stride, before, after, dilation, extra]: Axis) =>
  (size - 1) * stride + (kernel - 1) * dilation + 1 - before - after + extra

export function convTransposeCases(random: Prng): KernelCase[] {
  return transposed.map(([batch, channels, filters, groups, z, y, x], i) => {
    const hasBias = i % 3 === 2 ? 0 : 1
    const [outDepth, outHeight, outWidth] = [z, y, x].map(transposedSize)
    const [kernelD, kernelH, kernelW] = [z[1], y[1], x[1]]
    const data = normals(random, batch * channels * z[0] * y[0] * x[0])
    if (i === 3) data[data.length >> 1] = Number.NaN
    const taps = (filters / groups) * kernelD * kernelH * kernelW
    const outputs = batch * filters * outDepth * outHeight * outWidth
    return one(
      'conv-transpose',
      `${batch} ${channels} ${filters} ${groups} / ${z} / ${y} / ${x}`,
      {
        ...{ batch, channels, depth: z[0], height: y[0], width: x[0], filters, kernelD, kernelH, kernelW },
        ...{ outDepth, outHeight, outWidth, strideD: z[2], strideH: y[2], strideW: x[2] },
        ...{ padFront: z[3], padTop: y[3], padLeft: x[3], dilationD: z[5], dilationH: y[5], dilationW: x[5] },
        ...{ groups, hasBias, ...epilogues[i % 3] },
      },
      [input(data), weight(normals(random, channels * taps)), hasBias ? weight(normals(random, filters)) : null],
      outputs,
      sum((channels / groups) * kernelD * kernelH * kernelW),
    )
  })
}

/** planes, then the axes; `extra` 1 rounds the output's size up. */
const pooled: [number, Axis, Axis, Axis][] = [
  [1, still, still, still],
  [2, [4, 2, 2, 0, 0, 1, 0], [4, 2, 2, 0, 0, 1, 0], [6, 2, 2, 0, 0, 1, 0]],
  [3, [5, 3, 1, 1, 1, 1, 0], [6, 3, 2, 1, 1, 1, 0], [7, 3, 3, 1, 1, 1, 1]],
  [2, still, [6, 3, 2, 1, 0, 2, 0], [9, 2, 3, 0, 1, 3, 0]],
  [2, still, still, [11, 4, 2, 1, 1, 1, 1]],
  [0, [2, 2, 1, 0, 0, 1, 0], [2, 2, 1, 0, 0, 1, 0], [2, 2, 1, 0, 0, 1, 0]],
  [2, [3, 2, 1, 1, 1, 2, 0], [5, 3, 1, 1, 1, 1, 0], [5, 2, 2, 0, 0, 1, 1]],
]

const pooledSize = ([size, kernel, stride, before, after, dilation, extra]: Axis) =>
  Math[extra ? 'ceil' : 'floor']((size + before + after - (kernel - 1) * dilation - 1) / stride) + 1

export function pool3dCases(random: Prng): KernelCase[] {
  return pooled.flatMap(([planes, z, y, x], i) =>
    Object.entries(pool3dKinds).flatMap(([label, kind]) =>
      (kind === pool3dKinds.maxIndex ? [0, 1] : [0]).map(columnMajor => {
        const [outDepth, outHeight, outWidth] = [z, y, x].map(pooledSize)
        const count = planes * z[0] * y[0] * x[0]
        return one(
          'pool3d',
          `${label}${columnMajor ? ' column-major' : ''} ${planes} / ${z} / ${y} / ${x}`,
          {
            ...{ planes, depth: z[0], height: y[0], width: x[0], kernelD: z[1], kernelH: y[1], kernelW: x[1] },
            ...{ outDepth, outHeight, outWidth, strideD: z[2], strideH: y[2], strideW: x[2] },
            ...{ padFront: z[3], padTop: y[3], padLeft: x[3], padBack: z[4], padBottom: y[4], padRight: x[4] },
            ...{ dilationD: z[5], dilationH: y[5], dilationW: x[5], kind, columnMajor },
          },
          [input(i % 2 ? awkwards(random, count) : normals(random, count))],
          planes * outDepth * outHeight * outWidth,
          kind === pool3dKinds.average || kind === pool3dKinds.averageIncludePad ? sum(z[1] * y[1] * x[1]) : exact,
        )
      }),
    ),
  )
}
