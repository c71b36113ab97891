/** Joining axes must not change which elements are visited, nor their order. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { broadcastShape, broadcastStrides } from '../../../src/compute/tensor/broadcast.ts'
import { stridesOf } from '../../../src/compute/tensor/shape.ts'
import { collapse, walkRank } from '../../../src/compute/tensor/strides.ts'

/** All offsets of a walk, by the simplest loop. */
function offsets(dims: readonly number[], strides: readonly number[]): number[] {
  let all = [0]
  dims.forEach((dim, axis) => {
    all = all.flatMap(base => Array.from({ length: dim }, (_, i) => base + i * strides[axis]))
  })
  return all
}

test('collapse visits the same offsets in the same order', () => {
  const random = prng(3)
  for (let i = 0; i < 300; i++) {
    const dims = Array.from({ length: random.int(7) }, () => random.int(4))
    const operands = [0, 1].map(() => {
      const own = dims.map(dim => (random.int(3) ? dim : 1))
      return random.int(4) ? broadcastStrides(own, dims) : dims.map(() => random.int(9) - 4)
    })
    const walk = collapse(dims, operands)
    expect(walk.dims.length).toBe(walkRank)
    operands.forEach((strides, k) => {
      expect(offsets(walk.dims, walk.strides[k])).toEqual(offsets(dims, strides))
    })
  }
})

test('dense operands become one axis', () => {
  const { dims, strides } = collapse([2, 3, 4], [stridesOf([2, 3, 4]), stridesOf([2, 3, 4])])
  expect(dims).toEqual([1, 1, 1, 1, 1, 24])
  expect(strides[0]).toEqual([0, 0, 0, 0, 0, 1])
})

test('more separate axes than the kernels walk are refused', () => {
  const dims = [2, 2, 2, 2, 2, 2, 2]
  const spread = dims.map((_, axis) => 3 ** axis)
  expect(() => collapse(dims, [spread])).toThrow(/at most 6/)
})

test('shapes broadcast from the right, and only by ones', () => {
  expect(broadcastShape([[3, 1, 5], [4, 1], []], 'x')).toEqual([3, 4, 5])
  expect(broadcastShape([[0], [1]], 'x')).toEqual([0])
  expect(() => broadcastShape([[2], [3]], 'x')).toThrow(/cannot broadcast \[2\] with \[3\]/)
})
