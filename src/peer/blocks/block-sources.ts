/**
 * Chooses the peer to ask for a block: counts the requests that are with each peer, and how often it had the block.
 * Invariant: at most `askedMax` requests are with one peer, so that the replies on their way fill a credit window of
 * 8 MiB and no more; requests that wait are served in turn, each by the first of its peers that is free.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'

export interface BlockSources {
  /**
   * Takes a place at one of `peers` (not empty, best candidate first); waits where all places are taken.
   * Rejects with `signal`'s reason.
   */
  take(peers: readonly PeerKey[], signal: AbortSignal): Promise<PeerKey>
  /** Gives the place back, and says whether the peer had the block. */
  give(peer: PeerKey, had: boolean): void
}

const windowBytes = 8 * 1024 * 1024
/** Blocks of the usual size in one window. */
export const askedMax = windowBytes / limits.blockBytes
/** How much of the old answers counts at each new one. */
const memory = 0.8
/** What is left of a peer that never had a block: it is asked when no other is left. */
const likelyMin = 0.05
/** A peer this much less likely than the best is not asked while that one is busy: waiting costs less than a miss. */
const likelyShare = 0.25
const peersRemembered = 1024

interface Load {
  asked: number
  /** That it has a block that it is asked for. */
  likely: number
}

interface Waiter {
  peers: readonly PeerKey[]
  go: (peer: PeerKey) => void
}

export function createBlockSources(): BlockSources {
  const loads = new Map<PeerKey, Load>()
  const waiters = new Set<Waiter>()

  const loadOf = (peer: PeerKey, place: number): Load => loads.get(peer) ?? { asked: 0, likely: place === 0 ? 1 : 0.5 }

  /** Index in `peers` of the one with the least load for its likelihood; the first of equals; -1 if all are busy. */
  function best(peers: readonly PeerKey[]): number {
    let found = -1
    let least = Number.POSITIVE_INFINITY
    const worth = likelyShare * Math.max(...peers.map((peer, place) => loadOf(peer, place).likely))
    for (const [place, peer] of peers.entries()) {
      const { asked, likely } = loadOf(peer, place)
      const cost = (asked + 1) / likely
      if (asked >= askedMax || likely < worth || cost >= least) continue
      found = place
      least = cost
    }
    return found
  }

  function occupy(peer: PeerKey, place: number): void {
    const load = loadOf(peer, place)
    load.asked++
    // Last in order: the one unused for longest is forgotten first.
    loads.delete(peer)
    loads.set(peer, load)
    if (loads.size <= peersRemembered) return
    for (const [old, { asked }] of loads) {
      if (asked > 0) continue
      loads.delete(old)
      return
    }
  }

  return {
    take(peers, signal) {
      if (signal.aborted) return Promise.reject(signal.reason)
      const place = best(peers)
      if (place >= 0) {
        occupy(peers[place], place)
        return Promise.resolve(peers[place])
      }
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          waiters.delete(waiter)
          reject(signal.reason)
        }
        const waiter: Waiter = {
          peers,
          go(peer) {
            signal.removeEventListener('abort', onAbort)
            resolve(peer)
          },
        }
        waiters.add(waiter)
        signal.addEventListener('abort', onAbort)
      })
    },
    give(peer, had) {
      const load = loads.get(peer)
      if (!load) return
      load.asked--
      load.likely = Math.max(likelyMin, memory * load.likely + (had ? 1 - memory : 0))
      for (const waiter of waiters) {
        const place = best(waiter.peers)
        if (place < 0) continue
        waiters.delete(waiter)
        occupy(waiter.peers[place], place)
        waiter.go(waiter.peers[place])
        return
      }
    },
  }
}
