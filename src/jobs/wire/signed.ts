/** A statement and its author's signature, as one block: `[statement, signature]`, signed over the statement's own bytes. */
import { PeerError } from '../../base/errors.ts'
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { byteString, decodeValue, encodeValue, invalid } from './fields.ts'
import { tooLarge } from './parts.ts'

/** Signs with this peer's key. */
export type Sign = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
/** Whether `peer` signed `bytes`. */
export type Verify = (peer: PeerKey, bytes: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>

/** Ed25519 signatures have 64 bytes; room for other keys. */
const signatureBytesMax = 1024

/** What is signed begins with its purpose, so that a signature for one kind of statement is none for another. */
function signedBytes(purpose: string, statement: Uint8Array): Uint8Array {
  const prefix = new TextEncoder().encode(`shardmesh ${purpose}\n`)
  const bytes = new Uint8Array(prefix.length + statement.length)
  bytes.set(prefix)
  bytes.set(statement, prefix.length)
  return bytes
}

/** One block of at most `limits.blockBytesMax`; throws PeerError when the statement is larger. */
export async function encodeSigned(purpose: string, statement: unknown, sign: Sign): Promise<Uint8Array> {
  const bytes = encodeValue(statement)
  const block = encodeValue([bytes, await sign(signedBytes(purpose, bytes))])
  if (block.byteLength > limits.blockBytesMax) throw tooLarge(`a ${purpose}`, block.byteLength, limits.blockBytesMax)
  return block
}

/** The statement, once its signature by `author(statement)` holds. Throws PeerError: `protocol` or `integrity`. */
export async function decodeSigned<T>(
  purpose: string,
  block: Uint8Array,
  verify: Verify,
  read: (statement: unknown) => T,
  author: (statement: T) => PeerKey,
): Promise<T> {
  const pair = decodeValue(block, limits.blockBytesMax)
  if (!Array.isArray(pair) || pair.length !== 2) throw invalid(`a ${purpose} is a statement and a signature`, pair)
  const bytes = byteString(pair[0], limits.blockBytesMax, 'statement')
  const signature = byteString(pair[1], signatureBytesMax, 'signature')
  const statement = read(decodeValue(bytes, limits.blockBytesMax))
  if (await verify(author(statement), signedBytes(purpose, bytes), signature)) return statement
  throw new PeerError({
    code: 'SIGNATURE_INVALID',
    kind: 'integrity',
    message: `a ${purpose} is not signed by ${author(statement)}, whom it names: do not use it`,
  })
}
