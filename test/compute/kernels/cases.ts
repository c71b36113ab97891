/**
 * Seeded calls of every kernel with the awkward edges: sizes 0, 1 and around the tiles, NaN, infinities, -0.
 * What is right is whatever the reference backend says; a case states only how far from it one may be.
 */
import { type Prng, prng } from '../../../src/base/prng.ts'
import { kernelProgram } from '../../../src/compute/engine/kernel-program.ts'
import type { KernelName } from '../../../src/compute/kernels/index.ts'
import { poolKinds } from '../../../src/compute/kernels/pool2d.ts'
import { elementsOf, stridesOf } from '../../../src/compute/tensor/shape.ts'
import { collapse } from '../../../src/compute/tensor/strides.ts'
import { awkwards, epilogues, input, type KernelCase, normals, one, rounding, sum, weight } from './case.ts'
import { conv2dChannelsLastCases, pool2dChannelsLastCases } from './cases-channels-last.ts'
import { pairwiseCouplingCases } from './cases-coupling.ts'
import { binaryCases, unaryCases, whereCases } from './cases-elementwise.ts'
import {
  gatherCases,
  gatherElementsCases,
  gatherNdCases,
  resampleAxisCases,
  scatterElementsCases,
  scatterNdCases,
} from './cases-indices.ts'
import { segmentSumCases, squaredDistanceCases } from './cases-learn.ts'
import { cumsumCases, lrnCases, matmulCases, normalizeCases, reduceCases, topKCases } from './cases-rows.ts'
import { treeEnsembleCases } from './cases-trees.ts'
import { convTransposeCases, pool3dCases } from './cases-volumes.ts'

export { type KernelCase, normals } from './case.ts'

/** batch, channels, height, width, filters, kernel h, w, stride h, w, pads t, l, b, r, dilation h, w, groups */
const convolutions: number[][] = [
  [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [2, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 3, 8, 8, 7, 3, 3, 2, 2, 0, 0, 1, 1, 1, 1, 1],
  [3, 5, 4, 9, 6, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [1, 8, 6, 6, 13, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1],
  [2, 2, 9, 17, 17, 5, 3, 1, 2, 2, 1, 2, 1, 1, 1, 1],
  [1, 4, 11, 10, 12, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1],
  [1, 6, 7, 7, 9, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3],
  [2, 5, 9, 33, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 5],
  [1, 4, 10, 15, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 4],
  [1, 3, 6, 6, 6, 5, 5, 1, 1, 4, 4, 4, 4, 2, 2, 3],
  [0, 3, 4, 4, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 16, 16, 16, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 37, 3, 3, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  [1, 2, 3, 3, 3, 3, 3, 1, 1, 3, 3, 3, 3, 1, 1, 1],
]

function conv2dCases(random: Prng): KernelCase[] {
  return convolutions.map((row, i) => {
    const [batch, channels, height, width, filters, kernelH, kernelW, strideH, strideW, ...rest] = row
    const [padTop, padLeft, padBottom, padRight, dilationH, dilationW, groups] = rest
    const outHeight = Math.floor((height + padTop + padBottom - dilationH * (kernelH - 1) - 1) / strideH) + 1
    const outWidth = Math.floor((width + padLeft + padRight - dilationW * (kernelW - 1) - 1) / strideW) + 1
    const hasBias = i % 4 === 3 ? 0 : 1
    const hasResidual = i % 3 === 1 ? 1 : 0
    const outputs = batch * filters * outHeight * outWidth
    const taps = (channels / groups) * kernelH * kernelW
    const x = normals(random, batch * channels * height * width)
    if (i % 5 === 1) x[x.length >> 1] = Number.NaN
    if (i % 5 === 2) x[x.length >> 1] = Number.POSITIVE_INFINITY
    const sizes = { batch, channels, height, width, filters, kernelH, kernelW, outHeight, outWidth }
    const steps = { strideH, strideW, padTop, padLeft, dilationH, dilationW, groups }
    return one(
      'conv2d',
      row.join(' '),
      { ...sizes, ...steps, hasBias, hasResidual, ...epilogues[i % 3] },
      [
        input(x),
        weight(normals(random, filters * taps)),
        hasBias ? weight(normals(random, filters)) : null,
        hasResidual ? input(normals(random, outputs)) : null,
      ],
      outputs,
      sum(taps),
    )
  })
}

/** batch, m, n, k */
const products: number[][] = [
  [1, 1, 1, 1],
  [1, 6, 8, 4],
  [1, 7, 9, 5],
  [1, 5, 7, 33],
  [1, 32, 10, 64],
  [1, 13, 17, 65],
  [3, 4, 6, 7],
  [2, 1, 31, 3],
  [1, 3, 5, 0],
  [1, 0, 5, 3],
  [1, 65, 33, 129],
]

function gemmCases(random: Prng): KernelCase[] {
  return products.flatMap(([batch, m, n, k], i) =>
    [0, 1].map(fixed => {
      const transposeB = (i + fixed) % 2
      const sharedB = batch === 1 || fixed ? 1 : 0
      const [biasStrideM, biasStrideN] = [
        [0, 1],
        [1, 0],
        [n, 1],
        [0, 0],
      ][i % 4]
      const hasBias = i % 5 === 4 ? 0 : 1
      const a = normals(random, batch * m * k)
      if (i % 4 === 1 && a.length) a[a.length >> 1] = Number.NaN
      const b = normals(random, (sharedB ? 1 : batch) * k * n)
      const bias = normals(random, Math.max(0, m - 1) * biasStrideM + Math.max(0, n - 1) * biasStrideN + 1)
      return one(
        'gemm',
        `${batch} x ${m} ${n} ${k}${fixed ? ' fixed' : ''}${transposeB ? ' transposed' : ''}`,
        { batch, m, n, k, transposeB, sharedB, hasBias, biasStrideM, biasStrideN, ...epilogues[i % 3] },
        [input(a), fixed ? weight(b) : input(b), hasBias ? weight(bias) : null],
        batch * m * n,
        sum(k),
      )
    }),
  )
}

/** planes, height, width, kernel h, w, stride h, w, pads t, l, b, r, out height, width (rounded up in some), dilation */
const pools: number[][] = [
  [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1],
  [3, 8, 8, 2, 2, 2, 2, 0, 0, 0, 0, 4, 4, 1],
  [2, 7, 9, 3, 3, 2, 2, 1, 1, 1, 1, 4, 5, 1],
  [2, 14, 14, 3, 3, 3, 3, 0, 0, 0, 0, 4, 4, 1],
  [1, 6, 6, 3, 3, 2, 2, 0, 0, 0, 0, 3, 3, 1],
  [2, 5, 33, 3, 3, 1, 1, 1, 1, 1, 1, 5, 33, 1],
  [1, 8, 8, 8, 8, 8, 8, 0, 0, 0, 0, 1, 1, 1],
  [1, 9, 9, 2, 3, 1, 2, 0, 1, 1, 0, 8, 4, 2],
  [0, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0, 2, 2, 1],
  [2, 9, 29, 3, 3, 2, 2, 1, 1, 1, 1, 5, 15, 1],
  [1, 4, 40, 2, 3, 1, 3, 0, 2, 0, 2, 3, 14, 1],
  [1, 3, 90, 1, 2, 1, 17, 0, 0, 0, 0, 3, 6, 1],
  [1, 3, 2, 2, 5, 1, 1, 0, 2, 0, 2, 2, 2, 1],
]

function pool2dCases(random: Prng): KernelCase[] {
  return pools.flatMap(([planes, height, width, kernelH, kernelW, strideH, strideW, ...rest], i) =>
    Object.entries(poolKinds).map(([label, kind]) => {
      const [padTop, padLeft, padBottom, padRight, outHeight, outWidth, dilation] = rest
      const count = planes * height * width
      const sizes = { planes, height, width, kernelH, kernelW, outHeight, outWidth, strideH, strideW }
      const pads = { padTop, padLeft, padBottom, padRight, dilationH: dilation, dilationW: dilation }
      return one(
        'pool2d',
        `${label} ${planes} ${height} ${width} ${kernelH} ${kernelW} ${rest.join(' ')}`,
        { ...sizes, ...pads, kind },
        [input(i % 2 ? awkwards(random, count) : normals(random, count))],
        planes * outHeight * outWidth,
        sum(kernelH * kernelW),
      )
    }),
  )
}

function globalAveragePoolCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1],
    [5, 64],
    [7, 49],
    [3, 3],
    [128, 64],
    [0, 4],
    [2, 1025],
  ]
  return sizes.map(([planes, area]) => {
    const x = normals(random, planes * area)
    if (area === 49) x[50] = Number.NaN
    return one('global-average-pool', `${planes} ${area}`, { planes, area }, [input(x)], planes, sum(1))
  })
}

function softmaxCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1],
    [3, 10, 1],
    [4, 7, 5],
    [2, 1000, 1],
    [5, 2, 9],
    [0, 3, 1],
    [2, 4, 8],
  ]
  return sizes.flatMap(([outer, axis, inner]) =>
    [0, 1].map(log => {
      const x = normals(random, outer * axis * inner).map(value => value * 20)
      if (axis === 10) x.set([Number.NaN, 1, 2], 3)
      if (axis === 7) x.fill(Number.NEGATIVE_INFINITY, 0, 5)
      return one(
        'softmax',
        `${log ? 'log ' : ''}${outer} ${axis} ${inner}`,
        { outer, axis, inner, log },
        [input(x)],
        outer * axis * inner,
        { relative: 2e-5, absolute: 2e-6 },
      )
    }),
  )
}

function affineCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1],
    [2, 3, 16],
    [3, 5, 7],
    [4, 9, 1],
    [0, 2, 2],
    [1, 2, 33],
  ]
  return sizes.map(([outer, channels, inner], i) =>
    one(
      'affine',
      `${outer} ${channels} ${inner}`,
      { outer, channels, inner, ...epilogues[i % 3] },
      [
        input(awkwards(random, outer * channels * inner)),
        weight(normals(random, channels)),
        weight(normals(random, channels)),
      ],
      outer * channels * inner,
      rounding,
    ),
  )
}

function copyParams(dims: number[], offsetX: number, stridesX: number[], offsetY: number, stridesY: number[]) {
  const { dims: d, strides } = collapse(dims, [stridesX, stridesY])
  const [x, y] = strides
  return {
    ...{ dim0: d[0], dim1: d[1], dim2: d[2], dim3: d[3], dim4: d[4], dim5: d[5], offsetX },
    ...{ strideX0: x[0], strideX1: x[1], strideX2: x[2], strideX3: x[3], strideX4: x[4], strideX5: x[5], offsetY },
    ...{ strideY0: y[0], strideY1: y[1], strideY2: y[2], strideY3: y[3], strideY4: y[4], strideY5: y[5] },
  }
}

function copyCases(random: Prng): KernelCase[] {
  const transposes: [number[], number[]][] = [
    [[5], [0]],
    [
      [3, 7],
      [1, 0],
    ],
    [
      [2, 3, 4, 5],
      [0, 2, 3, 1],
    ],
    [
      [2, 3, 1, 2, 3, 2],
      [5, 3, 1, 4, 0, 2],
    ],
    [
      [0, 3],
      [1, 0],
    ],
    [
      [19, 37],
      [1, 0],
    ],
    [
      [3, 18, 21],
      [0, 2, 1],
    ],
    [
      [2, 7, 3, 9],
      [0, 2, 3, 1],
    ],
  ]
  const cases = transposes.map(([shape, permutation]) => {
    const dims = permutation.map(axis => shape[axis])
    const from = permutation.map(axis => stridesOf(shape)[axis])
    const params = copyParams(dims, 0, from, 0, stridesOf(dims))
    const count = elementsOf(shape)
    return one('copy', `transpose [${shape}] ${permutation}`, params, [input(awkwards(random, count))], count, 'bits')
  })
  // Every element 7 times, and rows repeated.
  for (const [strides, count] of [
    [[1, 0], 6],
    [[0, 1], 7],
    [[0, 0], 1],
  ] as const) {
    const expand = copyParams([6, 7], 0, [...strides], 0, [7, 1])
    cases.push(one('copy', `expand ${strides}`, expand, [input(awkwards(random, count))], 42, 'bits'))
  }
  // Rows 4, 2, 0 of [5, 6], columns 1 to 4.
  const slice = copyParams([3, 4], 4 * 6 + 1, [-12, 1], 0, [4, 1])
  cases.push(one('copy', 'slice backwards', slice, [input(awkwards(random, 30))], 12, 'bits'))
  // [2, 3] and [2, 5] joined along the second axis.
  const concat = kernelProgram(
    'copy',
    [
      { params: copyParams([2, 3], 0, [3, 1], 0, [8, 1]), operands: [input(awkwards(random, 6))] },
      { params: copyParams([2, 5], 0, [5, 1], 3, [8, 1]), operands: [weight(awkwards(random, 10))] },
    ],
    16,
  )
  cases.push({ kernel: 'copy', name: 'concat', tolerance: 'bits', ...concat })
  return cases
}

function imageToTensorCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1],
    [2, 3, 32],
    [1, 3, 35],
    [3, 1, 17],
    [1, 4, 5],
    [0, 3, 4],
  ]
  return sizes.map(([batch, channels, area]) =>
    one(
      'image-to-tensor',
      `${batch} ${channels} ${area}`,
      { batch, channels, area },
      [
        input(Uint8Array.from({ length: batch * channels * area }, () => random.int(256))),
        weight(normals(random, channels).map(value => value / 64)),
        weight(normals(random, channels)),
      ],
      batch * channels * area,
      rounding,
    ),
  )
}

const makers: { readonly [K in KernelName]: (random: Prng) => KernelCase[] } = {
  affine: affineCases,
  binary: binaryCases,
  conv2d: conv2dCases,
  'conv2d-channels-last': conv2dChannelsLastCases,
  copy: copyCases,
  gemm: gemmCases,
  'global-average-pool': globalAveragePoolCases,
  'image-to-tensor': imageToTensorCases,
  'pairwise-coupling': pairwiseCouplingCases,
  pool2d: pool2dCases,
  'pool2d-channels-last': pool2dChannelsLastCases,
  softmax: softmaxCases,
  unary: unaryCases,
  'conv-transpose': convTransposeCases,
  cumsum: cumsumCases,
  gather: gatherCases,
  'gather-elements': gatherElementsCases,
  'gather-nd': gatherNdCases,
  lrn: lrnCases,
  matmul: matmulCases,
  normalize: normalizeCases,
  pool3d: pool3dCases,
  reduce: reduceCases,
  'resample-axis': resampleAxisCases,
  'scatter-elements': scatterElementsCases,
  'scatter-nd': scatterNdCases,
  'segment-sum': segmentSumCases,
  'squared-distance': squaredDistanceCases,
  'top-k': topKCases,
  'tree-ensemble': treeEnsembleCases,
  where: whereCases,
}

/** All cases of one kernel; the same for every backend. */
export function kernelCases(kernel: KernelName): KernelCase[] {
  return makers[kernel](prng(20_261_121))
}
