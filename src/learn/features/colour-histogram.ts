/**
 * Shares of the pixels by the size of each channel's byte: `bins` equal parts of 0..256, as numpy.histogram has them.
 * Thresholds lie half-way between bytes, so that no rounding moves one.
 */
import type { GraphWriter } from '../export/graph.ts'
import { binOps, stepOps } from './steps.ts'

export interface ColourHistogramOptions {
  channels: number
  bins: number
}

export function colourHistogramOps(
  graph: GraphWriter,
  image: string,
  { channels, bins }: ColourHistogramOptions,
): string {
  const edges = bins - 1
  const ones = new Float32Array(channels * edges).fill(1)
  const thresholds = Float64Array.from({ length: channels * edges }, (_, at) => {
    const edge = Math.ceil((256 * ((at % edges) + 1)) / bins)
    return -(edge - 0.5) / 255
  })
  const inputs = [
    image,
    graph.constant('ones', [channels * edges, 1, 1, 1], ones),
    graph.constant('thresholds', [channels * edges], thresholds),
  ]
  const off = graph.op('Conv', inputs, { group: channels })
  const counted = graph.op('GlobalAveragePool', [binOps(graph, stepOps(graph, off), channels, bins)])
  return graph.op('Flatten', [counted], { axis: 1 })
}
