/** ConvTranspose, opset 1 on, with one to three spatial axes, groups, dilation, output padding and output shape -> conv-transpose. */
import { noActivation } from '../../kernels/activation.ts'
import { shapeText } from '../../tensor/shape.ts'
import { inputAt, inputOfRank, type LowerContext, type Lowering, mismatch, unsupported } from '../lowering.ts'
import { autoPadOf, padsOf, perAxis, splitPads, three } from './window.ts'

/** The output's size follows from the pads, or the pads from the output's size. */
function placement(context: LowerContext, space: readonly number[], kernel: readonly number[]) {
  const count = space.length
  const stride = perAxis(context, 'strides', count, 1, 1)
  const dilation = perAxis(context, 'dilations', count, 1, 1)
  const extra = perAxis(context, 'output_padding', count, 0, 0)
  const auto = autoPadOf(context)
  const full = space.map(
    (input, axis) => stride[axis] * (input - 1) + extra[axis] + dilation[axis] * (kernel[axis] - 1) + 1,
  )
  const given = context.op.attributes.ints('output_shape')
  if (given?.length || auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const out = given?.length
      ? perAxis(context, 'output_shape', count, 0, 1)
      : space.map((input, axis) => input * stride[axis])
    const total = full.map((size, axis) => Math.max(0, size - out[axis]))
    // The specification splits otherwise than Conv does: the odd one goes behind for SAME_UPPER only.
    const [begin] = splitPads(auto === 'SAME_UPPER' ? 'SAME_UPPER' : 'SAME_LOWER', total)
    return { stride, dilation, begin, out }
  }
  const [begin, end] = auto === 'VALID' ? [space.map(() => 0), space.map(() => 0)] : padsOf(context, count)
  return { stride, dilation, begin, out: full.map((size, axis) => size - begin[axis] - end[axis]) }
}

export const convTranspose: Lowering = context => {
  const x = inputOfRank(context, 0, 3)
  const w = inputAt(context, 1)
  const bias = context.inputs[2]
  const space = x.dims.slice(2)
  if (space.length > 3) throw unsupported(context, `has ${space.length} spatial axes`)
  if (w.dims.length !== x.dims.length) throw mismatch(context, 'weights of rank', `${x.dims.length}`, shapeText(w.dims))
  const groups = context.op.attributes.int('group', 1)
  const [batch, channels] = x.dims
  const filters = w.dims[1] * groups
  if (!(groups >= 1) || channels % groups !== 0 || w.dims[0] !== channels) {
    throw mismatch(context, 'weights for', `${channels} channels in ${groups} groups`, shapeText(w.dims))
  }
  if (bias && bias.dims.join() !== `${filters}`)
    throw mismatch(context, 'a bias of shape', `[${filters}]`, shapeText(bias.dims))
  const kernel = w.dims.slice(2)
  const { stride, dilation, begin, out } = placement(context, space, kernel)
  if (out.some(size => size < 1)) throw mismatch(context, 'an output of at least', '1', shapeText(out))
  const [depth, height, width] = three(space, 1)
  const [kernelD, kernelH, kernelW] = three(kernel, 1)
  const [outDepth, outHeight, outWidth] = three(out, 1)
  const [strideD, strideH, strideW] = three(stride, 1)
  const [padFront, padTop, padLeft] = three(begin, 0)
  const [dilationD, dilationH, dilationW] = three(dilation, 1)
  const params = {
    ...{ batch, channels, depth, height, width, filters, kernelD, kernelH, kernelW, outDepth, outHeight, outWidth },
    ...{ strideD, strideH, strideW, padFront, padTop, padLeft, dilationD, dilationH, dilationW, groups },
    ...{ hasBias: bias ? 1 : 0, ...noActivation },
  }
  const dims = [batch, filters, ...out]
  return [context.graph.emit('conv-transpose', context.op.name, params, [x, w, bias ?? null], dims)]
}
