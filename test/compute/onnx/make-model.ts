/** Writes small ONNX files for tests, field by field on the wire, so that the decoder is not its own judge. */
import protobuf from 'protobufjs/minimal.js'

export type AttributeInit =
  | number
  | readonly number[]
  | string
  | { float: number }
  | { floats: readonly number[] }
  | { strings: readonly string[] }
  | { tensor: TensorInit }
  | { ref: string; type: number }

export interface OpInit {
  type: string
  inputs: string[]
  outputs: string[]
  name?: string
  domain?: string
  attributes?: Record<string, AttributeInit>
}

export interface TensorInit {
  dims: number[]
  data: Float32Array | Float64Array | Uint8Array | Int8Array | readonly number[] | readonly string[]
}

export interface ModelInit {
  opset: number
  /** Versions of other domains than ONNX's own. */
  domains?: Record<string, number>
  /** float32 inputs. */
  inputs: Record<string, (number | string)[]>
  /** TensorProto.DataType of inputs and outputs that are not float32 (1): 7 int64, 8 string, 9 bool, 11 float64, 2 uint8, 3 int8. */
  types?: Record<string, number>
  outputs: string[]
  /** Float32Array: float32; the other arrays likewise; plain numbers: int64. */
  constants?: Record<string, TensorInit>
  ops: OpInit[]
  /** Operators of the model's own, in the domain `local`; `ref` of an attribute names the call's. */
  functions?: FunctionInit[]
}

export interface FunctionInit {
  name: string
  inputs: string[]
  outputs: string[]
  attributes?: string[]
  /** Values of attributes that a call leaves out. */
  defaults?: Record<string, AttributeInit>
  ops: OpInit[]
}

type Writer = protobuf.Writer
type Fill = (writer: Writer) => void

/** Wire types: 0 varint, 2 length-delimited, 5 four bytes. */
const tag = (writer: Writer, field: number, wire: number) => writer.uint32((field << 3) | wire)
const text = (writer: Writer, field: number, value: string) => tag(writer, field, 2).string(value)
const int = (writer: Writer, field: number, value: number) => tag(writer, field, 0).int64(value)
function message(writer: Writer, field: number, fill: Fill): void {
  tag(writer, field, 2).fork()
  fill(writer)
  writer.ldelim()
}

/** AttributeProto.AttributeType, which onnxruntime insists on. */
const [floatType, intType, stringType, tensorType, floatsType, intsType, stringsType] = [1, 2, 3, 4, 6, 7, 8]

function attribute(writer: Writer, name: string, value: AttributeInit): void {
  text(writer, 1, name)
  if (typeof value === 'number') {
    int(writer, 3, value)
    int(writer, 20, intType)
  } else if (typeof value === 'string') {
    text(writer, 4, value)
    int(writer, 20, stringType)
  } else if ('floats' in value) {
    for (const item of value.floats) tag(writer, 7, 5).float(item)
    int(writer, 20, floatsType)
  } else if ('float' in value) {
    tag(writer, 2, 5).float(value.float)
    int(writer, 20, floatType)
  } else if ('strings' in value) {
    for (const item of value.strings) text(writer, 9, item)
    int(writer, 20, stringsType)
  } else if ('ref' in value) {
    text(writer, 21, value.ref)
    int(writer, 20, value.type)
  } else if ('tensor' in value) {
    message(writer, 5, one => tensor(one, name, value.tensor))
    int(writer, 20, tensorType)
  } else {
    for (const item of value) int(writer, 8, item)
    int(writer, 20, intsType)
  }
}

/** TensorProto.DataType. */
function dataType(data: TensorInit['data']): number {
  if (data instanceof Float32Array) return 1
  if (data instanceof Float64Array) return 11
  if (data instanceof Uint8Array) return 2
  if (data instanceof Int8Array) return 3
  return typeof data[0] === 'string' ? 8 : 7
}

function tensor(writer: Writer, name: string, { dims, data }: TensorInit): void {
  for (const dim of dims) int(writer, 1, dim)
  int(writer, 2, dataType(data))
  text(writer, 8, name)
  if (!Array.isArray(data) && 'buffer' in data) {
    tag(writer, 9, 2).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  } else {
    for (const value of data) typeof value === 'string' ? text(writer, 6, value) : int(writer, 7, value)
  }
}

function port(writer: Writer, name: string, type: number, dims?: readonly (number | string)[]): void {
  text(writer, 1, name)
  message(writer, 2, typed =>
    message(typed, 1, tensorType => {
      int(tensorType, 1, type)
      if (!dims) return
      message(tensorType, 2, shape => {
        for (const dim of dims)
          message(shape, 1, one => (typeof dim === 'number' ? int(one, 1, dim) : text(one, 2, dim)))
      })
    }),
  )
}

function operator(node: Writer, op: OpInit): void {
  for (const input of op.inputs) text(node, 1, input)
  for (const output of op.outputs) text(node, 2, output)
  text(node, 3, op.name ?? op.outputs[0])
  text(node, 4, op.type)
  for (const [name, value] of Object.entries(op.attributes ?? {})) message(node, 5, one => attribute(one, name, value))
  if (op.domain) text(node, 7, op.domain)
}

function localFunction(into: Writer, one: FunctionInit, version: number): void {
  text(into, 1, one.name)
  for (const name of one.inputs) text(into, 4, name)
  for (const name of one.outputs) text(into, 5, name)
  for (const name of one.attributes ?? []) text(into, 6, name)
  for (const op of one.ops) message(into, 7, node => operator(node, op))
  for (const domain of ['', 'local']) {
    message(into, 9, opset => {
      text(opset, 1, domain)
      int(opset, 2, domain === '' ? version : 1)
    })
  }
  text(into, 10, 'local')
  for (const [name, value] of Object.entries(one.defaults ?? {}))
    message(into, 11, each => attribute(each, name, value))
}

export function makeModel(init: ModelInit): Uint8Array {
  const writer = new protobuf.Writer()
  int(writer, 1, 7)
  message(writer, 7, graph => {
    for (const op of init.ops) message(graph, 1, node => operator(node, op))
    text(graph, 2, 'test')
    for (const [name, value] of Object.entries(init.constants ?? {})) message(graph, 5, one => tensor(one, name, value))
    for (const [name, dims] of Object.entries(init.inputs)) {
      message(graph, 11, one => port(one, name, init.types?.[name] ?? 1, dims))
    }
    for (const name of init.outputs) message(graph, 12, one => port(one, name, init.types?.[name] ?? 1))
  })
  message(writer, 8, opset => int(opset, 2, init.opset))
  for (const [domain, version] of Object.entries(init.domains ?? {})) {
    message(writer, 8, opset => {
      text(opset, 1, domain)
      int(opset, 2, version)
    })
  }
  for (const one of init.functions ?? []) message(writer, 25, into => localFunction(into, one, init.opset))
  if (init.functions) {
    message(writer, 8, opset => {
      text(opset, 1, 'local')
      int(opset, 2, 1)
    })
  }
  return writer.finish()
}
