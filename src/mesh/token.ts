/**
 * The join token: everything that another machine needs to join, in one line that can be pasted.
 * `amber-otter.` + base64url(dag-cbor {v, secret, addresses} + the first 4 bytes of its SHA-256), so that a
 * typing error is noticed before anything is dialled. Whoever holds a token is in the mesh: treat it as a password.
 */
import { createHash } from 'node:crypto'
import { decode, encode } from '@ipld/dag-cbor'
import { multiaddr } from '@multiformats/multiaddr'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import { secretBytes } from './admission.ts'
import { meshName } from './names.ts'

export { meshName } from './names.ts'

export interface Token {
  /** What admits to the mesh, 32 bytes. */
  secret: Uint8Array
  /** Multiaddrs to dial, may be none where mDNS finds the others; at most `tokenAddressesMax`. */
  addresses: string[]
}

/** A machine has a handful of addresses; more would make a token that nobody can paste. */
export const tokenAddressesMax = 16

const version = 1
const checksumBytes = 4
const tokenCharsMax = 8192
const addressBytesMax = 256

const payloadForm = z.object({
  v: z.literal(version),
  secret: z.instanceof(Uint8Array).refine(bytes => bytes.byteLength === secretBytes),
  addresses: z
    .array(z.instanceof(Uint8Array).refine(bytes => bytes.byteLength <= addressBytesMax))
    .max(tokenAddressesMax),
})

/** The token as a line of text; of more than `tokenAddressesMax` addresses, the first are kept. */
export function encodeToken(token: Token): string {
  const payload = encode({
    v: version,
    secret: token.secret,
    addresses: token.addresses.slice(0, tokenAddressesMax).map(address => multiaddr(address).bytes),
  })
  return `${meshName(token.secret)}.${Buffer.concat([payload, checksum(payload)]).toString('base64url')}`
}

/**
 * Reads a token, tolerating white space and quotes around it and line breaks that a terminal put inside.
 * Throws PeerError of kind `input`: `TOKEN_INVALID`, or `TOKEN_VERSION` for one from another shardmesh.
 */
export function decodeToken(text: string): Token {
  const line = text.slice(0, tokenCharsMax + 1).replace(/[\s'"]/g, '')
  const match = /^([a-z]+-[a-z]+)\.([A-Za-z0-9_-]+)$/.exec(line)
  if (!match || line.length > tokenCharsMax) {
    throw invalid('a join token looks like amber-otter.eyJ…; this is none')
  }
  const bytes = Buffer.from(match[2], 'base64url')
  const payload = bytes.subarray(0, Math.max(0, bytes.byteLength - checksumBytes))
  if (!checksum(payload).equals(bytes.subarray(payload.byteLength))) {
    throw invalid('the join token is incomplete or mistyped')
  }
  const token = readPayload(payload)
  const name = meshName(token.secret)
  if (name !== match[1]) throw invalid(`the join token says ${match[1]} but holds the secret of ${name}`)
  return token
}

function readPayload(payload: Uint8Array): Token {
  let value: unknown
  try {
    value = decode(payload)
  } catch (cause) {
    throw invalid('the join token cannot be read', cause)
  }
  const stated = z.object({ v: z.number() }).safeParse(value)
  if (stated.success && stated.data.v !== version) {
    throw new PeerError({
      code: 'TOKEN_VERSION',
      kind: 'input',
      message: `the join token is of version ${stated.data.v}, this shardmesh reads version ${version}: install the same release on both machines`,
      details: { expected: version, got: stated.data.v },
    })
  }
  const form = payloadForm.safeParse(value)
  if (!form.success) throw invalid('the join token cannot be read')
  try {
    const addresses = form.data.addresses.map(address => multiaddr(address).toString())
    // A copy of its own: dag-cbor hands out views into the decoded token.
    return { secret: form.data.secret.slice(), addresses }
  } catch (cause) {
    throw invalid('the join token holds an address that cannot be read', cause)
  }
}

function checksum(payload: Uint8Array): Buffer {
  return createHash('sha256').update(payload).digest().subarray(0, checksumBytes)
}

function invalid(what: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'TOKEN_INVALID',
    kind: 'input',
    message: `${what}: copy the whole line that \`peer token\` prints on a machine of the mesh`,
    cause,
  })
}
