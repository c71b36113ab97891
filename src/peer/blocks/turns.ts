/** Work that other peers ask for: so much at a time for each of them, and what one asks for beyond that waits its turn. */
import type { PeerKey } from '../../base/ids.ts'

/** @param most at a time for one peer */
export function createTurns(most: number): <T>(peer: PeerKey, work: () => Promise<T>) => Promise<T> {
  const busy = new Map<PeerKey, { now: number; next: (() => void)[] }>()
  return async (peer, work) => {
    const turn = busy.get(peer) ?? { now: 0, next: [] }
    busy.set(peer, turn)
    if (turn.now >= most) await new Promise<void>(resolve => turn.next.push(resolve))
    else turn.now++
    try {
      return await work()
    } finally {
      const next = turn.next.shift()
      if (next) next()
      else if (--turn.now === 0) busy.delete(peer)
    }
  }
}
