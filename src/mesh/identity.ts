/**
 * Who a peer is: an Ed25519 key pair. The peer key embeds the public key, so that whoever knows a peer's
 * name can check its signatures and no directory of keys is needed.
 *
 * Source: RFC 8032 (Ed25519); libp2p's peer id specification (identity multihash of the public key's protobuf).
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import { privateKeyFromProtobuf, privateKeyFromRaw, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'

/** Ed25519's signature length, in bytes. */
export const signatureBytes = 64

const seedBytes = 32
/** RFC 8410: what stands before the seed in an Ed25519 private key. */
const pkcs8Ed25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A fresh Ed25519 private key in libp2p's protobuf form. Secret: store it with mode 0600. */
export function createIdentity(): Uint8Array {
  const { d, x } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  if (d === undefined || x === undefined) throw new Error('broken invariant: an Ed25519 key exports as d and x')
  const raw = Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')])
  return privateKeyToProtobuf(privateKeyFromRaw(raw))
}

/**
 * The key behind `identity`, as libp2p wants it.
 * Throws PeerError `BAD_IDENTITY` when the bytes are not an Ed25519 private key.
 */
export function identityKey(identity: Uint8Array): Ed25519PrivateKey {
  let cause: unknown
  try {
    const key = privateKeyFromProtobuf(identity)
    if (key.type === 'Ed25519' && isWhole(key.raw)) return key
  } catch (thrown) {
    cause = thrown
  }
  throw new PeerError({
    code: 'BAD_IDENTITY',
    kind: 'input',
    message:
      "this peer's identity is damaged: restore it from a backup, or delete it: this peer is a new one then, which does not own the jobs of the old one",
    cause,
  })
}

/** libp2p takes the public half as it stands: damage would make signatures that nobody takes. */
function isWhole(raw: Uint8Array): boolean {
  const pkcs8 = Buffer.concat([pkcs8Ed25519, raw.subarray(0, seedBytes)])
  const { x } = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  })
  return x === base64url(raw.subarray(seedBytes))
}

/** The public name that goes with `identity`. Throws PeerError `BAD_IDENTITY`. */
export function peerKeyOf(identity: Uint8Array): PeerKey {
  return peerIdFromPrivateKey(identityKey(identity)).toString()
}

/** Whether `text` is the name of a peer with an Ed25519 key: the only kind that this mesh has. */
export function isPeerKey(text: unknown): text is PeerKey {
  return typeof text === 'string' && publicKeyOf(text) !== undefined
}

/** `bytes` signed by `identity`: 64 bytes. Throws PeerError `BAD_IDENTITY`. */
export function sign(identity: Uint8Array, bytes: Uint8Array): Uint8Array {
  const raw = identityKey(identity).raw
  const key = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'OKP',
      crv: 'Ed25519',
      d: base64url(raw.subarray(0, seedBytes)),
      x: base64url(raw.subarray(seedBytes)),
    },
  })
  return new Uint8Array(signBytes(null, bytes, key))
}

/** Whether `peer` signed `bytes`. False, never a throw, for whatever malformed input. */
export function verify(peer: PeerKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  const raw = publicKeyOf(peer)
  if (raw === undefined || signature.byteLength !== signatureBytes) return false
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: base64url(raw) } })
  return verifyBytes(null, bytes, key, signature)
}

/** 52 characters is what an Ed25519 peer id has in base58; a bound before it is decoded. */
const peerKeyCharsMax = 64

function publicKeyOf(peer: PeerKey): Uint8Array | undefined {
  if (peer.length > peerKeyCharsMax) return undefined
  try {
    const id = peerIdFromString(peer)
    // The text must be the canonical one, or one peer would have several names.
    return id.type === 'Ed25519' && id.toString() === peer ? id.publicKey.raw : undefined
  } catch {
    return undefined
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
