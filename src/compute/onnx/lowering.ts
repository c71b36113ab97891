/**
 * What an operator's file is written against: the op, its opset and its inputs, and a builder that takes kernel calls.
 * An operator checks what the specification demands of its inputs before it emits anything.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { type GraphBuilder, inputsBehind, type Tensor } from '../engine/graph.ts'
import { checkShape, elementsOf, type Shape, shapeText } from '../tensor/shape.ts'
import { modelError, type OnnxOp, opText } from './model.ts'

export interface LowerContext {
  readonly op: OnnxOp
  /** Version of the op's domain. */
  readonly opset: number
  readonly graph: GraphBuilder
  /** Undefined where an optional input is absent. */
  readonly inputs: readonly (Tensor | undefined)[]
}

/** Gives the op's outputs in order; those nobody may read (a Dropout's mask) may be missing. */
export type Lowering = (context: LowerContext) => Tensor[]

/**
 * An op needs values while it is prepared (a Reshape its shape) that the graph's inputs give only when it runs. A session
 * binds those inputs to what it was given, and prepares again.
 */
export class InputValueNeeded extends PeerError {
  /** Names of the graph's inputs. */
  readonly inputs: readonly string[]

  constructor(context: LowerContext, what: string, inputs: readonly string[]) {
    const names = inputs.map(name => `"${name}"`).join(', ')
    super({
      code: 'MODEL_NEEDS_VALUE',
      kind: 'model',
      message: `${opText(context.op)} (opset ${context.opset}) takes its ${what} from what the network computes from ${names}, so it cannot be prepared before these are known; export the model with constant ${what}`,
      details: { op: context.op.name, type: context.op.type, opset: context.opset, inputs: [...inputs] },
    })
    this.inputs = inputs
  }
}

function facts({ op, opset }: LowerContext) {
  return { op: op.name, type: op.type, opset }
}

/** An op that breaks its specification. */
export function opError(context: LowerContext, problem: string): PeerError {
  return modelError('MODEL_BAD_OP', `${opText(context.op)} (opset ${context.opset}) ${problem}`, facts(context))
}

/** An op that is right and asks for more than we have. */
export function unsupported(context: LowerContext, what: string): PeerError {
  const { op, opset } = context
  return modelError(
    'MODEL_UNSUPPORTED',
    `${opText(op)} (opset ${opset}) ${what}, which is not supported; export the model without it`,
    facts(context),
  )
}

/** @param expected and `got` are shapes or words */
export function mismatch(context: LowerContext, what: string, expected: string, got: string): PeerError {
  return modelError(
    'MODEL_BAD_OP',
    `${opText(context.op)} (opset ${context.opset}) expects ${what} ${expected} and got ${got}; check the model file`,
    { ...facts(context), expected, got },
  )
}

export function inputAt(context: LowerContext, index: number): Tensor {
  const input = context.inputs[index]
  if (input === undefined) throw opError(context, `lacks its input ${index}; check the model file`)
  return input
}

/** An input of at least (or exactly) some rank. */
export function inputOfRank(
  context: LowerContext,
  index: number,
  least: number,
  most = Number.POSITIVE_INFINITY,
): Tensor {
  const input = inputAt(context, index)
  const rank = input.dims.length
  if (rank < least || rank > most) {
    const range =
      least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most}`
    throw mismatch(context, `input ${index} of rank`, range, shapeText(input.dims))
  }
  return input
}

/**
 * The values of an input that must be known before the run, or undefined where it is absent.
 * @throws InputValueNeeded when they come from the graph's inputs
 */
export function knownValues(context: LowerContext, index: number, what: string): number[] | undefined {
  const input = context.inputs[index]
  return input && valuesOf(context, input, what)
}

/** The same, of any tensor. */
export function valuesOf(context: LowerContext, tensor: Tensor, what: string): number[] {
  const known = context.graph.known(tensor)
  if (known && known.length > limits.modelOpsMax) {
    throw mismatch(context, `its ${what} as at most`, `${limits.modelOpsMax} values`, `${known.length}`)
  }
  if (known) return Array.from(known)
  const inputs = inputsBehind(context.graph.graph, tensor.value)
  // None: it depends on constants alone, and was too much to compute ahead.
  if (inputs.length === 0) throw unsupported(context, `computes its ${what} from very large constants`)
  throw new InputValueNeeded(context, what, inputs)
}

/** One known number, or undefined where the input is absent. */
export function knownScalar(context: LowerContext, index: number, what: string): number | undefined {
  const values = knownValues(context, index, what)
  if (values && values.length !== 1) throw mismatch(context, `its ${what} as`, 'one value', `${values.length}`)
  return values?.[0]
}

/** The same data under another shape of as many elements. */
export function reshaped(context: LowerContext, tensor: Tensor, dims: Shape): Tensor {
  checkShape(dims, `the result of "${context.op.name}"`)
  if (elementsOf(dims) !== elementsOf(tensor.dims)) {
    throw mismatch(context, 'a shape of', `${elementsOf(tensor.dims)} elements`, shapeText(dims))
  }
  return { ...tensor, dims }
}

/**
 * Before a table (an identity matrix, a mask, resampling weights) is made on the host: that a model's tables together stay
 * within bounds.
 * @throws PeerError MODEL_UNSUPPORTED
 */
export function claimTable(context: LowerContext, elements: number): void {
  if (!context.graph.spend(8 * elements)) throw unsupported(context, `needs a table of ${elements} elements`)
}

/** A one-dimensional or scalar constant of float32. */
export function floats(context: LowerContext, values: ArrayLike<number>, dims: Shape = [values.length]): Tensor {
  return context.graph.constant({ dims, type: 'float32', data: Float32Array.from(values) })
}

/** A constant of int64. */
export function integers(context: LowerContext, values: ArrayLike<number>, dims: Shape = [values.length]): Tensor {
  return context.graph.constant({ dims, type: 'int64', data: Float64Array.from(values) })
}
