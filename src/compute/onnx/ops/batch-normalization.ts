/** BatchNormalization in inference, opset 1 to 15 on -> affine, which the engine then takes into a convolution where it can. */
import { noActivation } from '../../kernels/activation.ts'
import { floatConstant } from '../../tensor/constant.ts'
import { elementsOf } from '../../tensor/shape.ts'
import { inputAt, isConstant, type LowerContext, type Lowering, opError, tensorAt } from '../lowering.ts'

function vector(context: LowerContext, index: number, channels: number): ArrayLike<number> {
  const input = inputAt(context, index)
  if (!isConstant(input))
    throw opError(context, 'computes its statistics while it runs, which is not supported; export it for inference')
  if (input.data.length !== channels)
    throw opError(context, `has ${input.data.length} statistics for ${channels} channels; check the model file`)
  return input.data
}

export const batchNormalization: Lowering = context => {
  const { op, graph, opset } = context
  const x = tensorAt(context, 0)
  if (x.dims.length < 2) throw opError(context, `takes a tensor of rank ${x.dims.length}; it needs N and C`)
  const trains = opset >= 14 && op.attributes.int('training_mode', 0) !== 0
  if (trains || (opset < 7 && op.attributes.int('is_test', 0) === 0)) {
    throw opError(context, 'is in training mode; export the model for inference')
  }
  const channels = x.dims[1]
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map(index => vector(context, index, channels))
  const epsilon = op.attributes.float('epsilon', 1e-5)
  const scale = new Float32Array(channels)
  const shift = new Float32Array(channels)
  for (let c = 0; c < channels; c++) {
    const factor = gamma[c] / Math.sqrt(variance[c] + epsilon)
    scale[c] = factor
    shift[c] = beta[c] - mean[c] * factor
  }
  const params = { outer: x.dims[0], channels, inner: elementsOf(x.dims.slice(2)), ...noActivation }
  const constants = [scale, shift].map(data => graph.constant(floatConstant([channels], data)))
  return [graph.emit('affine', op.name, params, [x, ...constants], x.dims)]
}
