/**
 * Functions that a model brings itself (`ModelProto.functions`, as PyTorch's newer exporter and onnxscript write them): each call
 * becomes the function's ops, with names of their own. Source: onnx.proto, FunctionProto; onnx.inliner does the same.
 */
import { limits } from '../../base/limits.ts'
import { modelError } from './model.ts'
import { type RawAttribute, type RawFunction, type RawModel, type RawNode, toNumber } from './schema.ts'

/** Functions that call functions; exporters nest modules some ten deep. */
const depthMax = 64

const domainOf = (name: string) => (name === 'ai.onnx' ? '' : name)
const keyOf = (domain: string, name: string) => `${domainOf(domain)}:${name}`

/**
 * @returns the graph's nodes with every call of a local function replaced
 * @throws PeerError MODEL_BAD_GRAPH for a function that calls itself, MODEL_TOO_LARGE, MODEL_OPSET
 */
export function inlineFunctions({ graph, functions, opsets }: RawModel): RawNode[] {
  const nodes = graph?.nodes ?? []
  if (functions.length === 0) return nodes
  const known = new Map(functions.map(one => [keyOf(one.domain, one.name), one]))
  const versions = new Map(opsets.map(one => [domainOf(one.domain), toNumber(one.version)]))
  const made: RawNode[] = []
  let calls = 0

  function expand(node: RawNode, depth: number): void {
    const called = known.get(keyOf(node.domain, node.opType))
    if (!called) {
      if (made.push(node) > limits.modelOpsMax)
        throw modelError('MODEL_TOO_LARGE', `the model has more than ${limits.modelOpsMax} ops; use a smaller one`)
      return
    }
    if (depth > depthMax) throw bad(called, `calls itself, or functions more than ${depthMax} deep`)
    checkOpsets(called, versions)
    for (const inner of bodyOf(called, node, `${node.name || node.opType}#${calls++}/`)) expand(inner, depth + 1)
  }
  for (const node of nodes) expand(node, 0)
  return made
}

/** The function's ops with the call's tensors and attributes in place of its own. */
function bodyOf(called: RawFunction, call: RawNode, prefix: string): RawNode[] {
  const names = new Map<string, string>([['', '']])
  called.inputs.forEach((name, i) => {
    names.set(name, call.inputs[i] ?? '')
  })
  const passed: RawNode[] = []
  called.outputs.forEach((name, i) => {
    const output = call.outputs[i] ?? ''
    if (output === '') return
    // What goes in may come out as it is.
    const through = names.get(name)
    if (through === undefined) names.set(name, output)
    else
      passed.push({
        ...call,
        name: `${prefix}${name}`,
        opType: 'Identity',
        domain: '',
        inputs: [through],
        outputs: [output],
        attributes: [],
      })
  })
  const renamed = (name: string) => names.get(name) ?? `${prefix}${name}`
  const given = new Map(call.attributes.map(one => [one.name, one]))
  const usual = new Map(called.attributeDefaults.map(one => [one.name, one]))
  const attributeOf = (one: RawAttribute): RawAttribute[] => {
    if (!one.refAttrName) return [one]
    const value = given.get(one.refAttrName) ?? usual.get(one.refAttrName)
    // An attribute that nobody gives is absent.
    return value ? [{ ...plain(value), name: one.name, refAttrName: '' }] : []
  }
  const body = called.nodes.map(node => ({
    ...{ name: `${prefix}${node.name || node.outputs[0]}`, opType: node.opType, domain: node.domain },
    inputs: node.inputs.map(renamed),
    outputs: node.outputs.map(name => (name === '' ? '' : renamed(name))),
    attributes: node.attributes.flatMap(attributeOf),
  }))
  return [...body, ...passed]
}

/** Defaults of a decoded message stand on its prototype, which a spread leaves behind. */
function plain({ name, f, i, s, t, floats, ints, strings, refAttrName }: RawAttribute): RawAttribute {
  return { name, f, i, s, t, floats, ints, strings, refAttrName }
}

/** An op means what its opset says: a function of another opset than the model's cannot stand among its ops. */
function checkOpsets(called: RawFunction, versions: ReadonlyMap<string, number>): void {
  for (const { domain, version } of called.opsets) {
    const stated = versions.get(domainOf(domain))
    if (stated === undefined || stated === toNumber(version)) continue
    throw modelError(
      'MODEL_OPSET',
      `the model's function "${called.name}" is written for opset ${toNumber(version)}, the model for ${stated}; export it with one opset`,
    )
  }
}

function bad(called: RawFunction, what: string) {
  return modelError('MODEL_BAD_GRAPH', `the model's function "${called.name}" ${what}; check the model file`)
}
