/**
 * The way in: bytes of an `.onnx` file -> `Model` -> a planned program that any backend compiles.
 *
 * ```ts
 * const model = loadModel(bytes)
 * const planned = planModel(model, { batch: 32, input: 'uint8', layout: backend.layout })
 * const executable = await backend.compile(planned.program, planned.weights)
 * const { probabilities } = await executable.run({ input: pixels })
 * ```
 */

import { type DecodeOptions, decodeModel } from '../onnx/decode.ts'
import type { ModelPort, OnnxModel } from '../onnx/model.ts'
import { layChannelsLast } from './channels-last.ts'
import { endsInProbability } from './ends-in-probability.ts'
import { fuse } from './fuse.ts'
import { dropUnused, type Graph } from './graph.ts'
import { recogniseIdioms } from './idioms.ts'
import { type Bindings, checkInputTypes, inputsByBatch, inputsByBindings, type PlanOptions } from './inputs.ts'
import { checkOps, lowerModel } from './lower.ts'
import { planGraph } from './plan.ts'
import type { ImageLayout, PlannedModel } from './program.ts'

export type { PlanOptions } from './inputs.ts'

export interface Model {
  /** What a caller must give; a string is a dim that the model leaves open, the first as a rule the batch. */
  readonly inputs: readonly ModelPort[]
  readonly outputs: readonly ModelPort[]
  /** Whether the first output that is no label is a probability already: its last op that computes is Softmax or the like. */
  readonly endsInProbability: boolean
  /** Rows that the model takes at a time where it insists on a number, else undefined. */
  readonly fixedBatch: number | undefined
  readonly onnx: OnnxModel
}

/**
 * Decodes a model and checks that all of its operators are known. Weights are views of `bytes` where possible.
 * @param options.readExternal reads weights that lie in files of their own (`externalFolder` makes one)
 * @throws PeerError kind `model`
 */
export function loadModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const onnx = decodeModel(bytes, options)
  checkOps(onnx)
  checkInputTypes(onnx)
  const first = onnx.inputs[0]?.dims?.[0]
  return {
    inputs: onnx.inputs,
    outputs: onnx.outputs,
    endsInProbability: endsInProbability(onnx),
    fixedBatch: typeof first === 'number' ? first : undefined,
    onnx,
  }
}

/**
 * Shapes for one batch, constants folded, ops fused, memory planned. Deterministic; one row's arithmetic is the same for
 * every batch.
 * @throws PeerError kind `model`: MODEL_BATCH, MODEL_INPUT, MODEL_BAD_OP, MODEL_BAD_SHAPE…
 */
export function planModel(model: Model, options: PlanOptions): PlannedModel {
  const graph = lowerModel(model.onnx, inputsByBatch(model.onnx, options))
  return planGraph(optimise(graph, options.layout), options.batch)
}

/**
 * The graph of a model for shapes, and values, that a caller gives: what a session plans.
 * @param layout as the backend says
 * @throws PeerError kind `model`; InputValueNeeded when an op must know an input that is not among the values
 */
export function graphOf(model: Model, bindings: Bindings, layout: ImageLayout): Graph {
  return optimise(lowerModel(model.onnx, inputsByBindings(model.onnx, bindings)), layout)
}

function optimise(graph: Graph, layout: ImageLayout = 'planes'): Graph {
  recogniseIdioms(graph)
  dropUnused(graph)
  fuse(graph)
  dropUnused(graph)
  if (layout === 'channels-last') {
    layChannelsLast(graph)
    dropUnused(graph)
  }
  return graph
}
