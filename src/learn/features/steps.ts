/** Pieces that features share: grey values, counts of what lies between thresholds. */
import type { GraphWriter } from '../export/graph.ts'

/** [rows, 1, height, width]: luminance as scikit-image's rgb2gray has it (ITU-R BT.709); grey images stay. */
export function greyOps(graph: GraphWriter, image: string, channels: number): string {
  if (channels === 1) return image
  return graph.op('Conv', [image, graph.constant('luminance', [1, 3, 1, 1], [0.2125, 0.7154, 0.0721])])
}

/** 1 where a value is at least 0, else 0. */
export function stepOps(graph: GraphWriter, values: string): string {
  const zero = graph.constant('zero', [], [0])
  return graph.op('Cast', [graph.op('GreaterOrEqual', [values, zero])], { to: 1 })
}

/**
 * From steps at rising thresholds, [rows, groups * (bins - 1), …], to which bin each value lies in, [rows, groups * bins, …]: 1 in
 * that bin's channel, 0 in the others. A bin's share is its step less the next one.
 */
export function binOps(graph: GraphWriter, steps: string, groups: number, bins: number): string {
  const edges = bins - 1
  const weights = new Float32Array(groups * bins * edges)
  const bias = new Float32Array(groups * bins)
  for (let g = 0; g < groups; g++) {
    for (let bin = 0; bin < bins; bin++) {
      const at = (g * bins + bin) * edges
      if (bin > 0) weights[at + bin - 1] = 1
      else bias[g * bins] = 1
      if (bin < edges) weights[at + bin] = -1
    }
  }
  const inputs = [
    steps,
    graph.constant('bins', [groups * bins, edges, 1, 1], weights),
    graph.constant('first', [groups * bins], bias),
  ]
  return graph.op('Conv', inputs, { group: groups })
}
