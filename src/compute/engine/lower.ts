/** ONNX model -> graph, for one batch: gives the inputs their dims, then lowers op by op. */
import { limits } from '../../base/limits.ts'
import type { Lowered } from '../onnx/lowering.ts'
import { modelError, type OnnxModel, type OnnxOp, opText } from '../onnx/model.ts'
import { lowerings } from '../onnx/ops/index.ts'
import { floatConstant } from '../tensor/constant.ts'
import { type Shape, shapeText } from '../tensor/shape.ts'
import { createGraphBuilder, type Graph, type GraphBuilder, type Tensor } from './graph.ts'

export interface PlanOptions {
  /** Rows of a run: what the first, open dim of the inputs becomes. */
  batch: number
  /** `uint8`: the one input takes pixels [batch, height, width, channels] instead of floats [batch, channels, height, width]. */
  input?: 'uint8' | 'float32'
  /** For `uint8`: x = byte * scale[c] + bias[c]. Default: the bytes as they are. */
  imageToTensor?: { scale: readonly number[]; bias: readonly number[] }
  /** Sizes for the other dims that the model leaves open, by name. */
  dims?: Readonly<Record<string, number>>
}

/**
 * Names every op that cannot be computed, in one error.
 * @throws PeerError MODEL_UNSUPPORTED_OP
 */
export function checkOps(model: OnnxModel): void {
  const missing = model.ops.filter(op => op.domain !== '' || !lowerings.has(op.type))
  if (missing.length === 0) return
  const opsetOf = (op: OnnxOp) => model.opsets.get(op.domain) ?? 0
  const texts = missing.map(op => `${opText(op)} (domain ${op.domain || 'ai.onnx'}, opset ${opsetOf(op)})`)
  const shown = texts.length > 12 ? [...texts.slice(0, 12), `${texts.length - 12} more`] : texts
  throw modelError(
    'MODEL_UNSUPPORTED_OP',
    `the model uses operators that this version does not compute: ${shown.join(', ')}; use another model or export it without them`,
    { ops: missing.map(op => ({ name: op.name, type: op.type, domain: op.domain, opset: opsetOf(op) })) },
  )
}

/** @throws PeerError MODEL_* for whatever in the model cannot be computed */
export function lowerModel(model: OnnxModel, options: PlanOptions): Graph {
  const { batch } = options
  if (!Number.isInteger(batch) || batch < 1 || batch > limits.batchMax) {
    throw modelError('MODEL_BATCH', `a batch of ${batch} rows was asked for; give 1 to ${limits.batchMax}`)
  }
  const builder = createGraphBuilder()
  const values = new Map<string, Lowered>(model.constants)
  for (const port of model.inputs) values.set(port.name, addInput(builder, model, port, options))
  for (const op of model.ops) {
    const lowering = lowerings.get(op.type)
    if (!lowering || op.domain !== '') throw modelError('MODEL_UNSUPPORTED_OP', `${opText(op)} is not supported`)
    const inputs = op.inputs.map(name => values.get(name))
    const results = lowering({ op, opset: model.opsets.get('') ?? 1, graph: builder, inputs })
    op.outputs.forEach((name, i) => {
      if (name !== '' && results[i]) values.set(name, results[i])
    })
  }
  for (const { name } of model.outputs) {
    const result = values.get(name)
    if (!result)
      throw modelError('MODEL_BAD_GRAPH', `the output "${name}" is one that is not computed; use another model`)
    const tensor = 'data' in result ? builder.constant(result) : result
    builder.graph.outputs.push({ name, value: tensor.value, dims: tensor.dims })
  }
  return builder.graph
}

function addInput(
  builder: GraphBuilder,
  model: OnnxModel,
  port: OnnxModel['inputs'][number],
  options: PlanOptions,
): Tensor {
  if (port.dtype !== 'float32') {
    throw modelError(
      'MODEL_INPUT',
      `the model's input "${port.name}" takes ${port.dtype}; only float32 is supported, export the model with it`,
    )
  }
  const dims = inputDims(model, port, options)
  if (options.input !== 'uint8') return builder.input(port.name, dims, 'float32')
  const [batch, channels, height, width] = dims
  if (model.inputs.length !== 1 || dims.length !== 4 || channels < 1 || channels > 4) {
    throw modelError(
      'MODEL_INPUT',
      `the model's input "${port.name}" has the shape ${shapeText(dims)}, which is not an image; use a network for images`,
    )
  }
  const { scale, bias } = options.imageToTensor ?? {
    scale: new Array(channels).fill(1),
    bias: new Array(channels).fill(0),
  }
  if (scale.length !== channels || bias.length !== channels) {
    throw modelError(
      'MODEL_INPUT',
      `the preprocessing is for ${scale.length} channels and the model's input has ${channels}; use the preprocessing made for this model`,
    )
  }
  const pixels = builder.input(port.name, [batch, height, width, channels], 'uint8')
  const constants = [scale, bias].map(list => builder.constant(floatConstant([channels], Float32Array.from(list))))
  return builder.emit(
    'image-to-tensor',
    port.name,
    { batch, channels, area: height * width },
    [pixels, ...constants],
    dims,
  )
}

function inputDims(model: OnnxModel, port: OnnxModel['inputs'][number], options: PlanOptions): Shape {
  if (!port.dims)
    throw modelError(
      'MODEL_INPUT',
      `the model does not say the shape of its input "${port.name}"; export it again with shapes`,
    )
  return port.dims.map((dim, axis) => {
    if (axis === 0 && typeof dim === 'string') return options.batch
    // What a second input fixes may be no batch at all.
    if (axis === 0 && port === model.inputs[0] && dim !== options.batch) {
      throw modelError(
        'MODEL_BATCH',
        `the model's input "${port.name}" takes exactly ${dim} rows at a time, not ${options.batch}`,
      )
    }
    const size = typeof dim === 'number' ? dim : options.dims?.[dim]
    if (size === undefined) {
      throw modelError(
        'MODEL_INPUT',
        `the model leaves the dim "${dim}" of its input "${port.name}" open; say its size or export the model with it`,
      )
    }
    return size
  })
}
