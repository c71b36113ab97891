/** MaxPool (opset 1 to 12 on, without its Indices), AveragePool (1 to 19 on) -> pool2d; GlobalAveragePool, GlobalMaxPool. */
import { poolKinds } from '../../kernels/pool2d.ts'
import { elementsOf, type Shape } from '../../tensor/shape.ts'
import { type LowerContext, type Lowering, opError, tensorAt } from '../lowering.ts'
import { readWindow, type Window } from './window.ts'

function pool(context: LowerContext, kind: number) {
  const { op, graph } = context
  const x = tensorAt(context, 0)
  const window = readWindow(context, x.dims)
  return graph.emit('pool2d', op.name, poolParams(x.dims, window, kind), [x], [x.dims[0], x.dims[1], ...window.out])
}

function poolParams(
  [batch, channels, height, width]: Shape,
  { kernel, stride, pads, dilation, out }: Window,
  kind: number,
) {
  return {
    ...{ planes: batch * channels, height, width, kernelH: kernel[0], kernelW: kernel[1] },
    ...{ outHeight: out[0], outWidth: out[1], strideH: stride[0], strideW: stride[1] },
    ...{ padTop: pads[0], padLeft: pads[1], padBottom: pads[2], padRight: pads[3] },
    ...{ dilationH: dilation[0], dilationW: dilation[1], kind },
  }
}

export const maxPool: Lowering = context => {
  const { op } = context
  if (op.outputs[1]) throw opError(context, 'gives its Indices, which are not computed; export the model without them')
  if (op.attributes.int('storage_order', 0) !== 0) throw opError(context, 'has storage_order 1, which is not supported')
  return [pool(context, poolKinds.max)]
}

export const averagePool: Lowering = context => {
  const includes = context.op.attributes.int('count_include_pad', 0) !== 0
  return [pool(context, includes ? poolKinds.averageIncludePad : poolKinds.average)]
}

export const globalAveragePool: Lowering = context => {
  const { op, graph } = context
  const x = tensorAt(context, 0)
  if (x.dims.length < 3)
    throw opError(context, `takes a tensor of rank ${x.dims.length}; it needs N, C and at least one more`)
  const [batch, channels, ...rest] = x.dims
  const params = { planes: batch * channels, area: elementsOf(rest) }
  return [graph.emit('global-average-pool', op.name, params, [x], [batch, channels, ...rest.map(() => 1)])]
}

export const globalMaxPool: Lowering = context => {
  const { op, graph } = context
  const x = tensorAt(context, 0)
  if (x.dims.length !== 4) throw opError(context, `takes a tensor of rank ${x.dims.length}; only rank 4 is supported`)
  const [batch, channels, height, width] = x.dims
  const whole: Window = { kernel: [height, width], stride: [1, 1], dilation: [1, 1], pads: [0, 0, 0, 0], out: [1, 1] }
  return [graph.emit('pool2d', op.name, poolParams(x.dims, whole, poolKinds.max), [x], [batch, channels, 1, 1])]
}
