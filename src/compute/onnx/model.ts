/** A decoded ONNX model: what the file says, checked for form and not yet for meaning. */
import { PeerError } from '../../base/errors.ts'
import type { Constant } from '../tensor/constant.ts'
import type { Attributes } from './attributes.ts'

/** One operation of the graph. An empty input name stands for an absent optional input. */
export interface OnnxOp {
  /** The file's name, or `#index` where it gives none. */
  name: string
  type: string
  /** '' is ONNX's own, `mlDomain` that of classical models. */
  domain: string
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: Attributes
}

/** The domain of ONNX's classical models. */
export const mlDomain = 'ai.onnx.ml'

/** An input or output; a string is a dim that the file leaves open, such as `N`. */
export interface ModelPort {
  name: string
  /** ONNX's element type by name, such as `float32`. */
  dtype: string
  /** Undefined when the file does not say. */
  dims?: readonly (number | string)[]
}

export interface OnnxModel {
  producer: string
  /** Domain -> version. */
  opsets: ReadonlyMap<string, number>
  /** In an order in which they can be computed. */
  ops: readonly OnnxOp[]
  constants: ReadonlyMap<string, Constant>
  /** What a caller must give: inputs without an initializer. */
  inputs: readonly ModelPort[]
  outputs: readonly ModelPort[]
}

/** An error about the file itself or about one op of it. */
export function modelError(code: string, message: string, details: Record<string, unknown> = {}): PeerError {
  return new PeerError({ code, kind: 'model', message, details })
}

/** How an op is named in messages. */
export function opText(op: Pick<OnnxOp, 'name' | 'type'>): string {
  return `${op.type} "${op.name}"`
}
