/**
 * Writes ONNX files: what was trained here, for any ONNX runtime. Field numbers from onnx/onnx.proto, IR version 8, the
 * other way round than schema.ts.
 *
 * Invariant: the same model gives the same bytes; nothing of the time or the machine is in them.
 */
import protobuf from 'protobufjs/minimal.js'
import { assert } from '../../base/errors.ts'

export type AttributeValueInit =
  | number
  | readonly number[]
  | string
  | { float: number }
  | { strings: readonly string[] }

export interface EncodedOp {
  type: string
  inputs: readonly string[]
  outputs: readonly string[]
  /** Plain numbers are integers; { float } is one that is not. */
  attributes?: Readonly<Record<string, AttributeValueInit>>
  /** Default: ONNX's own operators. */
  domain?: string
}

/** Float32Array: float32; BigInt64Array: int64; strings: string. */
export interface EncodedTensor {
  dims: readonly number[]
  data: Float32Array | BigInt64Array | readonly string[]
}

export interface EncodedPort {
  name: string
  type: 'float32' | 'int64' | 'string'
  /** A name is a dim that any run may choose. */
  dims: readonly (number | string)[]
}

export interface EncodedModel {
  /** Version of ONNX's own operators. */
  opset: number
  /** Versions of other domains that ops name. */
  domains?: Readonly<Record<string, number>>
  name: string
  inputs: readonly EncodedPort[]
  outputs: readonly EncodedPort[]
  constants: Readonly<Record<string, EncodedTensor>>
  /** In an order that can be run. */
  ops: readonly EncodedOp[]
  /** Texts by name, for whoever reads the file. */
  metadata?: Readonly<Record<string, string>>
}

type Writer = protobuf.Writer
type Fill = (writer: Writer) => void

const irVersion = 8
/** TensorProto.DataType */
const dataTypes = { float32: 1, int64: 7, string: 8 } as const
/** AttributeProto.AttributeType */
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7, strings: 8 } as const

/** Wire types: 0 varint, 2 length-delimited, 5 four bytes. */
const tag = (writer: Writer, field: number, wire: number) => writer.uint32((field << 3) | wire)
const text = (writer: Writer, field: number, value: string) => tag(writer, field, 2).string(value)
const int = (writer: Writer, field: number, value: number) => tag(writer, field, 0).int64(value)

function message(writer: Writer, field: number, fill: Fill): void {
  tag(writer, field, 2).fork()
  fill(writer)
  writer.ldelim()
}

export function encodeModel(model: EncodedModel): Uint8Array {
  const writer = new protobuf.Writer()
  int(writer, 1, irVersion)
  text(writer, 2, 'shardmesh')
  message(writer, 7, graph => {
    for (const [i, op] of model.ops.entries()) message(graph, 1, node => writeOp(node, op, i))
    text(graph, 2, model.name)
    for (const [name, tensor] of Object.entries(model.constants)) {
      message(graph, 5, one => writeTensor(one, name, tensor))
    }
    for (const port of model.inputs) message(graph, 11, one => writePort(one, port))
    for (const port of model.outputs) message(graph, 12, one => writePort(one, port))
  })
  for (const [domain, version] of Object.entries({ '': model.opset, ...model.domains })) {
    message(writer, 8, opset => {
      text(opset, 1, domain)
      int(opset, 2, version)
    })
  }
  for (const [key, value] of Object.entries(model.metadata ?? {})) {
    message(writer, 14, entry => {
      text(entry, 1, key)
      text(entry, 2, value)
    })
  }
  return writer.finish()
}

function writeOp(writer: Writer, op: EncodedOp, index: number): void {
  for (const input of op.inputs) text(writer, 1, input)
  for (const output of op.outputs) text(writer, 2, output)
  text(writer, 3, `${op.type}-${index}`)
  text(writer, 4, op.type)
  for (const [name, value] of Object.entries(op.attributes ?? {})) {
    message(writer, 5, attribute => writeAttribute(attribute, name, value))
  }
  if (op.domain) text(writer, 7, op.domain)
}

function writeAttribute(writer: Writer, name: string, value: AttributeValueInit): void {
  text(writer, 1, name)
  if (typeof value === 'number') {
    assert(Number.isSafeInteger(value), `the attribute ${name} is an integer, or { float }`)
    int(writer, 3, value)
    int(writer, 20, attributeTypes.int)
  } else if (typeof value === 'string') {
    text(writer, 4, value)
    int(writer, 20, attributeTypes.string)
  } else if ('float' in value) {
    tag(writer, 2, 5).float(value.float)
    int(writer, 20, attributeTypes.float)
  } else if ('strings' in value) {
    for (const item of value.strings) tag(writer, 9, 2).string(item)
    int(writer, 20, attributeTypes.strings)
  } else {
    for (const item of value) int(writer, 8, item)
    int(writer, 20, attributeTypes.ints)
  }
}

function writeTensor(writer: Writer, name: string, { dims, data }: EncodedTensor): void {
  const elements = dims.reduce((product, dim) => product * dim, 1)
  assert(data.length === elements, `the tensor ${name} is as long as its shape says`)
  for (const dim of dims) int(writer, 1, dim)
  if (data instanceof Float32Array || data instanceof BigInt64Array) {
    int(writer, 2, data instanceof Float32Array ? dataTypes.float32 : dataTypes.int64)
    text(writer, 8, name)
    tag(writer, 9, 2).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    return
  }
  int(writer, 2, dataTypes.string)
  for (const value of data) tag(writer, 6, 2).string(value)
  text(writer, 8, name)
}

function writePort(writer: Writer, { name, type, dims }: EncodedPort): void {
  text(writer, 1, name)
  message(writer, 2, typed =>
    message(typed, 1, tensor => {
      int(tensor, 1, dataTypes[type])
      message(tensor, 2, shape => {
        for (const dim of dims) {
          message(shape, 1, one => (typeof dim === 'number' ? int(one, 1, dim) : text(one, 2, dim)))
        }
      })
    }),
  )
}
