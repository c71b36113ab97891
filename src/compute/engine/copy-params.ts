/** The params of `copy` for two strided walks in step. */
import type { KernelParams } from '../kernels/index.ts'
import type { Shape } from '../tensor/shape.ts'
import { collapse } from '../tensor/strides.ts'

/** Elements from the buffer's start, and elements for one step along each axis. */
export interface Place {
  offset: number
  strides: readonly number[]
}

export function copyParams(dims: Shape, from: Place, to: Place): KernelParams['copy'] {
  const { dims: d, strides } = collapse(dims, [from.strides, to.strides])
  const [x, y] = strides
  return {
    ...{ dim0: d[0], dim1: d[1], dim2: d[2], dim3: d[3], dim4: d[4], dim5: d[5], offsetX: from.offset },
    ...{ strideX0: x[0], strideX1: x[1], strideX2: x[2], strideX3: x[3], strideX4: x[4], strideX5: x[5] },
    offsetY: to.offset,
    ...{ strideY0: y[0], strideY1: y[1], strideY2: y[2], strideY3: y[3], strideY4: y[4], strideY5: y[5] },
  }
}
