/** Virtual time: what is to happen, earliest first; at one moment in the order in which it was planned. A binary heap. */

interface Planned {
  atMs: number
  order: number
  run: () => void
}

export interface Clock {
  nowMs(): number
  after(delayMs: number, run: () => void): void
  /** Does the next thing; false when there is none left before `untilMs`. */
  step(untilMs: number): boolean
}

export function createClock(startMs: number): Clock {
  const heap: Planned[] = []
  let nowMs = startMs
  let orders = 0
  const before = (a: Planned, b: Planned) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

  function push(one: Planned): void {
    let at = heap.push(one) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(one, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = one
  }

  function pop(): Planned {
    const top = heap[0]
    const last = heap.pop()!
    if (heap.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return top
  }

  return {
    nowMs: () => nowMs,
    after(delayMs, run) {
      push({ atMs: nowMs + Math.max(0, delayMs), order: orders++, run })
    },
    step(untilMs) {
      if (heap.length === 0 || heap[0].atMs > untilMs) return false
      const next = pop()
      nowMs = next.atMs
      next.run()
      return true
    },
  }
}
