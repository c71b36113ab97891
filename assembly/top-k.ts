/**
 * top-k: the k largest (or smallest) of each line in order, or their places.
 *
 * Shapes: x [outer, axis, inner], y [outer, k, inner]. Params: src/compute/kernels/top-k.ts. Scratch: two lists of places
 *         [axis], as 32-bit integers.
 * Numerics: exact; equal ones by their place, NaN behind every number.
 * Source: ONNX TopK. A few of many by insertion into a sorted list, else all by merging sorted runs.
 */
const PART_INDICES: u32 = 1

/** Up to so many are found by insertion. */
const INSERTION_MAX: u32 = 24

/** Whether b, whose place is higher, goes before a. */
// @ts-ignore: decorator
@inline
function overtakes(b: f32, a: f32, largest: u32): bool {
  if (a != a) return b == b
  return largest ? b > a : b < a
}

function insertAll(x: usize, step: u32, axis: u32, k: u32, largest: u32, list: usize): void {
  let count: u32 = 0
  for (let c: u32 = 0; c < axis; c++) {
    const value = load<f32>(x + c * step)
    let at = count
    while (at > 0 && overtakes(value, load<f32>(x + load<u32>(list + ((at - 1) << 2)) * step), largest)) {
      if (at < k) store<u32>(list + (at << 2), load<u32>(list + ((at - 1) << 2)))
      at--
    }
    if (at < k) store<u32>(list + (at << 2), c)
    if (count < k) count++
  }
}

/** Gives the list that holds the sorted places. */
function mergeAll(x: usize, step: u32, axis: u32, largest: u32, list: usize, other: usize): usize {
  for (let c: u32 = 0; c < axis; c++) store<u32>(list + (c << 2), c)
  for (let run: u32 = 1; run < axis; run <<= 1) {
    for (let first: u32 = 0; first < axis; first += run << 1) {
      const middle = min(first + run, axis), end = min(first + (run << 1), axis)
      let a = first, b = middle
      for (let at = first; at < end; at++) {
        let takeB = a == middle
        if (!takeB && b < end) {
          const left = load<f32>(x + load<u32>(list + (a << 2)) * step)
          takeB = overtakes(load<f32>(x + load<u32>(list + (b << 2)) * step), left, largest)
        }
        store<u32>(other + (at << 2), load<u32>(list + ((takeB ? b++ : a++) << 2)))
      }
    }
    const merged = other
    other = list
    list = merged
  }
  return list
}

export function topK(x: usize, y: usize, scratch: usize, outer: u32, axis: u32, inner: u32, k: u32, largest: u32, part: u32): void {
  const step = inner << 2
  for (let o: u32 = 0; o < outer; o++) {
    for (let i: u32 = 0; i < inner; i++) {
      const from = x + (i << 2), to = y + (i << 2)
      let list = scratch
      if (k <= INSERTION_MAX) insertAll(from, step, axis, k, largest, list)
      else list = mergeAll(from, step, axis, largest, list, scratch + (axis << 2))
      for (let rank: u32 = 0; rank < k; rank++) {
        const place = load<u32>(list + (rank << 2))
        if (part == PART_INDICES) store<f32>(to + rank * step, <f32>place)
        else store<u32>(to + rank * step, load<u32>(from + place * step))
      }
    }
    x += axis * step
    y += k * step
  }
}
