/**
 * An operating error on its way to the requester: the server's PeerError arrives with the same code, kind,
 * message, retry and details. What comes from outside is checked and bounded before it becomes an error here.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { shortPeer } from '../../base/ids.ts'
import { violation } from './frames.ts'

const messageCharsMax = 2000
const detailsBytesMax = 16 * 1024

const form = z.object({
  code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
  kind: z.enum(['input', 'model', 'resource', 'transport', 'protocol', 'integrity', 'aborted']),
  message: z.string().max(messageCharsMax),
  retry: z.enum(['never', 'later', 'elsewhere']),
  details: z.record(z.string(), z.unknown()),
})

/** Whatever a handler threw, as a PeerError: itself, or `HANDLER_FAILED` around a bug. */
export function asHandlerError(thrown: unknown): PeerError {
  return PeerError.from(thrown, { code: 'HANDLER_FAILED', kind: 'protocol' })
}

/** At most some 20 KiB. Details that cannot travel are left out, never the error. */
export function encodeError(thrown: unknown): Uint8Array {
  const error = asHandlerError(thrown)
  const { code, kind, retry } = error
  const message = error.message.slice(0, messageCharsMax)
  let details: Record<string, unknown> = {}
  try {
    if (encode(error.details).byteLength <= detailsBytesMax) details = error.details
  } catch {
    // Not representable in dag-cbor (undefined, a function, a cycle).
  }
  return encode({ code, kind, message, retry, details })
}

/** The error that `peer` answered with; a PeerError `BAD_FRAME` when it is none. */
export function decodeError(bytes: Uint8Array, peer: string): PeerError {
  try {
    const error = form.parse(decode(bytes))
    return new PeerError({ ...error, details: { ...error.details, peer } })
  } catch {
    return violation(`an unreadable error from ${shortPeer(peer)}`)
  }
}
