/** Kernel -> its WebAssembly function, how its weights are packed, and how much scratch memory a call needs. */
import type { KernelName, KernelParams, Unsupported } from '../../kernels/index.ts'
import { type Packing, packColumns, packFilters, tileColumns, tileRows } from './packing.ts'

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

/** As assembly/conv2d.ts: blocks of gathered pixels are at most this large. */
const blockBytes = 128 * 1024
const align = (bytes: number) => Math.ceil(bytes / 64) * 64

/** The layout of assembly/conv2d.ts's scratch memory: offsets, a padded image, offsets in a panel, a block of panels. */
function convScratch(p: KernelParams['conv2d']): number {
  const taps = (p.channels / p.groups) * p.kernelH * p.kernelW
  const rows = (p.outHeight - 1) * p.strideH + (p.kernelH - 1) * p.dilationH + 1
  const columns = (p.outWidth - 1) * p.strideW + (p.kernelW - 1) * p.dilationW + 1
  const padded = align(p.channels * rows * columns * 4) + 64
  return 2 * align(taps * 4) + padded + Math.max(blockBytes, taps * tileColumns * 4) + 256
}

/** The layout of assembly/gemm.ts's: offsets, six rows of a, a panel of b. */
function gemmScratch(p: KernelParams['gemm']): number {
  return align(p.k * 4) + align(p.k * tileRows * 4) + align(p.k * tileColumns * 4)
}

/** The layout of assembly/conv-transpose.ts's: offsets, six rows of w, the products of one filter. */
function convTransposeScratch(p: KernelParams['conv-transpose']): number {
  const k = p.channels / p.groups
  const products = p.kernelD * p.kernelH * p.kernelW * p.depth * p.height * p.width
  return align(k * 4) + align(k * tileRows * 4) + products * 4
}

/** The layout of assembly/matmul.ts's: offsets, six rows of a, all panels of b. */
function matmulScratch(p: KernelParams['matmul']): number {
  const panels = Math.ceil(p.n / tileColumns)
  return align(p.k * 4) + align(p.k * tileRows * 4) + panels * p.k * tileColumns * 4
}

export const wasmTable: WasmTable = {
  affine: () => ({ entry: 'affine' }),
  binary: () => ({ entry: 'binary' }),
  'conv-transpose': params => ({ entry: 'convTranspose', scratchBytes: convTransposeScratch(params) }),
  conv2d: (params, [, fixed]) =>
    fixed
      ? { entry: 'conv2d', packings: { 1: packFilters(params) }, scratchBytes: convScratch(params) }
      : { entry: 'conv2dUnpacked', scratchBytes: convScratch(params) + align(packFilters(params).elements * 4) },
  copy: () => ({ entry: 'copy' }),
  cumsum: () => ({ entry: 'cumsum' }),
  gather: () => ({ entry: 'gather' }),
  'gather-elements': () => ({ entry: 'gatherElements' }),
  'gather-nd': () => ({ entry: 'gatherNd' }),
  gemm: (params, [, fixed]) =>
    fixed && params.sharedB
      ? { entry: 'gemmPacked', packings: { 1: packColumns(params) }, scratchBytes: gemmScratch(params) }
      : { entry: 'gemm', scratchBytes: gemmScratch(params) },
  'global-average-pool': () => ({ entry: 'globalAveragePool' }),
  'image-to-tensor': () => ({ entry: 'imageToTensor' }),
  lrn: () => ({ entry: 'lrn' }),
  matmul: params => ({ entry: 'matmul', scratchBytes: matmulScratch(params) }),
  normalize: () => ({ entry: 'normalize' }),
  pool2d: () => ({ entry: 'pool2d' }),
  pool3d: () => ({ entry: 'pool3d' }),
  reduce: () => ({ entry: 'reduce' }),
  // Tables by tap, four elements longer at most.
  'resample-axis': p => ({ entry: 'resampleAxis', scratchBytes: p.inner === 1 ? 8 * p.taps * (p.outSize + 4) : 0 }),
  'scatter-elements': () => ({ entry: 'scatterElements' }),
  'scatter-nd': () => ({ entry: 'scatterNd' }),
  softmax: () => ({ entry: 'softmax' }),
  'top-k': params => ({ entry: 'topK', scratchBytes: 8 * params.axis }),
  unary: () => ({ entry: 'unary' }),
  where: () => ({ entry: 'where' }),
}
