/**
 * A model on a backend, on whole tensors: any number of inputs and outputs, of ONNX's types, any shapes that the model
 * allows. Shapes are planned as they come; inputs that decide shapes (a Reshape's target, TopK's k) are found by
 * planning and bound as constants, and programs are kept by shapes and bound values.
 *
 * ```ts
 * const session = openSession(await createWasmBackend(), loadModel(bytes))
 * const { y } = await session.run({ x: { type: 'float32', dims: [1, 3], data: Float32Array.of(1, 2, 3) } })
 * ```
 */
import { createHash } from 'node:crypto'
import { assert, PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Backend, Executable } from '../backends/types.ts'
import { InputValueNeeded } from '../onnx/lowering.ts'
import type { ModelPort } from '../onnx/model.ts'
import type { Constant } from '../tensor/constant.ts'
import type { HostArray } from '../tensor/dtype.ts'
import { checkTyped, fromHost, isInteger, type TypedTensor, toCarrier, toHost } from '../tensor/element-type.ts'
import { placesOf, stringsOf } from '../tensor/labels.ts'
import { elementsOf, type Shape, shapeText } from '../tensor/shape.ts'
import type { Graph, GraphPort } from './graph.ts'
import { portType } from './inputs.ts'
import { graphOf, type Model } from './model.ts'
import { planGraph } from './plan.ts'
import type { ImageLayout } from './program.ts'

/** A tensor of strings, dense and row-major, as an input takes it. */
export interface TextTensor {
  readonly type: 'string'
  readonly dims: Shape
  readonly data: readonly string[]
}

export type Tensors = Readonly<Record<string, TypedTensor | TextTensor>>

export interface OutputTensor extends TypedTensor {
  /** The elements of a tensor of strings; `data` then holds their places in the model's table of names. */
  readonly strings?: readonly string[]
  /** What the elements along the last axis are called: a ZipMap's keys. */
  readonly columns?: readonly string[]
}

/** Milliseconds of each stage of one run; planning and compiling are 0 where a program was kept. */
export interface StageTimes {
  planMs: number
  compileMs: number
  runMs: number
}

export interface Session {
  /**
   * @param inputs one tensor for each of the model's inputs, of its type; they stay the caller's
   * @returns the model's outputs by name, in fresh arrays
   * @throws PeerError kind `input` (names, types, shapes), `model`, `resource`
   */
  run(inputs: Tensors): Promise<Record<string, OutputTensor>>
  /** The same with the time of each stage. */
  profile(inputs: Tensors): Promise<{ outputs: Record<string, OutputTensor>; times: StageTimes }>
  dispose(): void
}

/** How one of the model's outputs comes about. */
type Source =
  | { port: GraphPort; from: 'device' }
  | { port: GraphPort; from: 'input'; input: string }
  | { port: GraphPort; from: 'constant'; data: HostArray }

interface Prepared {
  executable: Executable | undefined
  /** Inputs that the program reads. */
  reads: readonly GraphPort[]
  sources: readonly Source[]
}

/** Programs that a session keeps; the one used longest ago goes. */
const programsMax = 16

/** Elements that inputs may have to be bound as constants: more are data, and no shape. */
const boundElementsMax = 65_536

export function openSession(backend: Backend, model: Model): Session {
  const programs = new Map<string, Promise<Prepared>>()
  /** Inputs that some plan asked for; the values go into the key. */
  const bound = new Set<string>()
  let disposed = false

  function prepare(inputs: Tensors, times: StageTimes): Promise<Prepared> {
    const started = performance.now()
    const graph = plan(model, inputs, bound, backend.layout)
    const key = keyOf(model, inputs, bound)
    times.planMs += performance.now() - started
    const made = compileGraph(backend, graph)
    programs.set(key, made)
    made.catch(() => programs.delete(key))
    for (const [oldest, program] of programs) {
      if (programs.size <= programsMax) break
      programs.delete(oldest)
      release(program)
    }
    return made
  }

  async function profile(inputs: Tensors) {
    assert(!disposed, 'a disposed session is not run')
    checkInputs(model, inputs)
    const times: StageTimes = { planMs: 0, compileMs: 0, runMs: 0 }
    const key = keyOf(model, inputs, bound)
    const kept = programs.get(key)
    if (kept) {
      programs.delete(key)
      programs.set(key, kept)
    }
    const begun = performance.now()
    const prepared = await (kept ?? prepare(inputs, times))
    const ready = performance.now()
    if (!kept) times.compileMs = ready - begun - times.planMs
    const outputs = await runPrepared(prepared, inputs)
    times.runMs = performance.now() - ready
    return { outputs, times }
  }

  return {
    profile,
    run: async inputs => (await profile(inputs)).outputs,
    dispose() {
      disposed = true
      for (const program of programs.values()) release(program)
      programs.clear()
    },
  }
}

function release(program: Promise<Prepared>): void {
  program.then(
    ({ executable }) => executable?.dispose(),
    () => {},
  )
}

/** Plans, and plans again with the values of those inputs that turn out to decide shapes, which join `bound`. */
function plan(model: Model, inputs: Tensors, bound: Set<string>, layout: ImageLayout): Graph {
  const shapes = Object.fromEntries(model.inputs.map(({ name }) => [name, inputs[name].dims]))
  for (;;) {
    const values: Record<string, Constant> = {}
    for (const name of bound) {
      const tensor = inputs[name]
      if (tensor.type !== 'string') values[name] = constantOf(tensor)
    }
    try {
      return graphOf(model, { shapes, values }, layout)
    } catch (error) {
      // Each round binds at least one input more, so this ends.
      if (!(error instanceof InputValueNeeded)) throw error
      const elements = error.inputs.reduce((sum, name) => sum + elementsOf(inputs[name].dims), 0)
      const text = error.inputs.some(name => inputs[name].type === 'string')
      if (text || elements > boundElementsMax || error.inputs.every(name => bound.has(name))) throw error
      for (const name of error.inputs) bound.add(name)
    }
  }
}

function constantOf(tensor: TypedTensor): Constant {
  const host = toHost(tensor)
  return { dims: tensor.dims, type: tensor.type, data: host === tensor.data ? host.slice() : host }
}

function keyOf(model: Model, inputs: Tensors, bound: ReadonlySet<string>): string {
  const hash = createHash('sha256')
  for (const { name } of model.inputs) {
    const { dims, data } = inputs[name]
    hash.update(`${JSON.stringify(name)} ${shapeText(dims)} ${bound.has(name)}\n`)
    if (!bound.has(name) || !('buffer' in data)) continue
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return hash.digest('hex')
}

async function compileGraph(backend: Backend, graph: Graph): Promise<Prepared> {
  const sources = graph.outputs.map(port => sourceOf(graph, port))
  graph.outputs = sources.filter(({ from }) => from === 'device').map(({ port }) => port)
  const read = new Set([...graph.steps.flatMap(step => step.inputs), ...graph.outputs.map(port => port.value)])
  const reads = graph.inputs.filter(port => read.has(port.value))
  graph.inputs = reads
  if (graph.outputs.length === 0) return { executable: undefined, reads: [], sources }
  const { program, weights } = planGraph(graph, reads[0]?.dims[0] ?? 1)
  return { executable: await backend.compile(program, weights), reads, sources }
}

function sourceOf(graph: Graph, port: GraphPort): Source {
  const data = graph.values[port.value].constant
  if (data) return { port, from: 'constant', data }
  const input = graph.inputs.find(({ value, type }) => value === port.value && type === port.type)
  return input ? { port, from: 'input', input: input.name } : { port, from: 'device' }
}

async function runPrepared({ executable, reads, sources }: Prepared, inputs: Tensors) {
  const given = Object.fromEntries(reads.map(port => [port.name, carrier(port, inputs[port.name])]))
  const results = (await executable?.run(given)) ?? {}
  return Object.fromEntries(
    sources.map(source => {
      const { name } = source.port
      if (source.from === 'device') return [name, toOutput(source.port, results[name])]
      if (source.from === 'constant') return [name, toOutput(source.port, source.data)]
      return [name, passedThrough(source.port, inputs[source.input])]
    }),
  )
}

function toOutput({ name, type, dims, labels, columns }: GraphPort, values: ArrayLike<number>): OutputTensor {
  const strings = labels && stringsOf(values, labels.names, `the output "${name}"`)
  return { ...fromHost(type, dims, values), ...(strings && { strings }), ...(columns && { columns }) }
}

/** As it came in, with integers that float32 does not hold, and strings that the model does not name. */
function passedThrough({ type, dims, labels, columns }: GraphPort, tensor: TypedTensor | TextTensor): OutputTensor {
  if (tensor.type !== 'string') return { type, dims, data: tensor.data.slice(), ...(columns && { columns }) }
  return { ...fromHost(type, dims, placesOf(tensor.data, labels?.names ?? [])), strings: tensor.data.slice() }
}

function carrier({ name, labels }: GraphPort, tensor: TypedTensor | TextTensor): Float32Array {
  if (tensor.type === 'string') return placesOf(tensor.data, labels?.names ?? [])
  return toCarrier(isInteger(tensor.type) ? tensor.type : 'float64', toHost(tensor), `the input "${name}"`)
}

function checkInputs(model: Model, inputs: Tensors): void {
  const names = model.inputs.map(port => port.name)
  const unknown = Object.keys(inputs).filter(name => !names.includes(name))
  const missing = names.filter(name => inputs[name] === undefined)
  if (unknown.length > 0 || missing.length > 0) {
    const problem = missing.length > 0 ? `lacks "${missing.join('", "')}"` : `does not know "${unknown.join('", "')}"`
    throw inputError(`the network ${problem}; its inputs are ${model.inputs.map(portText).join(', ') || 'none'}`)
  }
  for (const port of model.inputs) {
    const tensor = inputs[port.name]
    const type = port.dtype === 'string' ? port.dtype : portType(port)
    checkTensor(tensor, `the input "${port.name}"`)
    if (tensor.type !== type || !fits(port.dims, tensor.dims)) {
      throw inputError(
        `the network's input ${portText(port)} got ${tensor.type} ${shapeText(tensor.dims)}; give it that type and shape`,
        { port: port.name, expected: portText(port), got: `${tensor.type} ${shapeText(tensor.dims)}` },
      )
    }
    if (tensor.dims.length > limits.tensorRankMax) {
      throw inputError(`the input "${port.name}" has ${tensor.dims.length} dims; give at most ${limits.tensorRankMax}`)
    }
  }
}

function checkTensor(tensor: TypedTensor | TextTensor, what: string): void {
  if (tensor.type !== 'string') return checkTyped(tensor, what)
  const { dims, data } = tensor
  const whole = dims.every(dim => Number.isInteger(dim) && dim >= 0) && data.length === elementsOf(dims)
  if (whole && data.every(text => typeof text === 'string')) return
  throw inputError(
    `${what} is said to be strings ${shapeText(dims)}, and its array is of ${data.length}; give one string for each`,
  )
}

function fits(wanted: ModelPort['dims'], got: Shape): boolean {
  if (!wanted) return true
  return wanted.length === got.length && wanted.every((dim, axis) => typeof dim === 'string' || dim === got[axis])
}

function portText({ name, dtype, dims }: ModelPort): string {
  return `"${name}" ${dtype} ${dims ? shapeText(dims) : 'of any shape'}`
}

function inputError(message: string, details: Record<string, unknown> = {}): PeerError {
  return new PeerError({ code: 'INPUT_PORT', kind: 'input', message, details })
}
