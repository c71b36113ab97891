/**
 * Local binary patterns: which of a pixel's 8 neighbours are at least as bright as it. Patterns with at most two changes around
 * the circle count by their number of ones, 0 to 8; all others are the tenth. Shares of each by cell of the pixels that have all
 * neighbours.
 *
 * Source: Ojala, Pietikäinen and Mäenpää, 2002 (LBP riu2), with the neighbours themselves in place of a circle's points.
 */
import type { GraphWriter } from '../export/graph.ts'
import { binOps, greyOps, stepOps } from './steps.ts'

export interface LbpOptions {
  height: number
  width: number
  channels: number
  cell?: number
}

const neighbours = 8
/** Features of one cell. */
export const patterns = neighbours + 2
/** Places in 3 x 3 around the circle. */
const circle = [5, 2, 1, 0, 3, 6, 7, 8]

/** Whether one cell holds the whole image. */
export function lbpWhole({ height, width, cell }: Pick<LbpOptions, 'height' | 'width' | 'cell'>): boolean {
  return cell === undefined || (cell >= height - 2 && cell >= width - 2)
}

/** Cells of an image that has more than one. */
export function lbpCells({ height, width, cell = 1 }: Pick<LbpOptions, 'height' | 'width' | 'cell'>): number {
  return Math.floor((height - 2) / cell) * Math.floor((width - 2) / cell)
}

export function lbpOps(graph: GraphWriter, image: string, { height, width, channels, cell }: LbpOptions): string {
  const grey = greyOps(graph, image, channels)
  const kernels = new Float32Array(neighbours * 9)
  circle.forEach((place, i) => {
    kernels[i * 9 + place] = 1
    kernels[i * 9 + 4] = -1
  })
  const bits = stepOps(graph, graph.op('Conv', [grey, graph.constant('neighbours', [neighbours, 1, 3, 3], kernels)]))
  const changes = new Float32Array(neighbours * neighbours)
  for (let i = 0; i < neighbours; i++) {
    changes[i * neighbours + i] = 1
    changes[i * neighbours + ((i + 1) % neighbours)] = -1
  }
  const turns = graph.op('Abs', [
    graph.op('Conv', [bits, graph.constant('changes', [neighbours, neighbours, 1, 1], changes)]),
  ])
  const all = graph.constant('all', [1, neighbours, 1, 1], new Float32Array(neighbours).fill(1))
  const uneven = graph.op('Greater', [graph.op('Conv', [turns, all]), graph.constant('even', [], [2.5])])
  const ones = graph.op('Conv', [bits, all])
  const pattern = graph.op('Where', [uneven, graph.constant('other', [], [patterns - 1]), ones])
  const edges = patterns - 1
  const inputs = [
    pattern,
    graph.constant('ones', [edges, 1, 1, 1], new Float32Array(edges).fill(1)),
    graph.constant(
      'halves',
      [edges],
      Float32Array.from({ length: edges }, (_, i) => -(i + 0.5)),
    ),
  ]
  const chosen = binOps(graph, stepOps(graph, graph.op('Conv', inputs)), 1, patterns)
  if (cell === undefined || lbpWhole({ height, width, cell })) {
    return graph.op('Flatten', [graph.op('GlobalAveragePool', [chosen])], { axis: 1 })
  }
  const cells = graph.op('AveragePool', [chosen], { kernel_shape: [cell, cell], strides: [cell, cell] })
  return graph.op('Flatten', [graph.op('Transpose', [cells], { perm: [0, 2, 3, 1] })], { axis: 1 })
}
