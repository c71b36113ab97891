/** Conv, opset 1 on: two-dimensional, with groups and dilation -> conv2d. */
import { noActivation } from '../../kernels/activation.ts'
import { shapeText } from '../../tensor/shape.ts'
import { type Lowering, opError, optionalTensor, tensorAt } from '../lowering.ts'
import { readWindow } from './window.ts'

export const conv: Lowering = context => {
  const { op, graph } = context
  const x = tensorAt(context, 0)
  const w = tensorAt(context, 1)
  const bias = optionalTensor(context, 2)
  const groups = op.attributes.int('group', 1)
  if (w.dims.length !== 4) throw opError(context, `has weights of shape ${shapeText(w.dims)}; only rank 4 is supported`)
  const [filters, channelsPerGroup, kernelH, kernelW] = w.dims
  const window = readWindow(context, x.dims, [kernelH, kernelW])
  const [batch, channels, height, width] = x.dims
  const divides = Number.isInteger(groups) && groups > 0 && filters % groups === 0
  if (!divides || channels !== channelsPerGroup * groups || (bias && bias.dims.join() !== `${filters}`)) {
    const shapes = `x ${shapeText(x.dims)}, weights ${shapeText(w.dims)}, ${groups} groups`
    throw opError(context, `has shapes that do not fit together: ${shapes}; check the model file`)
  }
  const [outHeight, outWidth] = window.out
  const params = {
    ...{ batch, channels, height, width, filters, kernelH, kernelW, outHeight, outWidth },
    ...{ strideH: window.stride[0], strideW: window.stride[1], padTop: window.pads[0], padLeft: window.pads[1] },
    ...{ dilationH: window.dilation[0], dilationW: window.dilation[1], groups },
    ...{ hasBias: bias ? 1 : 0, hasResidual: 0, ...noActivation },
  }
  return [graph.emit('conv2d', op.name, params, [x, w, bias ?? null, null], [batch, filters, outHeight, outWidth])]
}
