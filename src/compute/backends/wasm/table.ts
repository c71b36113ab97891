/** Kernel -> its WebAssembly function, how its weights are packed, and how much scratch memory a call needs. */
import { assert } from '../../../base/errors.ts'
import type { KernelName, KernelParams, Unsupported } from '../../kernels/index.ts'
import { unaryOps } from '../../kernels/unary.ts'
import { type Packing, packColumns, packDepthwise, packFilterPanels, packWinograd, panelElements } from './packing.ts'
import { packTreeNodes } from './packing-trees.ts'

/** How one step runs. */
export interface WasmCall {
  /** The module's export. */
  entry: string
  /** By operand; only weights are packed. */
  packings?: Readonly<Record<number, Packing>>
  scratchBytes?: number
}

/** @param fixed by operand, whether it is a weight */
export type WasmKernel<K extends KernelName> = (params: KernelParams[K], fixed: readonly boolean[]) => WasmCall

export type WasmTable = { readonly [K in KernelName]: WasmKernel<K> | Unsupported }

const align = (bytes: number) => Math.ceil(bytes / 64) * 64

/** What every product of assembly/panels.ts needs: an edge tile, zeros as long as a row, addresses for each tap. */
const productScratch = (row: number, taps: number) => 768 + align((row + 16) * 4) + taps * 16 * 24

/** The layout of assembly/gemm.ts's: a product's, then the panels of a b that is not packed. */
function gemmScratch(p: KernelParams['gemm'], packed: boolean): number {
  return productScratch(p.n, 1) + (packed ? 0 : panelElements(p.n, p.k) * 4)
}

type Conv = KernelParams['conv2d-channels-last']

/** The layout of assembly/conv2d-channels-last.ts's: a product's, then a framed image, or packed and turned filters. */
function channelsLastScratch(p: Conv, way: 'plain' | 'framed' | 'unpacked'): number {
  const [length, perGroup, taps] = [p.channels / p.groups, p.filters / p.groups, p.kernelH * p.kernelW]
  const product = productScratch(Math.max(length, perGroup), taps)
  if (way === 'plain') return product
  if (way === 'unpacked') return product + 4 * (packFilterPanels(p).elements + perGroup * length * taps)
  const rows = (p.outHeight - 1) * p.strideH + (p.kernelH - 1) * p.dilationH + 1
  const columns = (p.outWidth - 1) * p.strideW + p.kernelW
  return product + 4 * rows * columns * p.channels
}

/** The layout of assembly/conv2d-channels-last-winograd.ts's. */
function winogradScratch({ channels, filters }: Conv): number {
  const block = Math.max(12, Math.min(96, Math.floor(600_000 / (144 * (channels + filters)) / 6) * 6))
  const head = 768 + 192 + 64 + 1152 + align(Math.max(channels, filters) * 4 + 64) + align((block / 6) * 24)
  return head + 36 * (block * 4 * (channels + filters) + 128)
}

/**
 * Which of the kernels for convolutions takes a call: by the shape of one image, so that a row's bits do not depend on the
 * batch. The thresholds are measured, see bench/ENGINE.md.
 */
function channelsLast(p: Conv, fixed: boolean): WasmCall {
  const taps = p.kernelH * p.kernelW
  if (!fixed) return { entry: 'conv2dChannelsLastUnpacked', scratchBytes: channelsLastScratch(p, 'unpacked') }
  if (p.groups === p.channels && p.filters === p.channels && p.channels > 1) {
    const packings = { 1: packDepthwise(p) }
    return { entry: 'conv2dChannelsLastDepthwise', packings, scratchBytes: 4 * p.channels + 64 }
  }
  const square = p.kernelH === 3 && p.kernelW === 3 && p.strideH === 1 && p.strideW === 1
  const large = Math.min(p.channels, p.filters) >= 16 && Math.min(p.outHeight, p.outWidth) >= 10
  const even = p.channels % 8 === 0 && p.filters % 8 === 0
  if (square && large && even && p.groups === 1 && p.dilationH === 1 && p.dilationW === 1) {
    return { entry: 'conv2dChannelsLastWinograd', packings: { 1: packWinograd(p) }, scratchBytes: winogradScratch(p) }
  }
  const framed = p.groups === 1 && p.channels < 8 && p.dilationW === 1 && taps > 1
  return {
    entry: framed ? 'conv2dChannelsLastFramed' : 'conv2dChannelsLast',
    packings: { 1: packFilterPanels(p) },
    scratchBytes: channelsLastScratch(p, framed ? 'framed' : 'plain'),
  }
}

/** The layout of assembly/conv-transpose.ts's: a product's, panels of a group, one filter's weights and products. */
function convTransposeScratch(p: KernelParams['conv-transpose']): number {
  const [k, taps] = [p.channels / p.groups, p.kernelD * p.kernelH * p.kernelW]
  const volume = p.depth * p.height * p.width
  const panels = align(Math.ceil(volume / 16) * 16 * k * 4)
  return productScratch(volume, 1) + panels + align(taps * k * 4) + taps * volume * 4
}

/** The layout of assembly/matmul.ts's: a product's, the panels of b, a's rows where they are not contiguous. */
function matmulScratch(p: KernelParams['matmul']): number {
  const rows = p.strideAK === 1 ? 0 : p.m * p.k * 4
  return productScratch(p.n, 1) + align(panelElements(p.n, p.k) * 4) + rows + 64
}

/** The layout of assembly/tree-ensemble.ts's: keys of groups of eight rows, then their sums. */
function treeEnsemble(p: KernelParams['tree-ensemble'], fixed: boolean): WasmCall {
  assert(fixed, "a tree's nodes are known before the run")
  const groupBytes = 32 * p.features * (1 + p.missing)
  const groups = Math.max(1, Math.min(32, Math.floor(65_536 / Math.max(1, groupBytes))))
  const scratchBytes = groups * (groupBytes + 32 * p.targets)
  return { entry: 'treeEnsemble', packings: { 2: packTreeNodes(p) }, scratchBytes }
}

/** The table of assembly/pairs.ts and two vectors. */
const pairsScratch = 256 + 64

/** The functions of assembly/unary-pairs.ts. */
const pairedOps: ReadonlySet<number> = new Set(
  (['relu', 'clip', 'sigmoid', 'tanh', 'erf', 'hardSigmoid', 'hardSwish', 'gelu'] as const).map(name => unaryOps[name]),
)

export const wasmTable: WasmTable = {
  affine: () => ({ entry: 'affine' }),
  binary: () => ({ entry: 'binary' }),
  'conv-transpose': params => ({ entry: 'convTranspose', scratchBytes: convTransposeScratch(params) }),
  conv2d: { unsupported: 'its images lie channels last' },
  'conv2d-channels-last': (params, [, fixed]) => channelsLast(params, fixed),
  copy: () => ({ entry: 'copy' }),
  cumsum: () => ({ entry: 'cumsum' }),
  gather: () => ({ entry: 'gather' }),
  'gather-elements': () => ({ entry: 'gatherElements' }),
  'gather-nd': () => ({ entry: 'gatherNd' }),
  gemm: (params, [, fixed]) =>
    fixed && params.sharedB
      ? { entry: 'gemmPacked', packings: { 1: packColumns(params) }, scratchBytes: gemmScratch(params, true) }
      : { entry: 'gemm', scratchBytes: gemmScratch(params, false) },
  'global-average-pool': () => ({ entry: 'globalAveragePool' }),
  'image-to-tensor': () => ({ entry: 'imageToTensor' }),
  lrn: () => ({ entry: 'lrn' }),
  matmul: params => ({ entry: 'matmul', scratchBytes: matmulScratch(params) }),
  normalize: () => ({ entry: 'normalize' }),
  'pairwise-coupling': p => ({ entry: 'pairwiseCoupling', scratchBytes: 4 * p.classes * (p.classes + 1) }),
  pool2d: () => ({ entry: 'pool2d' }),
  'pool2d-channels-last': () => ({ entry: 'pool2dChannelsLast' }),
  pool3d: () => ({ entry: 'pool3d' }),
  reduce: () => ({ entry: 'reduce' }),
  // Tables by tap, four elements longer at most.
  'resample-axis': p => ({ entry: 'resampleAxis', scratchBytes: p.inner === 1 ? 8 * p.taps * (p.outSize + 4) : 0 }),
  'scatter-elements': () => ({ entry: 'scatterElements' }),
  'scatter-nd': () => ({ entry: 'scatterNd' }),
  softmax: ({ inner, log }) =>
    inner === 1 && log === 0 ? { entry: 'softmaxLines', scratchBytes: pairsScratch } : { entry: 'softmax' },
  'segment-sum': () => ({ entry: 'segmentSum' }),
  'squared-distance': () => ({ entry: 'squaredDistance' }),
  'top-k': params => ({ entry: 'topK', scratchBytes: 8 * params.axis }),
  'tree-ensemble': (params, [, , fixed]) => treeEnsemble(params, fixed),
  unary: ({ op }) => (pairedOps.has(op) ? { entry: 'unaryPairs', scratchBytes: pairsScratch } : { entry: 'unary' }),
  where: () => ({ entry: 'where' }),
}
