/**
 * The part of onnx.proto that this program reads, as a protobufjs descriptor; other fields (subgraphs, quantization
 * notes, doc strings) are skipped on the wire. Field numbers from onnx/onnx.proto, IR version 11.
 */
import protobuf from 'protobufjs/light.js'

const repeated = (type: string, id: number) => ({ rule: 'repeated', type, id })
const single = (type: string, id: number) => ({ type, id })

const root = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: single('int64', 1),
        producerName: single('string', 2),
        graph: single('Graph', 7),
        opsets: repeated('Opset', 8),
        functions: repeated('Function', 25),
      },
    },
    Function: {
      fields: {
        name: single('string', 1),
        inputs: repeated('string', 4),
        outputs: repeated('string', 5),
        attributes: repeated('string', 6),
        nodes: repeated('Node', 7),
        opsets: repeated('Opset', 9),
        domain: single('string', 10),
        attributeDefaults: repeated('Attribute', 11),
      },
    },
    Opset: { fields: { domain: single('string', 1), version: single('int64', 2) } },
    Graph: {
      fields: {
        nodes: repeated('Node', 1),
        name: single('string', 2),
        initializers: repeated('Tensor', 5),
        inputs: repeated('ValueInfo', 11),
        outputs: repeated('ValueInfo', 12),
        sparseInitializers: repeated('SparseTensor', 15),
      },
    },
    SparseTensor: { fields: { values: single('Tensor', 1) } },
    Node: {
      fields: {
        inputs: repeated('string', 1),
        outputs: repeated('string', 2),
        name: single('string', 3),
        opType: single('string', 4),
        attributes: repeated('Attribute', 5),
        domain: single('string', 7),
      },
    },
    Attribute: {
      fields: {
        name: single('string', 1),
        f: single('float', 2),
        i: single('int64', 3),
        s: single('bytes', 4),
        t: single('Tensor', 5),
        floats: repeated('float', 7),
        ints: repeated('int64', 8),
        strings: repeated('bytes', 9),
        refAttrName: single('string', 21),
      },
    },
    Tensor: {
      fields: {
        dims: repeated('int64', 1),
        dataType: single('int32', 2),
        floatData: repeated('float', 4),
        int32Data: repeated('int32', 5),
        stringData: repeated('bytes', 6),
        int64Data: repeated('int64', 7),
        name: single('string', 8),
        rawData: single('bytes', 9),
        doubleData: repeated('double', 10),
        uint64Data: repeated('uint64', 11),
        externalData: repeated('Entry', 13),
        dataLocation: single('int32', 14),
      },
    },
    Entry: { fields: { key: single('string', 1), value: single('string', 2) } },
    ValueInfo: { fields: { name: single('string', 1), type: single('Type', 2) } },
    Type: { fields: { tensorType: single('TensorType', 1) } },
    TensorType: { fields: { elemType: single('int32', 1), shape: single('Shape', 2) } },
    Shape: { fields: { dims: repeated('Dim', 1) } },
    Dim: { fields: { value: single('int64', 1), param: single('string', 2) } },
  },
})

/** 64-bit integers come as numbers or, where the package `long` is there, as its objects. */
export type RawInt = number | { toNumber(): number }

export interface RawTensor {
  dims: RawInt[]
  dataType: number
  floatData: number[]
  int32Data: number[]
  stringData: (Uint8Array | readonly number[])[]
  int64Data: RawInt[]
  name: string
  /** An empty array where absent. */
  rawData: Uint8Array | readonly number[]
  doubleData: number[]
  uint64Data: RawInt[]
  externalData: { key: string; value: string }[]
  dataLocation: number
}

export interface RawAttribute {
  name: string
  f: number
  i: RawInt
  /** An empty array where absent. */
  s: Uint8Array | readonly number[]
  t: RawTensor | null
  floats: number[]
  ints: RawInt[]
  strings: (Uint8Array | readonly number[])[]
  /** Inside a function: the attribute of the call that this one takes its value from. */
  refAttrName: string
}

export interface RawNode {
  inputs: string[]
  outputs: string[]
  name: string
  opType: string
  attributes: RawAttribute[]
  domain: string
}

export interface RawValueInfo {
  name: string
  type: { tensorType: { elemType: number; shape: { dims: { value: RawInt; param: string }[] } | null } | null } | null
}

/** An operator that the model brings itself. */
export interface RawFunction {
  name: string
  domain: string
  inputs: string[]
  outputs: string[]
  nodes: RawNode[]
  opsets: { domain: string; version: RawInt }[]
  attributeDefaults: RawAttribute[]
}

export interface RawModel {
  irVersion: RawInt
  producerName: string
  graph: {
    nodes: RawNode[]
    initializers: RawTensor[]
    inputs: RawValueInfo[]
    outputs: RawValueInfo[]
    sparseInitializers: unknown[]
  } | null
  opsets: { domain: string; version: RawInt }[]
  functions: RawFunction[]
}

const model = root.lookupType('Model')

/** Decodes a ModelProto; byte fields are views of `bytes`. Throws whatever protobufjs throws on a bad encoding. */
export function decodeRawModel(bytes: Uint8Array): RawModel {
  // The descriptor above is what makes this type true: protobufjs gives every field its default on the prototype.
  return model.decode(bytes) as unknown as RawModel
}

/** A ModelProto with the fields of the descriptor above; the bytes are its own. */
export function encodeRawModel(raw: RawModel): Uint8Array<ArrayBufferLike> {
  return model.encode(raw).finish()
}

const tensor = root.lookupType('Tensor')

/** Decodes a TensorProto on its own; throws like `decodeRawModel`. */
export function decodeRawTensor(bytes: Uint8Array): RawTensor {
  return tensor.decode(bytes) as unknown as RawTensor
}

export function toNumber(value: RawInt): number {
  return typeof value === 'number' ? value : value.toNumber()
}

const utf8 = new TextDecoder()

/** A string as a bytes field holds it. Short plain ones, of which a forest has a million, take no decoder. */
export function textOf(bytes: Uint8Array | readonly number[]): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] > 127 || i > 32) return utf8.decode(Uint8Array.from(bytes))
    text += String.fromCharCode(bytes[i])
  }
  return text
}
