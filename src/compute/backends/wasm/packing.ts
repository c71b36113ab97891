/**
 * Weights in the order in which assembly/panels.ts and the kernels on it read them. Packing moves values and adds zeros and, but
 * for Winograd's filters, computes nothing.
 */
import type { KernelParams } from '../../kernels/index.ts'
import type { KernelArray } from '../../tensor/dtype.ts'

export interface Packing {
  /** Equal weights packed with equal tags are stored once. */
  tag: string
  elements: number
  pack(from: KernelArray, to: Float32Array): void
}

/** Columns of a panel of assembly/panels.ts; the last one is half as wide where that is enough. */
const panelColumns = 16

/** Elements of a [k][n] matrix as panels. */
export function panelElements(n: number, k: number): number {
  const rest = n % panelColumns
  return (n - rest + (rest === 0 ? 0 : rest <= panelColumns / 2 ? panelColumns / 2 : panelColumns)) * k
}

/**
 * Writes a [k][n] matrix as panels of 16 columns [k][16], the last [k][8] where at most 8 columns remain, filled up with zeros.
 * @param value of row l and column j
 */
function writePanels(to: Float32Array, at: number, n: number, k: number, value: (l: number, j: number) => number) {
  for (let first = 0; first < n; first += panelColumns) {
    const width = n - first > panelColumns / 2 ? panelColumns : panelColumns / 2
    for (let l = 0; l < k; l++) for (let j = 0; j < width; j++) to[at++] = first + j < n ? value(l, first + j) : 0
  }
}

/** gemm's fixed matrix as panels. */
export function packColumns(params: KernelParams['gemm']): Packing {
  const { n, k, transposeB } = params
  return {
    tag: `panels ${n} ${k} ${transposeB}`,
    elements: panelElements(n, k),
    pack: (from, to) => writePanels(to, 0, n, k, transposeB ? (l, j) => from[j * k + l] : (l, j) => from[l * n + j]),
  }
}

/** conv2d-channels-last's filters: for each group panels of its filters, rows in the order ky, kx, c. */
export function packFilterPanels(params: KernelParams['conv2d-channels-last']): Packing {
  const { filters, groups, channels, kernelH, kernelW } = params
  const [perGroup, length, taps] = [filters / groups, channels / groups, kernelH * kernelW]
  const k = length * taps
  const size = panelElements(perGroup, k)
  return {
    tag: `filter panels ${groups} ${perGroup} ${length} ${taps}`,
    elements: groups * size,
    pack(from, to) {
      for (let group = 0; group < groups; group++) {
        const first = group * perGroup * k
        writePanels(
          to,
          group * size,
          perGroup,
          k,
          (l, j) => from[first + j * k + (l % length) * taps + Math.floor(l / length)],
        )
      }
    },
  }
}

/** A depthwise convolution's filters: [kernelH][kernelW][channels]. */
export function packDepthwise(params: KernelParams['conv2d-channels-last']): Packing {
  const { channels, kernelH, kernelW } = params
  const taps = kernelH * kernelW
  return {
    tag: `depthwise ${channels} ${taps}`,
    elements: channels * taps,
    pack(from, to) {
      for (let c = 0; c < channels; c++)
        for (let tap = 0; tap < taps; tap++) to[tap * channels + c] = from[c * taps + tap]
    },
  }
}

/** G of Winograd's F(4, 3): [6][3]. */
const winogradG = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
]

/** Filters of 3 x 3 as G w G', in doubles and rounded once: 36 sets of panels [channels][filters]. */
export function packWinograd(params: KernelParams['conv2d-channels-last']): Packing {
  const { filters, channels } = params
  const size = panelElements(filters, channels)
  return {
    tag: `winograd 4 3 ${filters} ${channels}`,
    elements: 36 * size,
    pack(from, to) {
      const set = new Float32Array(filters * channels)
      for (let i = 0; i < 36; i++) {
        const [row, column] = [winogradG[Math.floor(i / 6)], winogradG[i % 6]]
        const factors = row.flatMap(r => column.map(c => r * c))
        for (let at = 0; at < set.length; at++) {
          let sum = 0
          for (let tap = 0; tap < 9; tap++) sum += factors[tap] * from[at * 9 + tap]
          set[at] = sum
        }
        writePanels(to, i * size, filters, channels, (l, j) => set[j * channels + l])
      }
    },
  }
}
