/**
 * One request between two peers: stream messages in the order in which they were said, and blocks that travel beside
 * them. A block's id is not sent but computed from the bytes, so that a block that arrives is what its id says.
 */
import { type BlockId, blockId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { StreamMessage } from '../core/types.ts'
import { byteString, decodeValue, encodeValue, fields, invalid, list } from './fields.ts'
import { messageIn, messageOut } from './messages.ts'
import { tooLarge } from './parts.ts'

const version = 2

export interface Envelope {
  messages: StreamMessage[]
  /** By the hash of their bytes. */
  blocks: Map<BlockId, Uint8Array>
}

/** At most `limits.messageBytesMax` bytes; throws PeerError when it would be more. */
export function encodeEnvelope(
  messages: readonly StreamMessage[],
  blocks: ReadonlyMap<BlockId, Uint8Array>,
): Uint8Array {
  const bytes = encodeValue({ version, messages: messages.map(messageOut), blocks: [...blocks.values()] })
  if (bytes.byteLength > limits.messageBytesMax) throw tooLarge('a request', bytes.byteLength, limits.messageBytesMax)
  return bytes
}

/** Throws PeerError of kind `protocol`. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const map = fields(decodeValue(bytes, limits.messageBytesMax), 'request')
  if (map.version !== version) throw invalid(`version is ${version}`, map.version)
  const blocks = list(map.blocks, limits.messageShardsMax, 'blocks', item =>
    byteString(item, limits.blockBytesMax, 'block'),
  )
  return {
    messages: list(map.messages, limits.envelopeMessagesMax, 'messages', messageIn),
    blocks: new Map(blocks.map(block => [blockId(block), block])),
  }
}
