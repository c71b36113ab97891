/**
 * Strided walks over tensors, brought to the fixed rank that kernels take. Axes of size 1 vanish and axes that
 * every operand walks in one go are joined, so that most broadcasts and transposes become two or three axes;
 * what is left is padded with axes of size 1 in front.
 */
import { PeerError } from '../../base/errors.ts'
import type { Shape } from './shape.ts'

/** How many axes the kernels `binary` and `copy` walk. */
export const walkRank = 6

export interface Walk {
  /** `walkRank` sizes, outermost first. */
  dims: number[]
  /** For each operand `walkRank` strides in elements; 0 repeats, negative walks backwards. */
  strides: number[][]
}

/** `dims` and `strides` without axes of size 1, and with axes that all operands walk in one go joined. */
export function joinAxes(
  dims: Shape,
  strides: readonly (readonly number[])[],
): { dims: number[]; strides: number[][] } {
  const outDims: number[] = []
  const outStrides: number[][] = strides.map(() => [])
  for (let axis = 0; axis < dims.length; axis++) {
    if (dims[axis] === 1) continue
    const last = outDims.length - 1
    const joins = last >= 0 && strides.every((list, operand) => outStrides[operand][last] === list[axis] * dims[axis])
    if (joins) {
      outDims[last] *= dims[axis]
      strides.forEach((list, operand) => {
        outStrides[operand][last] = list[axis]
      })
    } else {
      outDims.push(dims[axis])
      strides.forEach((list, operand) => {
        outStrides[operand].push(list[axis])
      })
    }
  }
  return { dims: outDims, strides: outStrides }
}

/**
 * Joins and pads axes without changing the order in which elements are visited.
 * @param strides one list for each operand, as long as `dims`
 * @throws PeerError MODEL_RANK when more than `walkRank` axes remain
 */
export function collapse(dims: Shape, strides: readonly (readonly number[])[]): Walk {
  const { dims: outDims, strides: outStrides } = joinAxes(dims, strides)
  if (outDims.length > walkRank) {
    throw new PeerError({
      code: 'MODEL_RANK',
      kind: 'model',
      message: `a tensor operation walks ${outDims.length} separate axes and this program walks at most ${walkRank}; simplify the model`,
    })
  }
  const missing = walkRank - outDims.length
  return {
    dims: [...new Array<number>(missing).fill(1), ...outDims],
    strides: outStrides.map(list => [...new Array<number>(missing).fill(0), ...list]),
  }
}
