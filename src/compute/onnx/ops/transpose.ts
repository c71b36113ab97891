/** Transpose, DepthToSpace, SpaceToDepth -> copy. */
import { elementsOf } from '../../tensor/shape.ts'
import { inputAt, inputOfRank, type LowerContext, type Lowering, mismatch, opError, reshaped } from '../lowering.ts'
import { emitTranspose } from './emit.ts'

export const transpose: Lowering = context => {
  const x = inputAt(context, 0)
  const order = context.op.attributes.ints('perm') ?? x.dims.map((_, axis) => x.dims.length - 1 - axis)
  if (order.length !== x.dims.length || x.dims.some((_, axis) => !order.includes(axis))) {
    throw mismatch(context, 'perm for a tensor of rank', `${x.dims.length}`, `[${order.join(', ')}]`)
  }
  return [emitTranspose(context, x, order)]
}

function blockSize(context: LowerContext): number {
  const size = context.op.attributes.int('blocksize', 0)
  if (!(size >= 1)) throw opError(context, `has the blocksize ${size}; check the model file`)
  return size
}

export const depthToSpace: Lowering = context => {
  const x = inputOfRank(context, 0, 4, 4)
  const [batch, channels, height, width] = x.dims
  const size = blockSize(context)
  const depth = channels / size / size
  if (!Number.isInteger(depth)) throw mismatch(context, 'channels that divide by', `${size * size}`, `${channels}`)
  const columnsFirst = context.op.attributes.string('mode', 'DCR') === 'CRD'
  const [dims, order] = columnsFirst
    ? [
        [batch, depth, size, size, height, width],
        [0, 1, 4, 2, 5, 3],
      ]
    : [
        [batch, size, size, depth, height, width],
        [0, 3, 4, 1, 5, 2],
      ]
  const moved = emitTranspose(context, reshaped(context, x, dims), order)
  return [reshaped(context, moved, [batch, depth, height * size, width * size])]
}

export const spaceToDepth: Lowering = context => {
  const x = inputOfRank(context, 0, 4, 4)
  const [batch, channels, height, width] = x.dims
  const size = blockSize(context)
  if (height % size !== 0 || width % size !== 0) {
    throw mismatch(context, 'height and width that divide by', `${size}`, `${height} x ${width}`)
  }
  const blocks = reshaped(context, x, [batch, channels, height / size, size, width / size, size])
  const moved = emitTranspose(context, blocks, [0, 3, 5, 1, 2, 4])
  const dims = [batch, channels * size * size, height / size, width / size]
  return [reshaped(context, moved, elementsOf(dims) === elementsOf(moved.dims) ? dims : moved.dims)]
}
