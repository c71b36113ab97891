/** How a model's inputs get their shapes: by a batch (networks that take rows) or by what a caller gives (sessions). */
import { limits } from '../../base/limits.ts'
import { modelError, type OnnxModel } from '../onnx/model.ts'
import { namesOf } from '../onnx/strings.ts'
import { type Constant, floatConstant } from '../tensor/constant.ts'
import { type ElementType, isElementType } from '../tensor/element-type.ts'
import { type Shape, shapeText } from '../tensor/shape.ts'
import type { GraphBuilder, Tensor } from './graph.ts'
import type { ImageLayout } from './program.ts'

export interface PlanOptions {
  /** Rows of a run: what the first, open dim of the inputs becomes. */
  batch: number
  /** `uint8`: the one input takes pixels [batch, height, width, channels] instead of floats [batch, channels, height, width]. */
  input?: 'uint8' | 'float32'
  /** For `uint8`: x = byte * scale[c] + bias[c]. Default: the bytes as they are. */
  imageToTensor?: { scale: readonly number[]; bias: readonly number[] }
  /** Sizes for the other dims that the model leaves open, by name. */
  dims?: Readonly<Record<string, number>>
  /** How images lie between steps: as the backend that is to compile it says (`Backend.layout`); default `planes`. */
  layout?: ImageLayout
}

/** All shapes of a run, and the values of those inputs that decide shapes. */
export interface Bindings {
  readonly shapes: Readonly<Record<string, Shape>>
  readonly values: Readonly<Record<string, Constant>>
}

type ModelInput = OnnxModel['inputs'][number]

/** Gives one input of the model its tensor. */
export type InputMaker = (builder: GraphBuilder, port: ModelInput) => Tensor

/** Strings are places in a table of names. @throws PeerError MODEL_UNSUPPORTED_TYPE for sequences and the like */
export function portType(port: ModelInput): ElementType {
  if (isElementType(port.dtype)) return port.dtype
  if (port.dtype === 'string') return 'int64'
  throw modelError(
    'MODEL_UNSUPPORTED_TYPE',
    `the model's input "${port.name}" takes ${port.dtype}, which is not computed with; export the model with tensors of numbers`,
  )
}

/** @throws PeerError MODEL_UNSUPPORTED_TYPE for strings that no operator knows by name */
export function checkInputTypes(model: OnnxModel): void {
  for (const port of model.inputs) {
    portType(port)
    if (port.dtype !== 'string' || namesOf(model).length > 0) continue
    throw modelError(
      'MODEL_UNSUPPORTED_TYPE',
      `the model's input "${port.name}" takes strings, of which no operator knows any; export the model with tensors of numbers`,
    )
  }
}

function inputOf(builder: GraphBuilder, model: OnnxModel, port: ModelInput, dims: Shape): Tensor {
  const labels = port.dtype === 'string' ? { names: namesOf(model), open: true } : undefined
  return builder.input(port.name, dims, portType(port), labels)
}

/** For sessions: shapes as given, and constants for inputs whose values are bound. */
export function inputsByBindings(model: OnnxModel, { shapes, values }: Bindings): InputMaker {
  return (builder, port) => {
    const value = values[port.name]
    return value ? builder.constant(value) : inputOf(builder, model, port, shapes[port.name])
  }
}

/** For networks: the first open dim is the batch, and one input may take pixels. */
export function inputsByBatch(model: OnnxModel, options: PlanOptions): InputMaker {
  const { batch } = options
  if (!Number.isInteger(batch) || batch < 1 || batch > limits.batchMax) {
    throw modelError('MODEL_BATCH', `a batch of ${batch} rows was asked for; give 1 to ${limits.batchMax}`)
  }
  return (builder, port) => {
    const dims = dimsByBatch(model, port, options)
    if (options.input !== 'uint8') return inputOf(builder, model, port, dims)
    return pixelInput(builder, model, port, dims, options)
  }
}

/** What networks take pixels as. */
const imageTypes: ReadonlySet<ElementType> = new Set<ElementType>(['float32', 'float16', 'uint8'])

function pixelInput(
  builder: GraphBuilder,
  model: OnnxModel,
  port: ModelInput,
  dims: Shape,
  options: PlanOptions,
): Tensor {
  const [batch, channels, height, width] = dims
  const type = portType(port)
  if (model.inputs.length !== 1 || dims.length !== 4 || channels < 1 || channels > 4 || !imageTypes.has(type)) {
    throw modelError(
      'MODEL_INPUT',
      `the model's input "${port.name}" is ${port.dtype} of shape ${shapeText(dims)}, which is not an image of floats or bytes; use a network for images`,
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
  const pixels = builder.input(port.name, [batch, height, width, channels], 'uint8', 'pixels')
  const constants = [scale, bias].map(list => builder.constant(floatConstant([channels], Float32Array.from(list))))
  const params = { batch, channels, area: height * width }
  return builder.emit('image-to-tensor', port.name, params, [pixels, ...constants], dims, type)
}

function dimsByBatch(model: OnnxModel, port: ModelInput, options: PlanOptions): Shape {
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
