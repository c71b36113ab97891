/** All kernels by name. A backend's table is `Record<KernelName, Implementation | Unsupported>`, so that none is forgotten. */
import type { HostArray } from '../tensor/dtype.ts'
import { affine } from './affine.ts'
import { binary } from './binary.ts'
import type { Cost, ParamsOf, ParamType } from './contract.ts'
import { conv2d } from './conv2d.ts'
import { copy } from './copy.ts'
import { gemm } from './gemm.ts'
import { globalAveragePool } from './global-average-pool.ts'
import { imageToTensor } from './image-to-tensor.ts'
import { pool2d } from './pool2d.ts'
import { softmax } from './softmax.ts'
import { unary } from './unary.ts'

/** The key is the basename of the kernel's files. */
const table = {
  affine,
  binary,
  conv2d,
  copy,
  gemm,
  'global-average-pool': globalAveragePool,
  'image-to-tensor': imageToTensor,
  pool2d,
  softmax,
  unary,
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
