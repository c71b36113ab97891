/** What each kernel is measured on: shapes of the kind that networks bring, with data for every operand. */
import { prng } from '../../base/prng.ts'
import { type KernelProgram, kernelProgram, type OperandInit } from '../engine/kernel-program.ts'
import { activations } from '../kernels/activation.ts'
import { binaryOps } from '../kernels/binary.ts'
import type { KernelName, KernelParams } from '../kernels/index.ts'
import { poolKinds } from '../kernels/pool2d.ts'
import { pool3dKinds } from '../kernels/pool3d.ts'
import { reduceOps } from '../kernels/reduce.ts'
import { scatterReductions } from '../kernels/scatter-elements.ts'
import { topKParts } from '../kernels/top-k.ts'
import { treeAggregates, treeNodeFloats } from '../kernels/tree-ensemble.ts'
import { unaryOps } from '../kernels/unary.ts'

export interface MeasuredShape {
  kernel: KernelName
  /** For people. */
  text: string
  program(): KernelProgram
}

/** Elements of an operand, and what they are. */
interface Filled {
  elements: number
  /** Whole numbers below it; else normals. */
  below?: number
  /** Bytes, of which images are made. */
  bytes?: boolean
  /** Or all of them. */
  data?: Float32Array
  fixed?: boolean
}

const values = (elements: number): Filled => ({ elements })
const fixed = (elements: number): Filled => ({ elements, fixed: true })
const places = (elements: number, below: number): Filled => ({ elements, below })

function shape<K extends KernelName>(
  kernel: K,
  text: string,
  params: KernelParams[K],
  operands: (Filled | null)[],
  outputs: number,
): MeasuredShape {
  const program = () => kernelProgram(kernel, [{ params, operands: operands.map(operandOf) }], outputs)
  return { kernel, text, program }
}

function operandOf(filled: Filled | null): OperandInit | null {
  if (!filled) return null
  const { elements, below, bytes, data } = filled
  if (data) return { data, fixed: filled.fixed }
  const random = prng(elements)
  if (bytes) return { data: Uint8Array.from({ length: elements }, () => random.int(256)) }
  const one = below === undefined ? () => random.normal() : () => random.int(below)
  return { data: Float32Array.from({ length: elements }, one), fixed: filled.fixed }
}

const noActivation = { activation: activations.none, clipMin: 0, clipMax: 0 }
const relu = { ...noActivation, activation: activations.relu }

/** channels, side, filters, kernel, stride, groups */
const convolutions = [
  [3, 224, 64, 7, 2, 1],
  [64, 56, 64, 3, 1, 1],
  [256, 14, 256, 3, 1, 1],
  [128, 28, 128, 3, 2, 1],
  [256, 14, 1024, 1, 1, 1],
  [96, 56, 96, 3, 1, 96],
]

function conv(kernel: 'conv2d' | 'conv2d-channels-last', row: readonly number[]): MeasuredShape {
  const [channels, side, filters, size, stride, groups] = row
  const out = Math.ceil(side / stride)
  const pad = (size - 1) >> 1
  const params = {
    batch: 1,
    channels,
    height: side,
    width: side,
    filters,
    kernelH: size,
    kernelW: size,
    outHeight: out,
    outWidth: out,
    strideH: stride,
    strideW: stride,
    padTop: pad,
    padLeft: pad,
    dilationH: 1,
    dilationW: 1,
    groups,
    hasBias: 1,
    hasResidual: 0,
    ...relu,
  }
  const text = `${channels}x${side}x${side}, ${filters} of ${size}x${size}${stride > 1 ? `, stride ${stride}` : ''}${groups > 1 ? ', depthwise' : ''}`
  const weights = (filters * channels * size * size) / groups
  const operands = [values(channels * side * side), fixed(weights), fixed(filters), null]
  return shape(kernel, text, params, operands, filters * out * out)
}

function gemm(m: number, n: number, k: number): MeasuredShape {
  const flags = { transposeB: 1, sharedB: 1, hasBias: 1, biasStrideM: 0, biasStrideN: 1 }
  const operands = [values(m * k), fixed(n * k), fixed(n)]
  return shape('gemm', `${m}x${n}x${k}`, { batch: 1, m, n, k, ...flags, ...noActivation }, operands, m * n)
}

function matmul(batch: number, m: number, n: number, k: number): MeasuredShape {
  const a = { strideA0: 0, strideA1: m * k, strideAM: k, strideAK: 1 }
  const b = { strideB0: 0, strideB1: n * k, strideBK: n, strideBN: 1 }
  const operands = [values(batch * m * k), values(batch * n * k)]
  const text = `${batch} of ${m}x${n}x${k}`
  return shape('matmul', text, { batch0: 1, batch1: batch, m, n, k, ...a, ...b }, operands, batch * m * n)
}

/** Both sides of a pooling of 112x112 images to 56x56. */
const pooled = {
  height: 112,
  width: 112,
  kernelH: 3,
  kernelW: 3,
  outHeight: 56,
  outWidth: 56,
  strideH: 2,
  strideW: 2,
  padTop: 1,
  padLeft: 1,
  padBottom: 1,
  padRight: 1,
  dilationH: 1,
  dilationW: 1,
}

const many = 1 << 20
const row = { dim0: 1, dim1: 1, dim2: 1, dim3: 1, dim4: 1, dim5: many }
/** 1024 x 1024 as the last two of six axes. */
const square = { ...row, dim4: 1024, dim5: 1024 }
const squareIndex = { index0: 1, index1: 1, index2: 1, index3: 1, index4: 1024, index5: 1024 }

/** Six strides, all 0 but the last ones given. */
function strides<P extends string>(prefix: P, ...last: number[]) {
  const all = [...Array<number>(6 - last.length).fill(0), ...last]
  type Strides = { [I in 0 | 1 | 2 | 3 | 4 | 5 as `${P}${I}`]: number }
  return Object.fromEntries(all.map((stride, i) => [`${prefix}${i}`, stride])) as Strides
}

function unary(name: keyof typeof unaryOps, alpha = 0, beta = 0): MeasuredShape {
  return shape('unary', `${name} of ${many}`, { count: many, op: unaryOps[name], alpha, beta }, [values(many)], many)
}

function copies(): MeasuredShape[] {
  const both = (x: number, y: number) => ({ ...strides('strideX', x, y), offsetX: 0, offsetY: 0 })
  const dense = strides('strideY', 1024, 1)
  return [
    shape('copy', '1024x1024', { ...square, ...both(1024, 1), ...dense }, [values(many)], many),
    shape('copy', '1024x1024, transposed', { ...square, ...both(1, 1024), ...dense }, [values(many)], many),
  ]
}

/** In the order of the kernels' names. */
export const measuredShapes: readonly MeasuredShape[] = [
  shape('affine', '64x112x112', { outer: 1, channels: 64, inner: 12_544, ...relu }, channelwise(64, 12_544), 802_816),
  shape(
    'binary',
    `add of ${many}`,
    { op: binaryOps.add, ...row, ...strides('strideA', 1), ...strides('strideB', 1), ...noActivation },
    [values(many), values(many)],
    many,
  ),
  shape(
    'binary',
    'mul of 1024x1024 by its rows',
    { op: binaryOps.mul, ...square, ...strides('strideA', 1024, 1), ...strides('strideB', 1, 0), ...noActivation },
    [values(many), values(1024)],
    many,
  ),
  convTranspose(),
  ...convolutions.map(sizes => conv('conv2d', sizes)),
  ...convolutions.map(sizes => conv('conv2d-channels-last', sizes)),
  ...copies(),
  shape('cumsum', '1024x1024', { outer: 1024, axis: 1024, inner: 1, exclusive: 0, reverse: 0 }, [values(many)], many),
  shape(
    'gather',
    '1024 rows of 768 from 30522',
    { outer: 1, axis: 30_522, inner: 768, count: 1024 },
    [values(30_522 * 768), places(1024, 30_522)],
    1024 * 768,
  ),
  shape(
    'gather-elements',
    '1024x1024, axis 1',
    { ...square, ...squareIndex, axis: 5 },
    [values(many), places(many, 1024)],
    many,
  ),
  shape(
    'gather-nd',
    '4096 rows of 256 from 64x64',
    { batch: 1, count: 4096, depth: 2, inner: 256, ...row, dim0: 64, dim1: 64, dim5: 1 },
    [values(many), places(8192, 64)],
    many,
  ),
  gemm(1, 1000, 2048),
  gemm(197, 768, 768),
  gemm(1024, 1024, 1024),
  shape('global-average-pool', '2048x7x7', { planes: 2048, area: 49 }, [values(2048 * 49)], 2048),
  shape(
    'image-to-tensor',
    '4 of 224x224x3',
    { batch: 4, channels: 3, area: 50_176 },
    [{ elements: 602_112, bytes: true }, fixed(3), fixed(3)],
    602_112,
  ),
  shape(
    'lrn',
    '96x27x27',
    { outer: 1, channels: 96, inner: 729, size: 5, alpha: 1e-4, beta: 0.75, bias: 1 },
    [values(69_984)],
    69_984,
  ),
  matmul(12, 197, 197, 64),
  matmul(12, 197, 64, 197),
  shape(
    'normalize',
    '197x768',
    { outer: 197, inner: 768, epsilon: 1e-5, hasScale: 1, hasBias: 1 },
    [values(151_296), fixed(768), fixed(768)],
    151_296,
  ),
  shape(
    'pool2d',
    'max of 64x112x112, 3x3, stride 2',
    { planes: 64, ...pooled, kind: poolKinds.max },
    [values(802_816)],
    200_704,
  ),
  shape(
    'pool2d-channels-last',
    'max of 64x112x112, 3x3, stride 2',
    { batch: 1, channels: 64, ...pooled, kind: poolKinds.max },
    [values(802_816)],
    200_704,
  ),
  pool3d(),
  shape('reduce', 'sum of 1024x1024, axis 1', reduction('sum', 1024, 1024, 1), [values(many)], 1024),
  shape('reduce', 'sum of 1024x1024, axis 0', reduction('sum', 1, 1024, 1024), [values(many)], 1024),
  shape('reduce', 'argMax of 1024x1024, axis 1', reduction('argMax', 1024, 1024, 1), [values(many)], 1024),
  shape(
    'resample-axis',
    '64x56x56 to 112, linear',
    { outer: 64, size: 56, inner: 56, outSize: 112, taps: 2, fill: 0 },
    [values(200_704), places(224, 56), fixed(224)],
    401_408,
  ),
  shape(
    'scatter-elements',
    '1024x1024, axis 1, add',
    { ...square, ...squareIndex, axis: 5, reduction: scatterReductions.add },
    [values(many), places(many, 1024), values(many)],
    many,
  ),
  shape(
    'scatter-nd',
    '64 of 1024 rows of 1024, add',
    { count: 64, depth: 1, inner: 1024, ...row, dim0: 1024, dim5: 1, reduction: scatterReductions.add },
    [values(many), places(64, 1024), values(65_536)],
    many,
  ),
  shape(
    'segment-sum',
    '4096x64, 32 segments',
    { blocks: 4, rows: 1024, inner: 64, segments: 32 },
    [values(4096 * 64), places(4096, 32)],
    4 * 32 * 64,
  ),
  shape(
    'squared-distance',
    '4096x64, 32 centers',
    { m: 4096, n: 32, k: 64, hasScale: 1 },
    [values(4096 * 64), values(64 * 32), values(64 * 32)],
    4096 * 32,
  ),
  shape('softmax', '2364x197', { outer: 2364, axis: 197, inner: 1, log: 0 }, [values(465_708)], 465_708),
  shape(
    'top-k',
    '5 of 1000, 64 rows',
    { outer: 64, axis: 1000, inner: 1, k: 5, largest: 1, part: topKParts.values },
    [values(64_000)],
    320,
  ),
  coupling(),
  trees(),
  unary('relu'),
  unary('sigmoid'),
  unary('gelu'),
  unary('hardSwish'),
  unary('exp'),
  shape(
    'where',
    String(many),
    { ...row, ...strides('strideC', 1), ...strides('strideA', 1), ...strides('strideB', 1) },
    [places(many, 2), values(many), values(many)],
    many,
  ),
]

function coupling(): MeasuredShape {
  const [rows, classes] = [1024, 10]
  const data = Float32Array.from({ length: (rows * classes * (classes - 1)) / 2 }, prng(3).next)
  const pairs = { elements: data.length, data }
  return shape('pairwise-coupling', `${classes} classes, ${rows} rows`, { rows, classes }, [pairs], rows * classes)
}

function channelwise(channels: number, inner: number): Filled[] {
  return [values(channels * inner), fixed(channels), fixed(channels)]
}

function reduction(op: keyof typeof reduceOps, outer: number, axis: number, inner: number) {
  return { outer, axis, inner, op: reduceOps[op], selectLast: 0 }
}

function convTranspose(): MeasuredShape {
  const params = {
    batch: 1,
    channels: 128,
    depth: 1,
    height: 28,
    width: 28,
    filters: 64,
    kernelD: 1,
    kernelH: 2,
    kernelW: 2,
    outDepth: 1,
    outHeight: 56,
    outWidth: 56,
    strideD: 1,
    strideH: 2,
    strideW: 2,
    padFront: 0,
    padTop: 0,
    padLeft: 0,
    dilationD: 1,
    dilationH: 1,
    dilationW: 1,
    groups: 1,
    hasBias: 1,
    ...noActivation,
  }
  const operands = [values(128 * 28 * 28), fixed(128 * 64 * 4), fixed(64)]
  return shape('conv-transpose', '128x28x28, 64 of 2x2, stride 2', params, operands, 64 * 56 * 56)
}

function pool3d(): MeasuredShape {
  const depths = {
    depth: 16,
    kernelD: 2,
    outDepth: 8,
    strideD: 2,
    padFront: 0,
    padBack: 0,
    dilationD: 1,
  }
  const sizes = { ...pooled, ...depths, kernelH: 2, kernelW: 2, padTop: 0, padLeft: 0, padBottom: 0, padRight: 0 }
  const params = { planes: 8, ...sizes, kind: pool3dKinds.average, columnMajor: 0 }
  const elements = 8 * 16 * 112 * 112
  return shape('pool3d', 'average of 8x16x112x112, 2x2x2', params, [values(elements)], elements / 8)
}

/** Complete trees, every leaf with one weight for the one target. */
function trees(): MeasuredShape {
  const [rows, features, count, depth] = [1024, 32, 100, 6]
  const random = prng(depth)
  const perTree = 2 ** (depth + 1) - 1
  const branches = 2 ** depth - 1
  const roots = new Float32Array(2 * count)
  const nodes = new Float32Array(treeNodeFloats * count * perTree)
  const leaves: number[] = []
  for (let tree = 0; tree < count; tree++) {
    const root = tree * perTree
    roots.set([root, depth], 2 * tree)
    for (let n = 0; n < perTree; n++) {
      const value = random.normal()
      const branch = [random.int(features), value, root + 2 * n + 1, root + 2 * n + 2, 0]
      nodes.set(n < branches ? branch : [-1, value, leaves.length, 0, 0], treeNodeFloats * (root + n))
      if (n >= branches) leaves.push(1, 0, value)
    }
  }
  const weights = [roots, nodes, Float32Array.from(leaves)].map(data => ({ elements: data.length, data, fixed: true }))
  const params = {
    rows,
    features,
    trees: count,
    nodes: count * perTree,
    targets: 1,
    depth,
    aggregate: treeAggregates.sum,
    missing: 0,
    single: 1,
    dense: 0,
  }
  const text = `${count} trees of depth ${depth}, ${rows}x${features}`
  return shape('tree-ensemble', text, params, [values(rows * features), ...weights], rows)
}
