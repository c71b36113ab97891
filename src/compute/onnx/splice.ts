/**
 * One ONNX file of two: ops that continue a network at one of its values. The network's bytes are copied message by message, so
 * that what this program does not read of it stays; what does not lead to that value is left out. Field numbers from
 * onnx/onnx.proto.
 */
import protobuf from 'protobufjs/minimal.js'
import { type EncodedModel, encodeModel } from './encode.ts'
import { modelError } from './model.ts'

/** One field of a message: its number, and its bytes with and without their tag. */
interface Field {
  field: number
  whole: Uint8Array
  /** Of a field with a length: what it holds. */
  body: Uint8Array
  /** Of a number. */
  value: number
}

const modelField = { graph: 7, opset: 8, metadata: 14 }
const graphField = { node: 1, initializer: 5, input: 11, output: 12 }
const nodeField = { input: 1, output: 2, attribute: 5 }
const subgraphFields = [6, 11]
const tensorName = 8

function fieldsOf(bytes: Uint8Array): Field[] {
  const reader = protobuf.Reader.create(bytes)
  const fields: Field[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const tag = reader.uint32()
    const inside = reader.pos
    let body = new Uint8Array(0)
    let value = 0
    if ((tag & 7) === 2) body = new Uint8Array(reader.bytes())
    else {
      if ((tag & 7) === 0) value = Number(reader.int64())
      reader.pos = inside
      reader.skipType(tag & 7)
    }
    fields.push({ field: tag >>> 3, whole: bytes.subarray(start, reader.pos), body, value })
  }
  return fields
}

const utf8 = new TextDecoder()
const textsOf = (fields: readonly Field[], field: number): string[] =>
  fields.filter(one => one.field === field).map(one => utf8.decode(one.body))

/** What a node reads, the nodes of its subgraphs included, and what it gives. */
function edgesOf(node: Uint8Array): { reads: string[]; gives: string[] } {
  const fields = fieldsOf(node)
  const reads = textsOf(fields, nodeField.input)
  for (const { body } of fields.filter(one => one.field === nodeField.attribute)) {
    for (const graph of fieldsOf(body).filter(one => subgraphFields.includes(one.field))) {
      const inside = fieldsOf(graph.body)
      for (const one of inside) if (one.field === graphField.node) reads.push(...edgesOf(one.body).reads)
      for (const one of inside) if (one.field === graphField.output) reads.push(textsOf(fieldsOf(one.body), 1)[0] ?? '')
    }
  }
  return { reads, gives: textsOf(fields, nodeField.output) }
}

/** The version of ONNX's own operators that a network names. @throws PeerError MODEL_NOT_ONNX */
export function opsetOf(network: Uint8Array): number {
  for (const { field, body } of topOf(network)) {
    if (field !== modelField.opset) continue
    const inside = fieldsOf(body)
    const domain = textsOf(inside, 1)[0] ?? ''
    if (domain === '' || domain === 'ai.onnx') return inside.find(one => one.field === 2)?.value ?? 0
  }
  return 0
}

function topOf(network: Uint8Array): Field[] {
  try {
    return fieldsOf(network)
  } catch (cause) {
    throw modelError('MODEL_NOT_ONNX', `the network is not an ONNX file: ${(cause as Error).message}`)
  }
}

/**
 * @param network the file's bytes, its weights inside
 * @param at a value of it, which `head`'s one input takes
 * @param head ops of the network's own opset
 */
export function continueNetwork(network: Uint8Array, at: string, head: EncodedModel): Uint8Array {
  const top = topOf(network)
  const graph = top.filter(one => one.field === modelField.graph).flatMap(one => fieldsOf(one.body))
  const { kept, names } = leadingTo(graph, at)
  const apart = renamed(head, at, names)
  const added = fieldsOf(encodeModel(apart))
  const tail = added.filter(one => one.field === modelField.graph).flatMap(one => fieldsOf(one.body))
  const joined = [
    ...kept,
    ...tail.filter(one => [graphField.node, graphField.initializer, graphField.output].includes(one.field)),
  ]
  const domains = new Set(top.filter(one => one.field === modelField.opset).map(domainOf))
  const keys = new Set(Object.keys(head.metadata ?? {}))
  const writer = new protobuf.Writer()
  const out: Uint8Array[] = []
  for (const one of top) {
    const replaced = one.field === modelField.metadata && keys.has(textsOf(fieldsOf(one.body), 1)[0] ?? '')
    if (one.field !== modelField.graph && !replaced) out.push(one.whole)
  }
  for (const one of added) {
    const missing = one.field === modelField.opset && domainOf(one) !== '' && !domains.has(domainOf(one))
    if (missing || one.field === modelField.metadata) out.push(one.whole)
  }
  const size = joined.reduce((sum, { whole }) => sum + whole.length, 0)
  out.push(
    writer
      .uint32((modelField.graph << 3) | 2)
      .uint32(size)
      .finish(),
    ...joined.map(({ whole }) => whole),
  )
  return concatenated(out)
}

const domainOf = ({ body }: Field): string => textsOf(fieldsOf(body), 1)[0] ?? ''

/** What of a graph leads to a value, in its order, and every name in it. */
function leadingTo(graph: readonly Field[], at: string): { kept: Field[]; names: Set<string> } {
  const nodes = graph.filter(one => one.field === graphField.node).map(one => ({ one, ...edgesOf(one.body) }))
  const wanted = new Set([at])
  const used = new Set<Field>()
  // Nodes stand in an order that can run: seen backwards, a value's reader comes before its producer.
  for (const { one, reads, gives } of nodes.toReversed()) {
    if (!gives.some(name => wanted.has(name))) continue
    used.add(one)
    for (const name of reads) wanted.add(name)
  }
  const nameOf = (one: Field) =>
    textsOf(fieldsOf(one.body), one.field === graphField.initializer ? tensorName : 1)[0] ?? ''
  const kept = graph.filter(one => {
    if (one.field === graphField.node) return used.has(one)
    if (one.field === graphField.initializer || one.field === graphField.input) return wanted.has(nameOf(one))
    return one.field !== graphField.output
  })
  return { kept, names: new Set([...wanted, ...nodes.flatMap(({ reads, gives }) => [...reads, ...gives])]) }
}

/** The head with its input at `at`, and with names that the network has not. */
function renamed(head: EncodedModel, at: string, taken: ReadonlySet<string>): EncodedModel {
  const outputs = new Set(head.outputs.map(port => port.name))
  const names = new Map(head.inputs.map(port => [port.name, at]))
  const nameOf = (name: string): string => {
    if (name === '') return name
    let known = names.get(name)
    for (let n = 0; known === undefined; n++) {
      const base = outputs.has(name) ? name : `head/${name}`
      const candidate = n === 0 ? base : `${base}_${n}`
      if (!taken.has(candidate)) known = candidate
    }
    names.set(name, known)
    return known
  }
  return {
    ...head,
    ops: head.ops.map(op => ({ ...op, inputs: op.inputs.map(nameOf), outputs: op.outputs.map(nameOf) })),
    constants: Object.fromEntries(Object.entries(head.constants).map(([name, tensor]) => [nameOf(name), tensor])),
    outputs: head.outputs.map(port => ({ ...port, name: nameOf(port.name) })),
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let place = 0
  for (const part of parts) {
    all.set(part, place)
    place += part.length
  }
  return all
}
