/**
 * Features of images as ONNX operators: oriented gradients, colours, local patterns. So they run on every backend that runs
 * networks, alone (an embedding) or in front of a classifier that was trained on them, in one file.
 *
 * The input is `image` [rows, channels, height, width], 0 to 1; the output is one row of features an image.
 */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { type EncodedPort, encodeModel } from '../../compute/onnx/encode.ts'
import { createGraphWriter, type GraphWriter } from '../export/graph.ts'
import { colourHistogramOps } from './colour-histogram.ts'
import { hogOps } from './hog.ts'
import { lbpCells, lbpOps, lbpWhole, patterns } from './lbp.ts'

/** Longer sides of images whose features are taken; larger ones are resized before. */
const sideMax = 4096
const side = z.int().min(1).max(sideMax)
const few = z.int().min(1).max(256)
const common = {
  height: side,
  width: side,
  /** 3: RGB; 1: grey. */ channels: z.union([z.literal(1), z.literal(3)]).default(3),
}

const schema = z.discriminatedUnion('kind', [
  /** Dalal and Triggs, 2005, as scikit-image's `hog` with block_norm L2-Hys. */
  z.strictObject({
    kind: z.literal('hog'),
    ...common,
    orientations: z.int().min(2).max(36).default(9),
    /** Pixels of a square cell's side. */
    cell: few.default(8),
    /** Cells of a square block's side. */
    block: few.default(2),
  }),
  /** Shares of the pixels whose byte is in each of `bins` equal parts of 0..255, channel by channel. */
  z.strictObject({ kind: z.literal('color-histogram'), ...common, bins: z.int().min(2).max(256).default(32) }),
  /** Ojala, Pietikäinen and Mäenpää, 2002: shares of the ten rotation invariant uniform patterns of 8 neighbours, by cell. */
  z.strictObject({
    kind: z.literal('lbp'),
    ...common,
    /** Pixels of a square cell's side; default: the whole image is one. */
    cell: z.int().min(1).max(sideMax).optional(),
  }),
])

export type ImageFeatures = z.output<typeof schema>
/** As a caller writes them: what has a default may be left out. */
export type ImageFeaturesInit = z.input<typeof schema>

/** @throws PeerError FEATURES_BAD_OPTIONS */
export function parseImageFeatures(init: unknown): ImageFeatures {
  const parsed = schema.safeParse(init)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    if (issue.code === 'unrecognized_keys') {
      const kind = String((init as { kind?: unknown }).kind)
      throw badFeatures(issue.keys[0], `${kind} has no such option: leave it out`)
    }
    throw badFeatures(issue.path.map(String).join('.') || 'kind', issue.message.split('\n')[0])
  }
  const options = parsed.data
  const length = featureCount(options)
  if (!(length >= 1)) throw badFeatures('cell', 'an image has no room for one block of cells; take smaller ones')
  if (length > limits.tableColumnsMax) {
    throw badFeatures(
      'cell',
      `gives ${length} features, at most ${limits.tableColumnsMax} are taken; take larger cells or images`,
    )
  }
  return options
}

function badFeatures(option: string, problem: string): PeerError {
  return new PeerError({
    code: 'FEATURES_BAD_OPTIONS',
    kind: 'input',
    message: `the features' option ${option}: ${problem}`,
    details: { option },
  })
}

/** Features of one image. */
export function featureCount(options: ImageFeatures): number {
  const { height, width } = options
  if (options.kind === 'color-histogram') return options.channels * options.bins
  if (options.kind === 'lbp') {
    if (Math.min(height, width) < 3) return 0
    return patterns * (lbpWhole(options) ? 1 : lbpCells(options))
  }
  const { cell, block, orientations } = options
  const along = (pixels: number) => Math.max(0, Math.floor(pixels / cell) - block + 1)
  return along(height) * along(width) * block * block * orientations
}

/** Names of the features, as columns of a table. */
export function featureNames(options: ImageFeatures): string[] {
  return Array.from({ length: featureCount(options) }, (_, i) => `${options.kind}${i}`)
}

export function imagePort({ channels, height, width }: ImageFeatures): EncodedPort {
  return { name: 'image', type: 'float32', dims: ['rows', channels, height, width] }
}

/** The ops from the tensor `image` to the features [rows, count]; returns its name. */
export function imageFeatureOps(graph: GraphWriter, image: string, options: ImageFeatures): string {
  if (options.kind === 'hog') return hogOps(graph, image, options)
  if (options.kind === 'lbp') return lbpOps(graph, image, options)
  return colourHistogramOps(graph, image, options)
}

/** A network of its own whose output `features` [rows, count] are the features. */
export function exportFeatures(options: ImageFeatures): Uint8Array {
  const graph = createGraphWriter(options.kind)
  const features = imageFeatureOps(graph, graph.input(imagePort(options)), options)
  graph.output({ name: 'features', type: 'float32', dims: ['rows', featureCount(options)] }, features)
  return encodeModel(graph.finish({ 'shardmesh.features': JSON.stringify(options) }))
}
