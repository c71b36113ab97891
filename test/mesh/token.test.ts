/** Join tokens: what goes in comes out; whatever is damaged, cut or foreign is one clear line. */
import { createHash } from 'node:crypto'
import { encode } from '@ipld/dag-cbor'
import { expect, test } from 'vitest'
import { PeerError } from '../../src/base/errors.ts'
import { createSecret, serviceTag } from '../../src/mesh/admission.ts'
import { createIdentity, peerKeyOf } from '../../src/mesh/identity.ts'
import { decodeToken, encodeToken, meshName, tokenAddressesMax } from '../../src/mesh/token.ts'

const address = `/ip4/192.168.1.20/tcp/4601/p2p/${peerKeyOf(createIdentity())}`

function errorOf(text: string): PeerError {
  try {
    decodeToken(text)
  } catch (thrown) {
    if (thrown instanceof PeerError) return thrown
    throw thrown
  }
  throw new Error(`decoded: ${text}`)
}

/** A token whose checksum is right, whatever it holds. */
function forge(secret: Uint8Array, payload: Uint8Array): string {
  const sum = createHash('sha256').update(payload).digest().subarray(0, 4)
  return `${meshName(secret)}.${Buffer.concat([payload, sum]).toString('base64url')}`
}

test('a token comes back as it was, with white space and quotes around it', () => {
  for (const addresses of [[], [address], [address, '/ip6/::1/tcp/1', '/dns4/fig.local/tcp/4601']]) {
    const secret = createSecret()
    const text = encodeToken({ secret, addresses })
    expect(text.startsWith(`${meshName(secret)}.`)).toBe(true)
    expect(decodeToken(text)).toEqual({ secret, addresses })
    expect(decodeToken(` "${text.slice(0, 30)}\n${text.slice(30)}"\n`)).toEqual({ secret, addresses })
  }
  const many = encodeToken({ secret: createSecret(), addresses: Array.from({ length: 40 }, () => address) })
  expect(decodeToken(many).addresses).toHaveLength(tokenAddressesMax)
})

test('every mistyped character and every cut is noticed', () => {
  const text = encodeToken({ secret: createSecret(), addresses: [address] })
  for (let i = 0; i < text.length; i++) {
    const other = text[i] === 'A' ? 'B' : 'A'
    const mistyped = text.slice(0, i) + other + text.slice(i + 1)
    // The last character of base64 may carry bits that decode to nothing.
    if (Buffer.from(mistyped.split('.')[1] ?? '', 'base64url').equals(Buffer.from(text.split('.')[1], 'base64url'))) {
      if (mistyped.split('.')[0] === text.split('.')[0]) continue
    }
    expect(errorOf(mistyped), mistyped).toMatchObject({ kind: 'input', code: 'TOKEN_INVALID' })
    expect(errorOf(text.slice(0, i)).code).toBe('TOKEN_INVALID')
  }
  expect(errorOf('x'.repeat(1_000_000)).message).not.toContain('\n')
})

test('a name that is not the secret’s, a foreign version and foreign contents are told apart', () => {
  const secret = createSecret()
  const other = createSecret()
  const text = encodeToken({ secret, addresses: [] })
  if (meshName(other) !== meshName(secret)) {
    expect(errorOf(text.replace(/^[^.]+/, meshName(other))).message).toContain(meshName(secret))
  }
  expect(errorOf(forge(secret, encode({ v: 2, anything: true })))).toMatchObject({
    code: 'TOKEN_VERSION',
    kind: 'input',
  })
  const bad: unknown[] = [
    null,
    [],
    { v: 1 },
    { v: 1, secret: secret.subarray(1), addresses: [] },
    { v: 1, secret, addresses: [new Uint8Array([1, 2, 3])] },
    { v: 1, secret, addresses: Array.from({ length: 100 }, () => new Uint8Array(1)) },
  ]
  for (const value of bad) expect(errorOf(forge(secret, encode(value))).code).toBe('TOKEN_INVALID')
  expect(errorOf(forge(secret, new Uint8Array([0xff, 0xff]))).code).toBe('TOKEN_INVALID')
})

test('names and mDNS tags follow from the secret, and do not show it', () => {
  const secret = createSecret()
  expect(meshName(secret)).toMatch(/^[a-z]+-[a-z]+$/)
  expect(meshName(secret)).toBe(meshName(secret.slice()))
  expect(serviceTag(secret)).not.toBe(serviceTag(createSecret()))
  expect(serviceTag(secret)).not.toContain(Buffer.from(secret).toString('hex').slice(0, 8))
  // A DNS label has at most 63 characters.
  expect(serviceTag(secret).split('.')[0].length).toBeLessThanOrEqual(63)
  const names = new Set(Array.from({ length: 300 }, () => meshName(createSecret())))
  expect(names.size).toBeGreaterThan(200)
})
