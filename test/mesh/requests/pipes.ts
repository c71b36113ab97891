/** Two pipes joined in memory: what one writes, the other gets later, in pieces that a seed chooses. */
import { prng } from '../../../src/base/prng.ts'
import type { Pipe, PipeUser } from '../../../src/mesh/requests/pipe.ts'

export interface PipePair {
  near: Pipe
  far: Pipe
}

/** `holdBytes`: a pipe says that it is full while this much is on its way. */
export function pipePair(seed: number, holdBytes: number): PipePair {
  const random = prng(seed)
  const users: (PipeUser | undefined)[] = [undefined, undefined]
  let over = false

  function close(reason?: Error): void {
    if (over) return
    over = true
    setImmediate(() => {
      for (const user of users) user?.closed(reason)
    })
  }

  function end(from: 0 | 1): Pipe {
    const queue: Uint8Array[] = []
    let bytes = 0
    let full = false
    const deliver = () => {
      const next = queue.shift()
      if (!next || over) return
      const cut = Math.min(next.byteLength, 1 + random.int(random.pick([3, 100, 70_000, 300_000])))
      if (cut < next.byteLength) queue.unshift(next.subarray(cut))
      bytes -= cut
      try {
        users[1 - from]?.data(next.subarray(0, cut))
      } catch (thrown) {
        close(thrown instanceof Error ? thrown : new Error(String(thrown)))
      }
      if (full && bytes < holdBytes / 2) {
        full = false
        users[from]?.drained()
      }
      if (queue.length > 0) setImmediate(deliver)
    }
    return {
      write(pieces) {
        if (over) return false
        if (queue.length === 0) setImmediate(deliver)
        for (const piece of pieces) {
          if (piece.byteLength > 0) queue.push(piece)
          bytes += piece.byteLength
        }
        full = bytes >= holdBytes
        return !full
      },
      attach(user) {
        users[from] = user
      },
      abort: close,
    }
  }
  return { near: end(0), far: end(1) }
}
