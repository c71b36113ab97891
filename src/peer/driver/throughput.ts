/** Items a second over the last shards, while there was work: pauses between jobs do not count. */

export interface Throughput {
  /** Work begins after a pause. */
  begin(): void
  done(items: number): void
  /** What is known from before, or 0, until two shards were done. */
  itemsPerSecond(): number
}

/** The window: long enough to be steady, short enough to follow a change of job. */
const shardsMax = 16

/** @param known items a second from an earlier run */
export function createThroughput(known = 0, nowMs: () => number = () => performance.now()): Throughput {
  let marks: { atMs: number; items: number }[] = []
  let last = known

  function measured(): number {
    const elapsedMs = (marks.at(-1)?.atMs ?? 0) - (marks[0]?.atMs ?? 0)
    // The first mark is where the window opens: its own items were done before it.
    const items = marks.slice(1).reduce((sum, mark) => sum + mark.items, 0)
    return elapsedMs > 0 ? (items / elapsedMs) * 1000 : 0
  }

  return {
    begin() {
      last = measured() || last
      marks = [{ atMs: nowMs(), items: 0 }]
    },
    done(items) {
      marks.push({ atMs: nowMs(), items })
      if (marks.length > shardsMax) marks.shift()
    },
    itemsPerSecond: () => (marks.length > 2 ? measured() : last || measured()),
  }
}
