/**
 * The kernels on WebGPU: for each one its shader's variant and how many workgroups a call takes.
 *
 * Invariant: what changes an order of summation (the lanes that share a line) depends on the row's own shape, never on
 * the batch; tiles may depend on anything, because every tile sums in the same order.
 */
import { binaryOps } from '../../kernels/binary.ts'
import { type KernelName, type KernelParams, kernels, type Unsupported } from '../../kernels/index.ts'
import { unaryOps } from '../../kernels/unary.ts'
import type { Common, Variant } from './shaders.ts'

/** One call of a kernel: what to bind follows from the contract's operands. */
export interface Call {
  variant: Variant
  /** None is above `workgroupsMax`; one that is 0 means that there is nothing to do. */
  workgroups: readonly [x: number, y: number, z: number]
}

/** The call for these params; unsupported where the shader has this kernel but not this function of it. */
export type Implementation<K extends KernelName> = (params: KernelParams[K]) => Call | Unsupported

export type GpuTable = { readonly [K in KernelName]: Implementation<K> | Unsupported }

/** The standard's default for workgroups along one axis, which every device has. */
export const workgroupsMax = 65_535

/** Lanes of a workgroup where each makes one element: two to four subgroups on every known GPU. */
const lanes = 64

function variant(shader: KernelName, common: readonly Common[], constants: Variant['constants']): Variant {
  return { shader, common, constants, access: [...kernels[shader].operands.map(() => 'read' as const), 'write'] }
}

/** `count` things, `each` a workgroup, over x and then y. The shader's index is y * (all of x) + x. */
function spread(count: number, each: number): Call['workgroups'] {
  const groups = Math.ceil(count / each)
  if (groups <= workgroupsMax) return [groups, 1, 1]
  // Rows of equal length, so that few workgroups find nothing to do.
  const y = Math.ceil(groups / workgroupsMax)
  return [Math.ceil(groups / y), y, 1]
}

function elementwise(shader: KernelName, common: readonly Common[], count: number, more?: Variant['constants']): Call {
  return { variant: variant(shader, common, { LANES: lanes, ...more }), workgroups: spread(count, lanes) }
}

/** Sums along lines of `length`: one lane a line for short ones, else a part of a workgroup or a whole one. */
function lineSums(shader: KernelName, common: readonly Common[], lines: number, length: number): Call {
  const share = length <= 16 ? 1 : length <= 256 ? 16 : lanes
  return { variant: variant(shader, common, { LANES: lanes, SHARE: share }), workgroups: spread(lines, lanes / share) }
}

/**
 * How a matrix product is laid on the device; both sum in the same order. `tile`: through workgroup memory, for GPUs.
 * `direct`: without, for software adapters, whose barriers are dear, and which take seconds to compile a tile.
 */
export type MatrixLayout = 'tile' | 'direct'

/** Values of k that pass through workgroup memory at a time. */
const tileK = 16

type MatrixShader = 'conv2d' | 'gemm' | 'matmul'

/** Workgroups of lanes that make 4 columns each, and 4 rows (`tile`) or 8 (`direct`). At most 16 * 16 lanes, 8 KiB. */
function matrix(layout: MatrixLayout, shader: MatrixShader, rows: number, columns: number, count: number): Call {
  const x = columns > 32 ? 16 : 4
  const y = layout === 'direct' ? 1 : rows > 32 ? 16 : 4
  const laneRows = layout === 'direct' ? 8 : 4
  const constants = { TILE_X: x, TILE_Y: y, ...(layout === 'tile' && { TILE_K: tileK }) }
  // The shaders walk on where there are more tiles than workgroups.
  const along = (size: number, each: number) => Math.min(Math.ceil(size / each), workgroupsMax)
  return {
    variant: variant(shader, [...epilogue(shader), 'store-row', layout], constants),
    workgroups: [along(columns, 4 * x), along(rows, laneRows * y), along(count, 1)],
  }
}

const epilogue = (shader: MatrixShader): Common[] => (shader === 'matmul' ? [] : ['activation'])

type Walked = KernelParams['copy'] | KernelParams['binary'] | KernelParams['where']

const walked = (p: Walked) => p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5

const indexed = (p: {
  index0: number
  index1: number
    'squared-distance': p => elementwise('squared-distance', [], p.m * p.n),
  index2: number
  index3: number
  index4: number
  index5: number
}) => p.index0 * p.index1 * p.index2 * p.index3 * p.index4 * p.index5

/** Elements of scatter-nd's tensor. */
const scattered = (p: KernelParams['scatter-nd']) =>
  [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5].slice(0, p.depth).reduce((product, dim) => product * dim, p.inner)

/** Kernels on images whose channels are neighbours; programs are planned for this backend without them. */
const otherLayout: Unsupported = { unsupported: 'its images lie by planes' }

/** The table for a device. */
export function webGpuTable(layout: MatrixLayout): GpuTable {
  return {
    affine: p => elementwise('affine', ['activation'], p.outer * p.channels * p.inner),
    binary: p =>
      elementwise('binary', ['activation', 'math', 'arithmetic'], walked(p), {
        FLAT: walked(p) === p.dim5,
        RARE: p.op > binaryOps.max,
      }),
    'conv-transpose': p => {
      const count = p.batch * p.filters * p.outDepth * p.outHeight * p.outWidth
      return elementwise('conv-transpose', ['activation'], count)
    },
    conv2d: p => matrix(layout, 'conv2d', p.filters / p.groups, p.batch * p.outHeight * p.outWidth, p.groups),
    'conv2d-channels-last': otherLayout,
    copy: p => elementwise('copy', [], walked(p)),
    cumsum: p => elementwise('cumsum', [], p.outer * p.inner),
    gather: p => elementwise('gather', ['math', 'indices'], p.outer * p.count * p.inner),
    'gather-elements': p => elementwise('gather-elements', ['math', 'indices'], indexed(p)),
    'gather-nd': p => elementwise('gather-nd', ['math', 'indices'], p.batch * p.count * p.inner),
    gemm: p => matrix(layout, 'gemm', p.m, p.n, p.batch),
    'global-average-pool': p => lineSums('global-average-pool', [], p.planes, p.area),
    'image-to-tensor': p => elementwise('image-to-tensor', [], p.batch * p.area),
    lrn: p => elementwise('lrn', ['math'], p.outer * p.channels * p.inner),
    matmul: p => matrix(layout, 'matmul', p.m, p.n, p.batch0 * p.batch1),
    normalize: p => lineSums('normalize', [], p.outer, p.inner),
    pool2d: p => elementwise('pool2d', ['math'], p.planes * p.outHeight * p.outWidth),
    'pool2d-channels-last': otherLayout,
    pool3d: p => elementwise('pool3d', ['math'], p.planes * p.outDepth * p.outHeight * p.outWidth),
    reduce: p => lineSums('reduce', ['math'], p.outer * p.inner, p.axis),
    'resample-axis': p => elementwise('resample-axis', [], p.outer * p.outSize * p.inner),
    'scatter-elements': p =>
      elementwise('scatter-elements', ['math', 'indices'], p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5),
    'scatter-nd': p => elementwise('scatter-nd', ['math', 'indices'], scattered(p)),
    softmax: p => lineSums('softmax', ['math'], p.outer * p.inner, p.axis),
    'top-k': p => elementwise('top-k', ['math'], p.outer * p.axis * p.inner),
    'tree-ensemble': p => elementwise('tree-ensemble', [], p.rows * p.targets),
    unary: p => elementwise('unary', ['math', 'circular'], p.count, { RARE: p.op > unaryOps.hardSwish }),
    where: p => elementwise('where', [], walked(p)),
  }
}
