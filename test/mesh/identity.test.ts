/** Identities: names that embed the key, signatures that hold for the right bytes and key alone. */
import { expect, test } from 'vitest'
import { PeerError } from '../../src/base/errors.ts'
import { createIdentity, isPeerKey, peerKeyOf, sign, signatureBytes, verify } from '../../src/mesh/identity.ts'

test('an identity has one name, and no two have the same', () => {
  const identity = createIdentity()
  expect(peerKeyOf(identity)).toMatch(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/)
  expect(peerKeyOf(identity)).toBe(peerKeyOf(identity.slice()))
  expect(peerKeyOf(createIdentity())).not.toBe(peerKeyOf(identity))
})

test('a signature holds for its bytes and its signer alone', () => {
  const identity = createIdentity()
  const peer = peerKeyOf(identity)
  for (const bytes of [new Uint8Array(0), new Uint8Array([1]), new Uint8Array(70_000).fill(7)]) {
    const signature = sign(identity, bytes)
    expect(signature.byteLength).toBe(signatureBytes)
    expect(verify(peer, bytes, signature)).toBe(true)
    expect(verify(peerKeyOf(createIdentity()), bytes, signature)).toBe(false)
    expect(verify(peer, Uint8Array.from([...bytes.subarray(0, 9), 0]), signature)).toBe(false)
    const flipped = signature.slice()
    flipped[10] ^= 1
    expect(verify(peer, bytes, flipped)).toBe(false)
    expect(verify(peer, bytes, signature.subarray(1))).toBe(false)
  }
})

test('malformed names verify nothing', () => {
  const signature = new Uint8Array(signatureBytes)
  const qm = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N' // an RSA peer id embeds no key
  for (const name of ['', 'x', qm, '12D3KooW', 'z'.repeat(10_000), `${peerKeyOf(createIdentity())} `]) {
    expect(verify(name, new Uint8Array(1), signature)).toBe(false)
    expect(isPeerKey(name)).toBe(false)
  }
  expect(isPeerKey(peerKeyOf(createIdentity()))).toBe(true)
  expect(isPeerKey(7)).toBe(false)
})

test('a damaged identity is one clear error', () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(68), createIdentity().subarray(5)]) {
    expect(() => peerKeyOf(bytes)).toThrowError(PeerError)
    expect(() => sign(bytes, bytes)).toThrowError(/identity is damaged/)
  }
})
