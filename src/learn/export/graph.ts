/** ONNX graphs written op by op; the names of tensors in between are made up, those of constants as far as they are free. */
import type {
  AttributeValueInit,
  EncodedModel,
  EncodedOp,
  EncodedPort,
  EncodedTensor,
} from '../../compute/onnx/encode.ts'

/** 13 and later take axes of some reductions as inputs; 17 is before others do, and known to runtimes for years. */
const opset = 17
const mlDomain = 'ai.onnx.ml'
const mlOpset = 2

export interface GraphWriter {
  /** One op with one output, whose name is returned. */
  op(type: string, inputs: readonly string[], attributes?: Readonly<Record<string, AttributeValueInit>>): string
  /** The same of the domain `ai.onnx.ml`. */
  mlOp(type: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValueInit>>): string
  /** A reduction over axes, or new axes of length 1: as the graph's version of the operators has it. */
  reduce(type: string, from: string, axes: readonly number[], keepdims: 0 | 1): string
  unsqueeze(from: string, axes: readonly number[]): string
  constant(name: string, dims: readonly number[], values: ArrayLike<number>): string
  int64(name: string, values: readonly number[]): string
  input(port: EncodedPort): string
  /** Gives a tensor its name in the file. */
  output(port: EncodedPort, from: string): void
  finish(metadata?: Readonly<Record<string, string>>): EncodedModel
}

/** @param version of ONNX's own operators; default 17 */
export function createGraphWriter(name: string, version = opset): GraphWriter {
  const constants: Record<string, EncodedTensor> = {}
  const inputs: EncodedPort[] = []
  const outputs: EncodedPort[] = []
  const ops: EncodedOp[] = []
  const free = (wanted: string): string => {
    if (!Object.hasOwn(constants, wanted)) return wanted
    for (let i = 2; ; i++) if (!Object.hasOwn(constants, `${wanted}-${i}`)) return `${wanted}-${i}`
  }
  const add = (wanted: string, tensor: EncodedTensor): string => {
    const given = free(wanted)
    constants[given] = tensor
    return given
  }
  const op: GraphWriter['op'] = (type, from, attributes) => {
    const result = `t${ops.length}`
    ops.push({ type, inputs: from, outputs: [result], ...(attributes && { attributes }) })
    return result
  }
  const int64: GraphWriter['int64'] = (wanted, values) =>
    add(wanted, { dims: [values.length], data: BigInt64Array.from(values, BigInt) })
  return {
    op,
    reduce: (type, from, axes, keepdims) =>
      version < 18
        ? op(type, [from], { axes, keepdims })
        : op(type, [from, int64(`axis${axes.join('')}`, axes)], { keepdims }),
    unsqueeze: (from, axes) =>
      version < 13 ? op('Unsqueeze', [from], { axes }) : op('Unsqueeze', [from, int64(`axis${axes.join('')}`, axes)]),
    mlOp(type, from, attributes) {
      const result = `t${ops.length}`
      ops.push({ type, inputs: from, outputs: [result], attributes, domain: mlDomain })
      return result
    },
    constant: (wanted, dims, values) => add(wanted, { dims, data: Float32Array.from(values) }),
    int64,
    input(port) {
      inputs.push(port)
      return port.name
    },
    output(port, from) {
      outputs.push(port)
      ops.push({ type: 'Identity', inputs: [from], outputs: [port.name] })
    },
    finish: metadata => ({
      ...{ opset: version, name, inputs, outputs, constants, ops },
      ...(ops.some(op => op.domain === mlDomain) && { domains: { [mlDomain]: mlOpset } }),
      ...(metadata && { metadata }),
    }),
  }
}
