/**
 * Weights in the order in which the tiles of assembly/tile.ts read them. Packing moves values and adds zeros; it computes
 * nothing, so a result does not depend on it.
 */
import type { KernelParams } from '../../kernels/index.ts'
import type { KernelArray } from '../../tensor/dtype.ts'

/** Rows of a full tile (`TILE_ROWS`) and its columns (`TILE_COLUMNS`). */
export const tileRows = 6
export const tileColumns = 8

export interface Packing {
  /** Equal weights packed with equal tags are stored once. */
  tag: string
  elements: number
  pack(from: KernelArray, to: Float32Array): void
}

/** conv2d's filters: in each group panels of 6 filters [taps][6], the last as wide as what remains. */
export function packFilters(params: KernelParams['conv2d']): Packing {
  const { filters, groups, channels, kernelH, kernelW } = params
  const taps = (channels / groups) * kernelH * kernelW
  const perGroup = filters / groups
  return {
    tag: `filters ${tileRows} ${groups} ${perGroup} ${taps}`,
    elements: filters * taps,
    pack(from, to) {
      let at = 0
      for (let group = 0; group < groups; group++) {
        for (let first = 0; first < perGroup; first += tileRows) {
          const rows = Math.min(tileRows, perGroup - first)
          for (let tap = 0; tap < taps; tap++)
            for (let row = 0; row < rows; row++) to[at++] = from[(group * perGroup + first + row) * taps + tap]
        }
      }
    },
  }
}

/** gemm's fixed matrix: panels of 8 columns [k][8], filled up with zeros. */
export function packColumns(params: KernelParams['gemm']): Packing {
  const { n, k, transposeB } = params
  const panels = Math.ceil(n / tileColumns)
  return {
    tag: `columns ${tileColumns} ${n} ${k} ${transposeB}`,
    elements: panels * k * tileColumns,
    pack(from, to) {
      let at = 0
      for (let first = 0; first < panels * tileColumns; first += tileColumns)
        for (let l = 0; l < k; l++)
          for (let j = first; j < first + tileColumns; j++)
            to[at++] = j < n ? from[transposeB ? j * k + l : l * n + j] : 0
    },
  }
}
