/** All kernels by name. A backend's table is `Record<KernelName, Implementation | Unsupported>`: the compiler names a missing one. */
import type { HostArray } from '../tensor/dtype.ts'
import { affine } from './affine.ts'
import { binary } from './binary.ts'
import type { Cost, ParamsOf, ParamType } from './contract.ts'
import { convTranspose } from './conv-transpose.ts'
import { conv2d } from './conv2d.ts'
import { conv2dChannelsLast } from './conv2d-channels-last.ts'
import { copy } from './copy.ts'
import { cumsum } from './cumsum.ts'
import { gather } from './gather.ts'
import { gatherElements } from './gather-elements.ts'
import { gatherNd } from './gather-nd.ts'
import { gemm } from './gemm.ts'
import { globalAveragePool } from './global-average-pool.ts'
import { imageToTensor } from './image-to-tensor.ts'
import { lrn } from './lrn.ts'
import { matmul } from './matmul.ts'
import { normalize } from './normalize.ts'
import { pairwiseCoupling } from './pairwise-coupling.ts'
import { pool2d } from './pool2d.ts'
import { pool2dChannelsLast } from './pool2d-channels-last.ts'
import { pool3d } from './pool3d.ts'
import { reduce } from './reduce.ts'
import { resampleAxis } from './resample-axis.ts'
import { scatterElements } from './scatter-elements.ts'
import { scatterNd } from './scatter-nd.ts'
import { segmentSum } from './segment-sum.ts'
import { softmax } from './softmax.ts'
import { squaredDistance } from './squared-distance.ts'
import { topK } from './top-k.ts'
import { treeEnsemble } from './tree-ensemble.ts'
import { unary } from './unary.ts'
import { where } from './where.ts'

/** The key is the basename of the kernel's files. */
const table = {
  affine,
  binary,
  'conv-transpose': convTranspose,
  conv2d,
  'conv2d-channels-last': conv2dChannelsLast,
  copy,
  cumsum,
  gather,
  'gather-elements': gatherElements,
  'gather-nd': gatherNd,
  gemm,
  'global-average-pool': globalAveragePool,
  'image-to-tensor': imageToTensor,
  lrn,
  matmul,
  normalize,
  'pairwise-coupling': pairwiseCoupling,
  pool2d,
  'pool2d-channels-last': pool2dChannelsLast,
  pool3d,
  reduce,
  'resample-axis': resampleAxis,
  'scatter-elements': scatterElements,
  'scatter-nd': scatterNd,
  'segment-sum': segmentSum,
  softmax,
  'squared-distance': squaredDistance,
  'top-k': topK,
  'tree-ensemble': treeEnsemble,
  unary,
  where,
} as const

export type KernelName = keyof typeof table

/** Kernel -> its params. */
export type KernelParams = { readonly [K in KernelName]: ParamsOf<(typeof table)[K]['fields']> }

/** The definition of a kernel, as its contract states it. */
export type KernelReference<K extends KernelName> = (
  params: KernelParams[K],
  inputs: readonly HostArray[],
  output: Float32Array | Float64Array,
) => void

/** A contract, with its params tied to the kernel's name. */
export interface Kernel<K extends KernelName> {
  readonly fields: { readonly [F in keyof KernelParams[K]]: ParamType }
  readonly operands: readonly string[]
  readonly reference: KernelReference<K>
  readonly cost: (params: KernelParams[K]) => Cost
}

export const kernels: { readonly [K in KernelName]: Kernel<K> } = table

/** A deliberate gap in a backend's table, with its reason. */
export interface Unsupported {
  readonly unsupported: string
}

export function isKernelName(name: string): name is KernelName {
  return Object.hasOwn(table, name)
}

export const kernelNames: readonly KernelName[] = Object.keys(table).filter(isKernelName)
