/**
 * Bytes of an `.onnx` file -> `OnnxModel`. Nothing here trusts the file: every count and shape is checked before
 * anything is made for it, and whatever is wrong is one PeerError of kind `model` that says what to do.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Constant } from '../tensor/constant.ts'
import { type AttributeValue, makeAttributes } from './attributes.ts'
import { inlineFunctions } from './local-functions.ts'
import { type ModelPort, mlDomain, modelError, type OnnxModel, type OnnxOp, opText } from './model.ts'
import {
  decodeRawModel,
  type RawAttribute,
  type RawModel,
  type RawNode,
  type RawValueInfo,
  textOf,
  toNumber,
} from './schema.ts'
import { decodeTensor, elementTypeName, type ReadExternal } from './tensor-proto.ts'

export interface DecodeOptions {
  /** Reads weights that lie in other files; without it such a model is refused. */
  readExternal?: ReadExternal
  /** Values that are to be the outputs, any node's; default: what the model says. */
  outputs?: readonly string[]
}

/**
 * @param bytes the file; the model's constants may be views of it
 * @throws PeerError MODEL_NOT_ONNX, MODEL_TOO_LARGE, MODEL_EXTERNAL_DATA, MODEL_BAD_SHAPE, MODEL_BAD_GRAPH
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): OnnxModel {
  const { readExternal } = options
  if (bytes.length > limits.modelBytesMax) {
    const most = limits.modelBytesMax
    throw modelError(
      'MODEL_TOO_LARGE',
      `the model has ${bytes.length} bytes; at most ${most} are taken, use a smaller one`,
    )
  }
  const raw = readRaw(bytes)
  const graph = raw.graph
  if (!graph || graph.nodes.length === 0 || graph.outputs.length === 0) throw notOnnx('it holds no graph')
  const opsets = new Map(
    raw.opsets.map(opset => [opset.domain === 'ai.onnx' ? '' : opset.domain, toNumber(opset.version)]),
  )
  if (opsets.size === 0) throw notOnnx('it does not say which ONNX operator set it uses')
  const counts = [graph.nodes.length, graph.initializers.length, graph.inputs.length, graph.outputs.length]
  if (Math.max(...counts) > limits.modelOpsMax) {
    throw modelError(
      'MODEL_TOO_LARGE',
      `the model has more than ${limits.modelOpsMax} ops or tensors; use a smaller one`,
    )
  }
  if (graph.sparseInitializers.length > 0) {
    throw modelError('MODEL_SPARSE', 'the model holds sparse tensors, which are not read; export it with dense ones')
  }
  const constants = new Map<string, Constant>()
  for (const tensor of graph.initializers) {
    constants.set(tensor.name, decodeTensor(tensor, `the tensor "${tensor.name}"`, readExternal))
  }
  const inputs = graph.inputs.filter(info => !constants.has(info.name)).map(decodePort)
  const ops = inlineFunctions(raw).map((node, i) => decodeOp(node, i, readExternal))
  const known = new Set(['', ...constants.keys(), ...inputs.map(port => port.name)])
  const outputs = options.outputs ? chosen(graph.outputs, ops, options.outputs) : graph.outputs
  return {
    producer: raw.producerName,
    opsets,
    ops: sortOps(
      ops,
      known,
      outputs.map(info => info.name),
    ),
    constants,
    inputs,
    outputs: outputs.map(decodePort),
  }
}

/** The named values as outputs; what a node inside gives has no stated type or shape. */
function chosen(stated: readonly RawValueInfo[], ops: readonly OnnxOp[], names: readonly string[]): RawValueInfo[] {
  return names.map(name => {
    const known = stated.find(info => info.name === name)
    if (known) return known
    if (ops.some(op => op.outputs.includes(name))) return { name, type: null }
    const last = ops.slice(-8).flatMap(op => op.outputs)
    throw modelError(
      'MODEL_NO_OUTPUT',
      `the model has no value "${name}"; its last ones are ${last.join(', ')}, and any tool that shows a graph names the others`,
    )
  })
}

function notOnnx(reason: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'MODEL_NOT_ONNX',
    kind: 'model',
    message: `this is not a whole ONNX file (${reason}); give a network exported as .onnx, or copy it again`,
    cause,
  })
}

function readRaw(bytes: Uint8Array): RawModel {
  if (bytes.length === 0) throw notOnnx('it is empty')
  try {
    return decodeRawModel(bytes)
  } catch (error) {
    // What protobufjs says of a bad encoding is for developers; it stays in the cause.
    throw notOnnx('its bytes are damaged, cut off, or something else', error)
  }
}

function decodePort(info: RawValueInfo): ModelPort {
  const type = info.type?.tensorType
  const dims = type?.shape?.dims.map((dim, axis) => {
    const value = toNumber(dim.value)
    // Exporters write 0 or -1 for a dim that they leave open.
    return value > 0 ? value : dim.param || `dim${axis}`
  })
  return { name: info.name, dtype: type ? elementTypeName(type.elemType) : 'unknown', dims }
}

function decodeOp(node: RawNode, index: number, readExternal: ReadExternal | undefined): OnnxOp {
  const op = {
    name: node.name || node.outputs[0] || `#${index}`,
    type: node.opType,
    domain: node.domain === 'ai.onnx' ? '' : node.domain,
    inputs: node.inputs,
    outputs: node.outputs,
  }
  // The tables of a classical model are attributes: its trees' nodes, its support vectors.
  const valuesMax = op.domain === mlDomain ? limits.modelTableValuesMax : limits.modelOpsMax
  const values = new Map(
    node.attributes.map(raw => [raw.name, decodeAttribute(raw, opText(op), valuesMax, readExternal)]),
  )
  return { ...op, attributes: makeAttributes(values) }
}

function decodeAttribute(
  raw: RawAttribute,
  op: string,
  valuesMax: number,
  readExternal: ReadExternal | undefined,
): AttributeValue {
  const count = Math.max(raw.ints.length, raw.floats.length, raw.strings.length)
  if (count > valuesMax) {
    throw modelError(
      'MODEL_BAD_GRAPH',
      `${op} has an attribute "${raw.name}" of ${count} values, and at most ${valuesMax} are taken; check the model file`,
    )
  }
  return {
    f: raw.f,
    i: toNumber(raw.i),
    s: textOf(raw.s),
    t: raw.t ? decodeTensor(raw.t, `${op}, attribute "${raw.name}"`, readExternal) : undefined,
    floats: raw.floats,
    ints: raw.ints.map(toNumber),
    strings: raw.strings.map(textOf),
  }
}

/**
 * The ops that the outputs need, in the file's order where that can be computed, else sorted; an op whose
 * inputs nobody makes is an error, as is one name made twice.
 */
function sortOps(ops: readonly OnnxOp[], known: ReadonlySet<string>, outputs: readonly string[]): OnnxOp[] {
  const makers = new Map<string, OnnxOp>()
  for (const op of ops) {
    for (const output of op.outputs) {
      if (output === '') continue
      if (makers.has(output) || known.has(output)) {
        throw modelError(
          'MODEL_BAD_GRAPH',
          `the tensor "${output}" is made twice, by ${opText(op)} too; check the model file`,
        )
      }
      makers.set(output, op)
    }
  }
  const sorted: OnnxOp[] = []
  const state = new Map<OnnxOp, 'open' | 'done'>()
  // An explicit stack: a chain of 100,000 ops must not overflow the call stack.
  const visit = (start: OnnxOp) => {
    const stack = [start]
    while (stack.length > 0) {
      const op = stack[stack.length - 1]
      if (state.get(op) === 'done') {
        stack.pop()
        continue
      }
      const needed = op.inputs.filter(name => !known.has(name)).map(name => maker(name, op))
      const open = needed.filter(other => state.get(other) !== 'done')
      if (state.get(op) === 'open' && open.length > 0) {
        throw modelError('MODEL_BAD_GRAPH', `${opText(op)} needs its own result; check the model file`)
      }
      state.set(op, open.length > 0 ? 'open' : 'done')
      if (open.length === 0) sorted.push(op)
      stack.push(...open)
    }
  }
  const maker = (name: string, user: OnnxOp): OnnxOp => {
    const found = makers.get(name)
    if (found) return found
    throw modelError(
      'MODEL_BAD_GRAPH',
      `${opText(user)} takes the tensor "${name}", which nothing makes; check the model file`,
    )
  }
  const wanted = new Set(outputs)
  for (const op of ops) if (op.outputs.some(output => wanted.has(output))) visit(op)
  for (const output of outputs) {
    if (!makers.has(output) && !known.has(output)) {
      throw modelError('MODEL_BAD_GRAPH', `nothing makes the output "${output}"; check the model file`)
    }
  }
  return sorted
}
