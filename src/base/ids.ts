/** Names of things that travel: all are strings, so that they can be keys, be logged and be compared. */
import { createHash } from 'node:crypto'

/** A libp2p peer id in its usual base58 form, `12D3KooW…`. */
export type PeerKey = string

/** SHA-256 of a block's bytes, 64 lower-case hexadecimal digits. */
export type BlockId = string

/** A job's id is the block id of its signed spec. */
export type JobId = BlockId

export function blockId(bytes: Uint8Array): BlockId {
  return createHash('sha256').update(bytes).digest('hex')
}

const blockIdPattern = /^[0-9a-f]{64}$/

export function isBlockId(text: unknown): text is BlockId {
  return typeof text === 'string' && blockIdPattern.test(text)
}

/** What a person is shown and may type; commands accept any unambiguous prefix. */
export function shortId(id: string): string {
  return id.slice(0, 8)
}

/** The end of a peer id is what differs between peers. */
export function shortPeer(peer: PeerKey): string {
  return peer.length > 14 ? `${peer.slice(0, 8)}…${peer.slice(-4)}` : peer
}
