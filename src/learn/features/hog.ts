/**
 * Histograms of oriented gradients. A pixel's gradient goes, by its magnitude, to the one orientation that it falls into; cells
 * are averaged; overlapping blocks of cells are brought to length 1, cut at 0.2 and brought to length 1 again (L2-Hys).
 *
 * The orientation comes without an arc tangent: turned into the upper half-plane, a gradient is beyond an angle where its cross
 * product with that direction is not negative.
 * Source: Dalal and Triggs, 2005; scikit-image's `hog`, to whose results it is held: order of features (block row, block
 * column, cell row, cell column, orientation), central differences that are 0 at the border.
 */
import type { GraphWriter } from '../export/graph.ts'
import { binOps, greyOps, stepOps } from './steps.ts'

export interface HogOptions {
  height: number
  width: number
  channels: number
  orientations: number
  cell: number
  block: number
}

/** scikit-image's. */
const [epsilon, highest] = [1e-5, 0.2]

export function hogOps(graph: GraphWriter, image: string, options: HogOptions): string {
  const { orientations, cell } = options
  const { across, down } = gradientOps(graph, greyOps(graph, image, options.channels), options)
  const squares = graph.op('Add', [graph.op('Mul', [across, across]), graph.op('Mul', [down, down])])
  const magnitude = graph.op('Sqrt', [squares])
  const oriented = graph.op('Mul', [orientationOps(graph, across, down, orientations), magnitude])
  const cells = graph.op('AveragePool', [oriented], { kernel_shape: [cell, cell], strides: [cell, cell] })
  return blockOps(graph, cells, options)
}

function gradientOps(
  graph: GraphWriter,
  grey: string,
  { height, width }: HogOptions,
): { across: string; down: string } {
  const mask = (axis: 'row' | 'column') =>
    Float32Array.from({ length: height * width }, (_, at) => {
      const [row, column] = [Math.floor(at / width), at % width]
      const edge = axis === 'row' ? row === 0 || row === height - 1 : column === 0 || column === width - 1
      return edge ? 0 : 1
    })
  const along = (name: string, kernel: readonly number[], inside: Float32Array) => {
    const difference = graph.op('Conv', [grey, graph.constant(name, [1, 1, 3, 3], kernel)], { pads: [1, 1, 1, 1] })
    return graph.op('Mul', [difference, graph.constant(`${name}-inside`, [1, 1, height, width], inside)])
  }
  return {
    across: along('across', [0, 0, 0, -1, 0, 1, 0, 0, 0], mask('column')),
    down: along('down', [0, -1, 0, 0, 0, 0, 0, 1, 0], mask('row')),
  }
}

/** [rows, orientations, height, width]: 1 where a pixel's gradient has that orientation. */
function orientationOps(graph: GraphWriter, across: string, down: string, orientations: number): string {
  const level = graph.op('Equal', [down, graph.constant('level', [], [0])])
  const turned = graph.op('Mul', [across, graph.op('Sign', [down])])
  // A level gradient is at 0 degrees whichever way it points.
  const x = graph.op('Where', [level, graph.op('Abs', [across]), turned])
  const vectors = graph.op('Concat', [x, graph.op('Abs', [down])], { axis: 1 })
  const edges = orientations - 1
  const directions = Float64Array.from({ length: 2 * edges }, (_, at) => {
    const angle = ((Math.floor(at / 2) + 1) * Math.PI) / orientations
    // The larger one is 1, so that a diagonal's product is exactly 0 with fused multiply-adds too.
    const largest = Math.max(Math.abs(Math.sin(angle)), Math.abs(Math.cos(angle)))
    return (at % 2 === 0 ? -Math.sin(angle) : Math.cos(angle)) / largest
  })
  const crosses = graph.op('Conv', [vectors, graph.constant('directions', [edges, 2, 1, 1], directions)])
  return binOps(graph, stepOps(graph, crosses), 1, orientations)
}

/** cells [rows, orientations, down, across] -> features */
function blockOps(graph: GraphWriter, cells: string, { height, width, cell, block }: HogOptions): string {
  const [down, across] = [height, width].map(pixels => Math.floor(pixels / cell) - block + 1)
  const axes = graph.int64('cell-axes', [2, 3])
  const parts: string[] = []
  for (let i = 0; i < block; i++) {
    for (let j = 0; j < block; j++) {
      const starts = graph.int64('starts', [i, j])
      const ends = graph.int64('ends', [i + down, j + across])
      parts.push(graph.op('Slice', [cells, starts, ends, axes]))
    }
  }
  const joined = parts.length === 1 ? parts[0] : graph.op('Concat', parts, { axis: 1 })
  const cut = graph.op('Clip', [
    unitOps(graph, joined),
    graph.constant('lowest', [], [0]),
    graph.constant('highest', [], [highest]),
  ])
  return graph.op('Flatten', [graph.op('Transpose', [unitOps(graph, cut)], { perm: [0, 2, 3, 1] })], { axis: 1 })
}

/** Each block, along axis 1, over its length. */
function unitOps(graph: GraphWriter, blocks: string): string {
  const squares = graph.op('ReduceSumSquare', [blocks], { axes: [1], keepdims: 1 })
  const length = graph.op('Sqrt', [graph.op('Add', [squares, graph.constant('epsilon', [], [epsilon ** 2])])])
  return graph.op('Div', [blocks, length])
}
