/** Since when peers are away. A peer that restarts or sleeps is back soon: what it holds counts until it was away too long. */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Mesh } from '../../mesh/types.ts'

export interface Absences {
  /** Milliseconds since the peer left; 0 while it is here. One that was never here left when this peer began. */
  awayMs(peer: PeerKey): number
  /** Away for less than `graceMs`: they may be back. */
  pending(graceMs: number): boolean
  /** Those away for longer, each of them named once until it was back. */
  lapsed(graceMs: number): PeerKey[]
  stop(): void
}

/** `came`: a peer is here that was not before. */
export function createAbsences(mesh: Mesh, came: (peer: PeerKey) => void): Absences {
  const beganMs = performance.now()
  const here = new Set<PeerKey>()
  const left = new Map<PeerKey, { atMs: number; named: boolean }>()
  const offDown = mesh.on('down', peer => {
    here.delete(peer)
    if (!left.has(peer)) left.set(peer, { atMs: performance.now(), named: false })
    // The one that left first is forgotten first, and then counts as away since the beginning.
    for (const oldest of left.keys()) {
      if (left.size <= limits.peersMax) break
      left.delete(oldest)
    }
  })
  const offUp = mesh.on('up', ({ peer, connected }) => {
    if (!connected || here.has(peer)) return
    here.add(peer)
    left.delete(peer)
    came(peer)
  })
  for (const { peer, connected } of mesh.peers()) if (connected) here.add(peer)
  return {
    awayMs(peer) {
      const gone = left.get(peer)
      if (gone) return performance.now() - gone.atMs
      return here.has(peer) ? 0 : performance.now() - beganMs
    },
    pending: graceMs => [...left.values()].some(({ atMs }) => performance.now() - atMs < graceMs),
    lapsed(graceMs) {
      const peers: PeerKey[] = []
      for (const [peer, gone] of left) {
        if (gone.named || performance.now() - gone.atMs < graceMs) continue
        gone.named = true
        peers.push(peer)
      }
      return peers
    },
    stop() {
      offDown()
      offUp()
    },
  }
}
