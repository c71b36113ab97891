/** What a peer of a test says of itself. */
import type { PeerStatus } from '../../src/mesh/types.ts'

export function statusOf(name: string, more: Partial<PeerStatus> = {}): PeerStatus {
  return { name, version: '0', device: 'none', backend: 'wasm', slots: 1, itemsPerSecond: 0, load: 0, ...more }
}
