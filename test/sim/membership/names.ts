/** Names of simulated peers: what looks like keys, as messages name nobody else; the same in every run. */
import { createHash } from 'node:crypto'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import type { PeerKey } from '../../../src/base/ids.ts'

const made: PeerKey[] = []

/** The first `count` of them. */
export function memberNames(count: number): PeerKey[] {
  while (made.length < count) {
    const key = publicKeyFromRaw(createHash('sha256').update(`member ${made.length}`).digest())
    made.push(peerIdFromPublicKey(key).toString())
  }
  return made.slice(0, count)
}
