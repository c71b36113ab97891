/**
 * MaxPool (opset 1 to 12 on, with its Indices) and AveragePool (1 to 19 on) -> pool2d or pool3d; GlobalAveragePool ->
 * global-average-pool, GlobalMaxPool -> reduce.
 */
import type { Tensor } from '../../engine/graph.ts'
import { poolKinds } from '../../kernels/pool2d.ts'
import { pool3dKinds } from '../../kernels/pool3d.ts'
import { elementsOf } from '../../tensor/shape.ts'
import { inputAt, inputOfRank, type LowerContext, type Lowering } from '../lowering.ts'
import { emitReduce } from './emit.ts'
import { readWindow, three, type Window } from './window.ts'

function pool2d(context: LowerContext, x: Tensor, window: Window, kind: number): Tensor {
  const { kernel, stride, padBegin, padEnd, dilation, out } = window
  const of = (values: readonly number[], missing: number) => three(values, missing).slice(1)
  const [height, width] = of(x.dims.slice(2), 1)
  const [kernelH, kernelW] = of(kernel, 1)
  const [outHeight, outWidth] = of(out, 1)
  const [strideH, strideW] = of(stride, 1)
  const [padTop, padLeft] = of(padBegin, 0)
  const [padBottom, padRight] = of(padEnd, 0)
  const [dilationH, dilationW] = of(dilation, 1)
  const params = {
    ...{ planes: x.dims[0] * x.dims[1], height, width, kernelH, kernelW, outHeight, outWidth, strideH, strideW },
    ...{ padTop, padLeft, padBottom, padRight, dilationH, dilationW, kind },
  }
  return context.graph.emit('pool2d', context.op.name, params, [x], [x.dims[0], x.dims[1], ...out])
}

function pool3d(context: LowerContext, x: Tensor, window: Window, kind: number, columnMajor = 0): Tensor {
  const [depth, height, width] = three(x.dims.slice(2), 1)
  const [kernelD, kernelH, kernelW] = three(window.kernel, 1)
  const [outDepth, outHeight, outWidth] = three(window.out, 1)
  const [strideD, strideH, strideW] = three(window.stride, 1)
  const [padFront, padTop, padLeft] = three(window.padBegin, 0)
  const [padBack, padBottom, padRight] = three(window.padEnd, 0)
  const [dilationD, dilationH, dilationW] = three(window.dilation, 1)
  const params = {
    ...{ planes: x.dims[0] * x.dims[1], depth, height, width, kernelD, kernelH, kernelW },
    ...{ outDepth, outHeight, outWidth, strideD, strideH, strideW },
    ...{ padFront, padTop, padLeft, padBack, padBottom, padRight, dilationD, dilationH, dilationW, kind, columnMajor },
  }
  return context.graph.emit('pool3d', context.op.name, params, [x], [x.dims[0], x.dims[1], ...window.out])
}

function pool(context: LowerContext, x: Tensor, window: Window, kind: number): Tensor {
  return window.out.length === 3 ? pool3d(context, x, window, kind) : pool2d(context, x, window, kind)
}

export const maxPool: Lowering = context => {
  const { op } = context
  const x = inputAt(context, 0)
  const window = readWindow(context, x.dims)
  const result = pool(context, x, window, poolKinds.max)
  if (!op.outputs[1]) return [result]
  const columnMajor = op.attributes.int('storage_order', 0) !== 0 ? 1 : 0
  return [result, { ...pool3d(context, x, window, pool3dKinds.maxIndex, columnMajor), type: 'int64' }]
}

export const averagePool: Lowering = context => {
  const x = inputAt(context, 0)
  const includes = context.op.attributes.int('count_include_pad', 0) !== 0
  return [pool(context, x, readWindow(context, x.dims), includes ? poolKinds.averageIncludePad : poolKinds.average)]
}

export const globalAveragePool: Lowering = context => {
  const x = inputOfRank(context, 0, 2)
  const [batch, channels, ...rest] = x.dims
  const params = { planes: batch * channels, area: elementsOf(rest) }
  return [
    context.graph.emit('global-average-pool', context.op.name, params, [x], [batch, channels, ...rest.map(() => 1)]),
  ]
}

export const globalMaxPool: Lowering = context => {
  const x = inputOfRank(context, 0, 2)
  return [
    emitReduce(
      context,
      x,
      'max',
      x.dims.slice(2).map((_, i) => i + 2),
      true,
    ),
  ]
}
