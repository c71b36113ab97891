/**
 * What an operator's file is written against: the op, its opset and its inputs, and a builder that takes kernel calls.
 * An operator checks what the specification demands of its inputs before it emits anything.
 */

import type { PeerError } from '../../base/errors.ts'
import type { GraphBuilder, Tensor } from '../engine/graph.ts'
import type { Constant } from '../tensor/constant.ts'
import type { Shape } from '../tensor/shape.ts'
import { modelError, type OnnxOp, opText } from './model.ts'

/** A tensor of the running network, or one whose values are known now. */
export type Lowered = Tensor | Constant

export interface LowerContext {
  readonly op: OnnxOp
  /** Version of the op's domain. */
  readonly opset: number
  readonly graph: GraphBuilder
  /** Undefined where an optional input is absent. */
  readonly inputs: readonly (Lowered | undefined)[]
}

/** Gives the op's outputs in order; those nobody may read (a Dropout's mask) may be missing. */
export type Lowering = (context: LowerContext) => Lowered[]

export function isConstant(lowered: Lowered): lowered is Constant {
  return 'data' in lowered
}

/** An op that breaks its specification, or that asks for more than we have. */
export function opError({ op, opset }: LowerContext, problem: string): PeerError {
  return modelError('MODEL_BAD_OP', `${opText(op)} (opset ${opset}) ${problem}`, { op: op.name, type: op.type, opset })
}

export function inputAt(context: LowerContext, index: number): Lowered {
  const input = context.inputs[index]
  if (input === undefined) throw opError(context, `lacks its input ${index}; check the model file`)
  return input
}

/** An input as a value on the device. */
export function tensorAt(context: LowerContext, index: number): Tensor {
  return asTensor(context, inputAt(context, index))
}

export function optionalTensor(context: LowerContext, index: number): Tensor | undefined {
  return context.inputs[index] === undefined ? undefined : tensorAt(context, index)
}

export function asTensor(context: LowerContext, lowered: Lowered): Tensor {
  return isConstant(lowered) ? context.graph.constant(lowered) : lowered
}

/** The values of an input that must be known before the run, or undefined where it is absent. */
export function knownValues(context: LowerContext, index: number, what: string): number[] | undefined {
  const input = context.inputs[index]
  if (input === undefined) return undefined
  if (!isConstant(input)) {
    throw opError(
      context,
      `computes its ${what} while it runs, which is not supported; export the model with constant ${what}`,
    )
  }
  return [...input.data]
}

/** The same data under another shape. */
export function reshaped(lowered: Lowered, dims: Shape): Lowered {
  return isConstant(lowered) ? { ...lowered, dims } : { ...lowered, dims }
}
