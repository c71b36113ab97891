/**
 * A trained model as an ONNX file of plain operators: features in, as the table had them; label, probabilities or the like out.
 *
 * Inputs: `features` [rows, features], or the images that they are made of. Outputs: kmeans `label`, `distances`; gmm `label`,
 * `probabilities`, `log_likelihood`; softmax `label`, `probabilities`; svm `label`, `scores`; linear `prediction`; pca
 * `components`. A label is an integer where all classes are whole numbers, else the class's text; of kmeans and gmm the place
 * of the cluster.
 */
import { assert, PeerError } from '../../base/errors.ts'
import { type EncodedPort, encodeModel } from '../../compute/onnx/encode.ts'
import { continueNetwork, opsetOf } from '../../compute/onnx/splice.ts'
import { type ImageFeatures, imageFeatureOps, imagePort } from '../features/features.ts'
import type { Setting, TrainedModel } from '../method.ts'
import { precisionFactor } from '../methods/gmm-density.ts'
import { createGraphWriter, type GraphWriter } from './graph.ts'
import type { ModelCard } from './model-card.ts'

/** Under this name the card lies in the file's metadata. */
export const cardKey = 'shardmesh.model-card'

type ModelOf<K extends TrainedModel['kind']> = Extract<TrainedModel, { kind: K }>

/** A network of images, one value of which is the features. */
export interface FeatureNetwork {
  bytes: Uint8Array
  /** The value's name: an output, or what any node gives. */
  output: string
}

/**
 * The file's bytes; the same model and card give the same ones.
 * @param images what makes the features: then the file takes `image` [rows, channels, height, width] instead; a network's
 *   inputs stay as they are
 * @throws PeerError MODEL_OPSET for a network of operators before version 9
 */
export function exportOnnx(
  model: TrainedModel,
  setting: Setting,
  card: ModelCard,
  images?: ImageFeatures | FeatureNetwork,
): Uint8Array {
  const network = images && 'bytes' in images ? images : undefined
  const version = network && opsetOf(network.bytes)
  if (version !== undefined && version < opsetMin) throw tooOld(version)
  const graph = createGraph(setting, images && !('bytes' in images) ? images : undefined, version)
  if (model.kind === 'kmeans') kmeansOps(graph, model)
  else if (model.kind === 'gmm') mixtureOps(graph, model)
  else if (model.kind === 'pca') componentOps(graph, model)
  else linearOps(graph, model, setting)
  const made = graph.finish({ [cardKey]: JSON.stringify(card) })
  return network ? continueNetwork(network.bytes, network.output, made) : encodeModel(made)
}

/** Where and IsNaN are of this version, and all others that are written here are no younger. */
const opsetMin = 9

function tooOld(version: number): PeerError {
  return new PeerError({
    code: 'MODEL_OPSET',
    kind: 'model',
    message: `the network is of ONNX's operators ${version}, and a model is put behind those of version ${opsetMin} or later: export it again`,
  })
}

interface Graph extends GraphWriter {
  features: number
  /** The features as the method saw them. */
  x: string
}

function createGraph(
  { options, summary, transform }: Setting,
  images: ImageFeatures | undefined,
  version: number | undefined,
): Graph {
  const writer = createGraphWriter(options.method, version)
  const d = summary.features
  let x = images
    ? imageFeatureOps(writer, writer.input(imagePort(images)), images)
    : writer.input({ name: 'features', type: 'float32', dims: ['rows', d] })
  // What a network gives may have more axes, and be of another precision.
  if (version !== undefined) {
    x = writer.op('Cast', [writer.op('Reshape', [x, writer.int64('row', [-1, d])])], { to: 1 })
  }
  if (options.missing === 'mean') {
    const gaps = writer.op('IsNaN', [x])
    x = writer.op('Where', [gaps, writer.constant('fill', [d], summary.mean), x])
  }
  if (transform.shift) x = writer.op('Sub', [x, writer.constant('shift', [d], transform.shift)])
  if (transform.scale) x = writer.op('Mul', [x, writer.constant('scale', [d], transform.scale)])
  return { ...writer, features: d, x }
}

const floats = (name: string, ...dims: (number | string)[]): EncodedPort => ({ name, type: 'float32', dims })
const labels: EncodedPort = { name: 'label', type: 'int64', dims: ['rows'] }

function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
  return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)])
}

/** |x - c|² by x·c, as the method chose: argmax of x·c - |c|²/2. */
function kmeansOps(graph: Graph, { k, centers }: ModelOf<'kmeans'>): void {
  const d = graph.features
  const halves = Float64Array.from({ length: k }, (_, c) => {
    const center = centers.subarray(c * d, (c + 1) * d).map(Math.fround)
    return -center.reduce((sum, value) => sum + value * value, 0) / 2
  })
  const turned = graph.constant('centers', [d, k], transposed(centers, k, d))
  const scores = graph.op('Gemm', [graph.x, turned, graph.constant('halves', [k], halves)])
  graph.output(labels, graph.op('ArgMax', [scores], { axis: 1, keepdims: 0 }))
  const squares = graph.reduce('ReduceSumSquare', graph.x, [1], 1)
  const twice = graph.op('Mul', [scores, graph.constant('two', [], [2])])
  const distance = graph.op('Relu', [graph.op('Sub', [squares, twice])])
  graph.output(floats('distances', 'rows', k), graph.op('Sqrt', [distance]))
}

function mixtureOps(graph: Graph, model: ModelOf<'gmm'>): void {
  const { k, covariance } = model
  const { distances, determinants } = covariance === 'full' ? fullDistances(graph, model) : plainDistances(graph, model)
  const constants = determinants.map(
    (determinant, c) => Math.log(model.weights[c]) - (graph.features / 2) * Math.log(2 * Math.PI) + determinant,
  )
  const halves = graph.op('Mul', [distances, graph.constant('half', [], [-0.5])])
  const logs = graph.op('Add', [halves, graph.constant('constants', [k], constants)])
  graph.output(labels, graph.op('ArgMax', [logs], { axis: 1, keepdims: 0 }))
  graph.output(floats('probabilities', 'rows', k), graph.op('Softmax', [logs], { axis: 1 }))
  const likelihood = graph.reduce('ReduceLogSumExp', logs, [1], 0)
  graph.output(floats('log_likelihood', 'rows'), likelihood)
}

/** [rows, k] by a factor for each component. */
function fullDistances(graph: Graph, { k, means, covariances }: ModelOf<'gmm'>) {
  const d = graph.features
  const factors = new Float64Array(k * d * d)
  const determinants: number[] = []
  for (let c = 0; c < k; c++) {
    const { factor, logDeterminant } = precisionFactor(covariances.subarray(c * d * d, (c + 1) * d * d), d)
    factors.set(factor, c * d * d)
    determinants.push(logDeterminant)
  }
  const all = graph.unsqueeze(graph.x, [0])
  const off = graph.op('Sub', [all, graph.constant('means', [k, 1, d], means)])
  const z = graph.op('MatMul', [off, graph.constant('factors', [k, d, d], factors)])
  const squares = graph.reduce('ReduceSumSquare', z, [2], 0)
  return { distances: graph.op('Transpose', [squares], { perm: [1, 0] }), determinants }
}

/** [rows, k] by features that are independent, after one factor for all where there is one. */
function plainDistances(graph: Graph, { k, covariance, means, covariances }: ModelOf<'gmm'>) {
  const d = graph.features
  let [x, points] = [graph.x, means]
  let determinants = new Array<number>(k).fill(0)
  if (covariance === 'tied') {
    const { factor, logDeterminant } = precisionFactor(covariances, d)
    x = graph.op('MatMul', [x, graph.constant('factor', [d, d], factor)])
    points = Float64Array.from({ length: k * d }, (_, at) => {
      let sum = 0
      for (let i = 0; i < d; i++) sum += means[Math.floor(at / d) * d + i] * factor[i * d + (at % d)]
      return sum
    })
    determinants = determinants.map(() => logDeterminant)
  }
  const all = graph.unsqueeze(x, [1])
  let off = graph.op('Sub', [all, graph.constant('means', [1, k, d], points)])
  if (covariance !== 'tied') {
    const variance = (c: number, i: number) => (covariance === 'diag' ? covariances[c * d + i] : covariances[c])
    const inverse = Float64Array.from({ length: k * d }, (_, at) => 1 / Math.sqrt(variance(Math.floor(at / d), at % d)))
    determinants = determinants.map((_, c) => {
      const logs = inverse.subarray(c * d, (c + 1) * d).map(Math.log)
      return logs.reduce((sum, value) => sum + value, 0)
    })
    off = graph.op('Mul', [off, graph.constant('inverse', [1, k, d], inverse)])
  }
  return { distances: graph.reduce('ReduceSumSquare', off, [2], 0), determinants }
}

function linearOps(graph: Graph, model: ModelOf<'softmax' | 'svm' | 'linear'>, { summary }: Setting): void {
  const d = graph.features
  const { outputs } = model
  const weights = graph.constant('weights', [d, outputs], transposed(model.weights, outputs, d))
  const scores = graph.op('Gemm', [graph.x, weights, graph.constant('bias', [outputs], model.bias)])
  if (model.kind === 'linear') return graph.output(floats('prediction', 'rows', 1), scores)
  assert(summary.label.kind === 'class', 'a classifier has classes')
  const place = graph.op('ArgMax', [scores], { axis: 1, keepdims: 0 })
  const { names } = summary.label
  const classes = names.map(Number)
  if (names.every((name, i) => name.trim() !== '' && Number.isSafeInteger(classes[i]))) {
    graph.output(labels, graph.op('Gather', [graph.int64('classes', classes), place], { axis: 0 }))
  } else {
    const table = { keys_int64s: names.map((_, i) => i), values_strings: { strings: names } }
    graph.output({ ...labels, type: 'string' }, graph.mlOp('LabelEncoder', [place], table))
  }
  if (model.kind === 'svm') return graph.output(floats('scores', 'rows', outputs), scores)
  graph.output(floats('probabilities', 'rows', outputs), graph.op('Softmax', [scores], { axis: 1 }))
}

function componentOps(graph: Graph, { components, directions }: ModelOf<'pca'>): void {
  const d = graph.features
  const turned = graph.constant('directions', [d, components], transposed(directions, components, d))
  graph.output(floats('components', 'rows', components), graph.op('MatMul', [graph.x, turned]))
}
