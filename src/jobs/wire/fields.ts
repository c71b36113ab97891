/**
 * Reading what another peer wrote: every field is checked for its type and bound before it is used, and what breaks the
 * rules is one PeerError of kind `protocol`. Bytes are DAG-CBOR (https://ipld.io/specs/codecs/dag-cbor/spec/): one
 * encoding for each value, so that hashes and signatures are of the value. Ids travel as 32 raw bytes.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { PeerError } from '../../base/errors.ts'
import type { BlockId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'

export type Fields = Record<string, unknown>

/** A SHA-256 on the wire. */
const idBytes = 32
/** A peer id's text is 52 characters today; room for other key types. */
const peerCharsMax = 128

export function invalid(what: string, got?: unknown): PeerError {
  return new PeerError({
    code: 'MESSAGE_INVALID',
    kind: 'protocol',
    message: `a message from another peer breaks the rules: ${what}; check that every peer runs the same version`,
    details: { expected: what, got: typeof got },
  })
}

export function encodeValue(value: unknown): Uint8Array {
  return encode(value)
}

/** At most `bytesMax` bytes of DAG-CBOR. Throws PeerError. */
export function decodeValue(bytes: Uint8Array, bytesMax: number): unknown {
  if (bytes.byteLength > bytesMax) throw invalid(`at most ${bytesMax} bytes`)
  try {
    return decode(bytes)
  } catch (thrown) {
    throw new PeerError({
      code: 'MESSAGE_INVALID',
      kind: 'protocol',
      message: 'a message from another peer is not DAG-CBOR; check that every peer runs the same version',
      cause: thrown,
    })
  }
}

export function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw invalid(`${what} is a map`, value)
  }
  return Object.fromEntries(Object.entries(value))
}

/** A whole number from 0 to `max`. */
export function whole(value: unknown, max: number, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
    throw invalid(`${what} is a whole number up to ${max}`, value)
  }
  return value
}

/** A finite number, not negative: rates and times. */
export function amount(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw invalid(`${what} is not negative`, value)
  return value
}

export function flag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${what} is true or false`, value)
  return value
}

export function text(value: unknown, charsMax: number, what: string): string {
  if (typeof value !== 'string' || value.length > charsMax) throw invalid(`${what} is text up to ${charsMax}`, value)
  return value
}

export function reason(value: unknown): string | undefined {
  return value === undefined ? undefined : text(value, limits.reasonCharsMax, 'reason')
}

export function peerKey(value: unknown, what: string): PeerKey {
  const peer = text(value, peerCharsMax, what)
  if (peer.length === 0) throw invalid(`${what} is a peer`, value)
  return peer
}

export function byteString(value: unknown, bytesMax: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.byteLength > bytesMax) throw invalid(`${what} is up to ${bytesMax} bytes`)
  return value
}

export function list<T>(value: unknown, max: number, what: string, each: (item: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > max) throw invalid(`${what} is a list of at most ${max}`, value)
  return value.map(each)
}

export function idOut(id: BlockId): Uint8Array {
  return new Uint8Array(Buffer.from(id, 'hex'))
}

export function idIn(value: unknown, what: string): BlockId {
  const bytes = byteString(value, idBytes, what)
  if (bytes.byteLength !== idBytes) throw invalid(`${what} is ${idBytes} bytes`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Many ids as one byte string. */
export function idsOut(ids: readonly BlockId[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * idBytes)
  ids.forEach((id, index) => {
    bytes.set(Buffer.from(id, 'hex'), index * idBytes)
  })
  return bytes
}

export function idsIn(value: unknown, countMax: number, what: string): BlockId[] {
  const bytes = byteString(value, countMax * idBytes, what)
  if (bytes.byteLength % idBytes !== 0) throw invalid(`${what} is whole ids`)
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  return Array.from({ length: bytes.byteLength / idBytes }, (_, i) => hex.slice(i * 2 * idBytes, (i + 1) * 2 * idBytes))
}

/** The map without absent fields: DAG-CBOR has no `undefined`. */
export function present(map: Fields): Fields {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined))
}
