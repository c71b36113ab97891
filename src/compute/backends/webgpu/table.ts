/**
 * The kernels on WebGPU: for each one its shader's variant and how many workgroups a call takes.
 *
 * Invariant: what changes an order of summation (the lanes that share a line) depends on the row's own shape, never on
 * the batch; tiles may depend on anything, because every tile sums in the same order.
 */
import { binaryOps } from '../../kernels/binary.ts'
import type { KernelName, KernelParams, Unsupported } from '../../kernels/index.ts'
import { unaryOps } from '../../kernels/unary.ts'
import { type Call, type Implementation, lanes, spread, variantOf } from './call.ts'
import { convolutionCall, gemmCall, type MatrixLayout, matmulCall } from './matrix.ts'
import type { Common, Variant } from './shaders.ts'

export type { Call, Implementation } from './call.ts'
export type { MatrixLayout } from './matrix.ts'

export type GpuTable = { readonly [K in KernelName]: Implementation<K> | Unsupported }

function elementwise(shader: KernelName, common: readonly Common[], count: number, more?: Variant['constants']): Call {
  return { variant: variantOf(shader, common, { LANES: lanes, ...more }), workgroups: spread(count, lanes) }
}

/** Elements pass as they are, NaN payloads too. */
function bits({ variant, workgroups }: Call): Call {
  const operands = variant.operands.map(operand => ({ ...operand, element: 'u32' as const }))
  return { variant: { ...variant, operands }, workgroups }
}

/**
 * Sums along lines of `length`: one lane a line for short ones, else a part of a workgroup or a whole one.
 * @param subgroup lanes of the device's smallest subgroup; 0: they join in workgroup memory alone
 */
function lineSums(
  subgroup: number,
  shader: KernelName,
  common: readonly Common[],
  lines: number,
  length: number,
): Call {
  const share = length <= 16 ? 1 : length <= 256 ? 16 : lanes
  const join = subgroup > 0 && share > 1
  const constants = { LANES: lanes, SHARE: share, ...(join && { SUBGROUP: subgroup }) }
  return {
    variant: variantOf(shader, [...common, join ? 'lines-subgroup' : 'lines-shared'], constants),
    workgroups: spread(lines, lanes / share),
  }
}

type Walked = KernelParams['copy'] | KernelParams['binary'] | KernelParams['where']

const walked = (p: Walked) => p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5

const indexed = (p: {
  index0: number
  index1: number
  index2: number
  index3: number
  index4: number
  index5: number
}) => p.index0 * p.index1 * p.index2 * p.index3 * p.index4 * p.index5

/** Elements of scatter-nd's tensor. */
const scattered = (p: KernelParams['scatter-nd']) =>
  [p.dim0, p.dim1, p.dim2, p.dim3, p.dim4, p.dim5].slice(0, p.depth).reduce((product, dim) => product * dim, p.inner)

/** Classes of pairwise-coupling, whose sums lie in a lane's registers. */
const couplingClassesMax = 64

/** Kernels on images whose channels are neighbours; programs are planned for this backend without them. */
const otherLayout: Unsupported = { unsupported: 'its images lie by planes' }

/**
 * The table for a device.
 * @param subgroup as `subgroupSize` found; default 0, none
 */
export function webGpuTable(layout: MatrixLayout, subgroup = 0): GpuTable {
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
    conv2d: p => convolutionCall(layout, p),
    'conv2d-channels-last': otherLayout,
    copy: p => bits(elementwise('copy', [], walked(p))),
    cumsum: p => elementwise('cumsum', [], p.outer * p.inner),
    gather: p => elementwise('gather', ['math', 'indices'], p.outer * p.count * p.inner),
    'gather-elements': p => elementwise('gather-elements', ['math', 'indices'], indexed(p)),
    'gather-nd': p => elementwise('gather-nd', ['math', 'indices'], p.batch * p.count * p.inner),
    gemm: gemmCall(layout),
    'global-average-pool': p => lineSums(subgroup, 'global-average-pool', [], p.planes, p.area),
    'image-to-tensor': p => elementwise('image-to-tensor', [], p.batch * p.area),
    lrn: p => elementwise('lrn', ['math'], p.outer * p.channels * p.inner),
    matmul: matmulCall(layout),
    normalize: p => lineSums(subgroup, 'normalize', [], p.outer, p.inner),
    'pairwise-coupling': p =>
      p.classes > couplingClassesMax
        ? { unsupported: `a lane holds at most ${couplingClassesMax} classes` }
        : elementwise('pairwise-coupling', [], p.rows, { CLASSES: p.classes }),
    pool2d: p => elementwise('pool2d', ['math'], p.planes * p.outHeight * p.outWidth),
    'pool2d-channels-last': otherLayout,
    pool3d: p => elementwise('pool3d', ['math'], p.planes * p.outDepth * p.outHeight * p.outWidth),
    reduce: p => lineSums(subgroup, 'reduce', ['math'], p.outer * p.inner, p.axis),
    'resample-axis': p => elementwise('resample-axis', [], p.outer * p.outSize * p.inner),
    'scatter-elements': p =>
      elementwise('scatter-elements', ['math', 'indices'], p.dim0 * p.dim1 * p.dim2 * p.dim3 * p.dim4 * p.dim5),
    'scatter-nd': p => elementwise('scatter-nd', ['math', 'indices'], scattered(p)),
    softmax: p => lineSums(subgroup, 'softmax', ['math'], p.outer * p.inner, p.axis),
    'segment-sum': p => elementwise('segment-sum', [], p.blocks * p.inner),
    'squared-distance': p => elementwise('squared-distance', [], p.m * p.n),
    'top-k': p => elementwise('top-k', ['math'], p.outer * p.axis * p.inner),
    'tree-ensemble': p => elementwise('tree-ensemble', [], p.rows * p.targets),
    unary: p => elementwise('unary', ['math', 'circular'], p.count, { RARE: p.op > unaryOps.hardSwish }),
    where: p => elementwise('where', [], walked(p)),
  }
}
