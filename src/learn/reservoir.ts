/**
 * A fixed number of rows drawn from all rows, each with its weight: the rows with the smallest keys. Which rows are drawn
 * depends on the seed and the rows' places in the table, never on shards or on who looked first.
 *
 * Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006: -ln(u) / weight as key.
 */
import { type Arrays, type Layout, zeros } from './arrays.ts'

/** keys, rows [slots] (an infinite key: an empty slot), points [slots, columns]. */
export function reservoirLayout(slots: number, columns: number): Layout {
  return { keys: slots, rows: slots, points: slots * columns }
}

export function emptyReservoir(slots: number, columns: number): Arrays {
  const arrays = zeros(reservoirLayout(slots, columns))
  arrays.keys.fill(Number.POSITIVE_INFINITY)
  return arrays
}

/** Uniform in (0, 1), a function of its arguments alone. */
export function rowRandom(seed: number, round: number, row: number): number {
  const high = Math.floor(row / 4294967296)
  let h = mix(seed ^ 0x9e3779b9)
  h = mix(h ^ Math.imul(round + 1, 0x85ebca6b))
  h = mix(h ^ (row >>> 0))
  h = mix(h ^ Math.imul(high + 1, 0xc2b2ae35))
  const low = mix(h ^ 0x27d4eb2f)
  return ((h >>> 0) * 2097152 + (low >>> 11) + 0.5) / 9007199254740992
}

/** murmur3's avalanche. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

export interface Draw {
  /** Offers a row; `point` is read only if it is drawn. */
  offer(key: number, row: number, point: () => ArrayLike<number>): void
  finish(): Arrays
}

export function createDraw(slots: number, columns: number): Draw {
  const drawn: { key: number; row: number; point: ArrayLike<number> }[] = []
  return {
    offer(key, row, point) {
      if (!(key < Number.POSITIVE_INFINITY)) return
      const last = drawn[drawn.length - 1]
      if (drawn.length === slots && !before(key, row, last.key, last.row)) return
      let at = drawn.length
      while (at > 0 && before(key, row, drawn[at - 1].key, drawn[at - 1].row)) at--
      drawn.splice(at, 0, { key, row, point: Float64Array.from(point()) })
      if (drawn.length > slots) drawn.pop()
    },
    finish() {
      const arrays = emptyReservoir(slots, columns)
      drawn.forEach(({ key, row, point }, i) => {
        arrays.keys[i] = key
        arrays.rows[i] = row
        arrays.points.set(point, i * columns)
      })
      return arrays
    },
  }
}

function before(key: number, row: number, otherKey: number, otherRow: number): boolean {
  return key < otherKey || (key === otherKey && row < otherRow)
}

/** The smallest keys of two reservoirs of one size; both are sorted. */
export function mergeReservoirs(a: Arrays, b: Arrays): Arrays {
  const slots = a.keys.length
  const columns = a.points.length / slots
  const merged = emptyReservoir(slots, columns)
  let [i, j] = [0, 0]
  for (let to = 0; to < slots; to++) {
    const first = before(b.keys[j], b.rows[j], a.keys[i], a.rows[i]) ? b : a
    const at = first === b ? j++ : i++
    merged.keys[to] = first.keys[at]
    merged.rows[to] = first.rows[at]
    merged.points.set(first.points.subarray(at * columns, (at + 1) * columns), to * columns)
  }
  return merged
}
