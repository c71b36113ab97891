/**
 * Partial sums of shards merged through a tree that depends on the number of shards alone: neighbours first, then
 * neighbours of those. So the order in which they arrive, and who computed which, never shows in the bits.
 *
 * Memory: a partial waits only for its neighbour, so that in order of arrival there are log2(shards) at a time.
 */
import { assert } from '../base/errors.ts'

export interface MergeTree<T> {
  /** The partial of a shard; each shard once, in any order. */
  add(shard: number, partial: T): void
  /** The merge of all; every shard must have been added. */
  end(): T
}

/** @param shards how many there are, at least 1 */
export function createMergeTree<T>(shards: number, merge: (a: T, b: T) => T): MergeTree<T> {
  assert(Number.isInteger(shards) && shards >= 1, 'a tree has a shard')
  /** By level, then place; the last of an odd level goes up alone. */
  const waiting = new Map<string, T>()
  const seen = new Set<number>()
  let root: { value: T } | undefined

  const settle = (level: number, place: number, width: number, value: T): void => {
    if (width === 1) {
      root = { value }
      return
    }
    const up = Math.ceil(width / 2)
    const sibling = place ^ 1
    if (sibling >= width) return settle(level + 1, place >> 1, up, value)
    const key = `${level} ${sibling}`
    const other = waiting.get(key)
    if (other === undefined) {
      waiting.set(`${level} ${place}`, value)
      return
    }
    waiting.delete(key)
    settle(level + 1, place >> 1, up, place < sibling ? merge(value, other) : merge(other, value))
  }

  return {
    add(shard, partial) {
      assert(Number.isInteger(shard) && shard >= 0 && shard < shards && !seen.has(shard), 'each shard counts once')
      seen.add(shard)
      settle(0, shard, shards, partial)
    },
    end() {
      assert(root, 'every shard was merged')
      return root.value
    },
  }
}
