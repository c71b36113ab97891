/**
 * Graph -> program: which buffers there are and where they lie, by liveness.
 *
 * Invariant: two buffers overlap in the arena, or share a slot, only if no step and no moment between needs both. A
 * buffer lives from the step that first writes it (an input: from the start) to the last that reads it (an
 * output: to the end), both included. Offsets are found greedily, largest first, lowest free place (Pisarchyk and
 * Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
 */
import { createHash } from 'node:crypto'
import type { KernelArray } from '../tensor/dtype.ts'
import { copyParams } from './copy-params.ts'
import { carrierOf, type Graph } from './graph.ts'
import {
  bufferBytes,
  checkProgram,
  type PlannedModel,
  type Port,
  type Program,
  type ProgramBuffer,
  type Step,
  type Weight,
} from './program.ts'

export function planGraph(graph: Graph, batch: number): PlannedModel {
  copyBoundOutputs(graph)
  const weights: Weight[] = []
  const buffers: ProgramBuffer[] = []
  const places = new Map<number, number>()
  const inputs = new Set(graph.inputs.map(port => port.value))
  const outputs = new Set(graph.outputs.map(port => port.value))
  const bufferOf = (value: number, name: string): number => {
    const known = places.get(value)
    if (known !== undefined) return known
    const { dtype, elements } = graph.values[value]
    const constant = carrierOf(graph.values[value], name)
    const kind = constant ? 'weight' : inputs.has(value) ? 'input' : outputs.has(value) ? 'output' : 'temporary'
    const weight = constant ? weights.push(makeWeight(constant)) - 1 : -1
    places.set(value, buffers.push({ kind, dtype, elements, weight, offset: -1, slot: -1 }) - 1)
    return buffers.length - 1
  }
  const port = ({ name, value, dims, type, labels, columns }: Graph['inputs'][number]): Port => {
    const buffer = bufferOf(value, `the tensor "${name}"`)
    const meaning = { type, names: labels?.names, columns }
    return { name, buffer, dtype: buffers[buffer].dtype, dims, meaning }
  }
  const ports = { inputs: graph.inputs.map(port), outputs: graph.outputs.map(port) }
  const steps = graph.steps.map(step => {
    const read = step.inputs.map(value => (value === null ? null : bufferOf(value, `"${step.name}"`)))
    return { ...step, inputs: read, output: bufferOf(step.output, `"${step.name}"`) }
  })
  const lives = liveness(steps, buffers)
  const arenaBytes = placeInArena(buffers, lives)
  const slots = placeInSlots(buffers, lives)
  const program: Program = { batch, steps, buffers, ...ports, arenaBytes, slots }
  checkProgram(program, weights)
  return { program, weights }
}

/** An output that is a constant or an input as it stands gets a buffer of its own. */
function copyBoundOutputs(graph: Graph): void {
  const inputs = new Set(graph.inputs.map(port => port.value))
  for (const port of graph.outputs) {
    const { constant, elements } = graph.values[port.value]
    if (!constant && !inputs.has(port.value)) continue
    const place = { offset: 0, strides: [1] }
    const output = graph.values.push({ dtype: 'float32', elements }) - 1
    const params = copyParams([elements], place, place)
    graph.steps.push({ kernel: 'copy', name: port.name, params, inputs: [port.value], output })
    port.value = output
  }
}

const weightsByData = new WeakMap<KernelArray, Weight>()

function makeWeight(data: KernelArray): Weight {
  const known = weightsByData.get(data)
  if (known) return known
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const weight = { key: createHash('sha256').update(bytes).digest('hex'), dims: [data.length], data }
  weightsByData.set(data, weight)
  return weight
}

/** First and last step at which a buffer must keep its content; -1 is before the run, `steps.length` after it. */
export interface Life {
  from: number
  to: number
}

export function liveness(steps: readonly Step[], buffers: readonly ProgramBuffer[]): Life[] {
  const lives = buffers.map(({ kind }) => ({
    from: kind === 'input' ? -1 : Number.POSITIVE_INFINITY,
    to: kind === 'output' ? steps.length : -1,
  }))
  steps.forEach((step, index) => {
    const written = lives[step.output]
    written.from = Math.min(written.from, index)
    written.to = Math.max(written.to, index)
    for (const input of step.inputs) if (input !== null) lives[input].to = Math.max(lives[input].to, index)
  })
  return lives
}

export function overlap(a: Life, b: Life): boolean {
  return a.from <= b.to && b.from <= a.to
}

/** Sets every `offset`; returns the arena's bytes. */
function placeInArena(buffers: ProgramBuffer[], lives: readonly Life[]): number {
  const order = bySize(buffers)
  const placed: { life: Life; from: number; to: number }[] = []
  let arenaBytes = 0
  for (const index of order) {
    const bytes = bufferBytes(buffers[index])
    const others = placed.filter(other => overlap(other.life, lives[index])).sort((a, b) => a.from - b.from)
    let offset = 0
    for (const other of others) {
      if (other.from - offset >= bytes) break
      offset = Math.max(offset, other.to)
    }
    buffers[index].offset = offset
    placed.push({ life: lives[index], from: offset, to: offset + bytes })
    arenaBytes = Math.max(arenaBytes, offset + bytes)
  }
  return arenaBytes
}

/** Sets every `slot`; returns the slots' bytes. Largest first, so that a slot is as large as its first buffer. */
function placeInSlots(buffers: ProgramBuffer[], lives: readonly Life[]): number[] {
  const slots: { bytes: number; lives: Life[] }[] = []
  for (const index of bySize(buffers)) {
    let slot = slots.findIndex(({ lives: others }) => !others.some(other => overlap(other, lives[index])))
    if (slot < 0) slot = slots.push({ bytes: bufferBytes(buffers[index]), lives: [] }) - 1
    slots[slot].lives.push(lives[index])
    buffers[index].slot = slot
  }
  return slots.map(({ bytes }) => bytes)
}

function bySize(buffers: readonly ProgramBuffer[]): number[] {
  const indices = buffers.map((_, index) => index).filter(index => buffers[index].kind !== 'weight')
  return indices.sort((a, b) => bufferBytes(buffers[b]) - bufferBytes(buffers[a]) || a - b)
}
