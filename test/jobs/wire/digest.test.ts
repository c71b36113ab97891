import { decode, encode } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { type Prng, prng } from '../../../src/base/prng.ts'
import { packBits, unpackBits } from '../../../src/jobs/wire/bitmap.ts'
import { decodeDigest, encodeDigest } from '../../../src/jobs/wire/digest.ts'
import { id, sampleDigest } from './samples.ts'

/** Bitmaps as they occur: a done prefix with holes, by `share`. */
function bitmap(random: Prng, bytes: number, share: number): Uint8Array {
  const bits = new Uint8Array(bytes)
  for (let bit = 0; bit < bytes * 8; bit++) if (random.next() < share) bits[bit >> 3] |= 1 << (bit & 7)
  return bits
}

describe('the bitmap', () => {
  test('comes back as it was, and never takes more bytes than it has', () => {
    const random = prng(1)
    for (const bytes of [0, 1, 2, 7, 8, 9, 31, 1000]) {
      for (const share of [0, 0.001, 0.02, 0.5, 0.98, 1]) {
        const bits = bitmap(random, bytes, share)
        const packed = packBits(bits)
        expect(unpackBits(packed)).toEqual(bits)
        expect(packed.bytes.length).toBeLessThanOrEqual(bits.length)
      }
    }
  })

  test('long runs are short', () => {
    const bits = new Uint8Array(125_000).fill(255, 0, 60_000)
    const packed = packBits(bits)
    expect(packed.bytes.length).toBeLessThan(10)
    expect(unpackBits(packed)).toEqual(bits)
  })

  test('runs that do not fill it, overflow it or never end are refused', () => {
    for (const bytes of [[], [7], [9], [8, 1], [255, 255, 255, 255, 1], [128]]) {
      expect(() => unpackBits({ size: 1, runs: true, bytes: Uint8Array.from(bytes) })).toThrow(PeerError)
    }
    expect(() => unpackBits({ size: 2, runs: false, bytes: Uint8Array.of(1) })).toThrow(PeerError)
  })
})

test('a digest comes back as it was', () => {
  const digests = [
    sampleDigest(),
    sampleDigest({ complete: false, manifest: { count: 0 }, done: new Uint8Array(0), shares: [] }),
    sampleDigest({ phase: 'final', outcome: { phase: 'final', ballot: { counter: 3, peer: 'p' }, result: id('r') } }),
    sampleDigest({
      phase: 'cancelled',
      ballot: { counter: 0, peer: '' },
      outcome: { phase: 'cancelled', ballot: { counter: 0, peer: '' } },
    }),
  ]
  for (const digest of digests) expect(decodeDigest(encodeDigest(digest))).toEqual(digest)
})

describe('at most gossipBytesMax', () => {
  const shares = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      peer: `12D3KooW${'x'.repeat(40)}${i}`,
      leased: 3,
      itemsDone: i,
      itemsPerSecond: 1.25,
    }))

  test('400,000 scattered shards and a hundred peers fit whole', () => {
    const digest = sampleDigest({ shards: 400_000, done: bitmap(prng(3), 50_000, 0.5), shares: shares(100) })
    const bytes = encodeDigest(digest)
    expect(bytes.length).toBeLessThanOrEqual(limits.gossipBytesMax)
    expect(decodeDigest(bytes)).toEqual(digest)
  })

  test('with more peers the busiest shares are kept, with more shards the bitmap is left out', () => {
    const many = encodeDigest(sampleDigest({ shares: shares(4096) }))
    expect(many.length).toBeLessThanOrEqual(limits.gossipBytesMax)
    const kept = decodeDigest(many).shares
    expect(kept).toHaveLength(128)
    expect(kept[0].itemsDone).toBe(4095)
    const wide = encodeDigest(
      sampleDigest({ shards: 1_000_000, shardsDone: 5, done: bitmap(prng(4), 125_000, 0.5), shares: shares(4096) }),
    )
    expect(wide.length).toBeLessThanOrEqual(limits.gossipBytesMax)
    expect(decodeDigest(wide)).toMatchObject({ done: new Uint8Array(0), shards: 1_000_000, shardsDone: 5 })
  })
})

test('every field of a digest, when it is missing or wrong, is refused', () => {
  const whole = decode<Record<string, unknown>>(encodeDigest(sampleDigest()))
  for (const key of Object.keys(whole)) {
    for (const wrong of [undefined, null, -1, {}, new Uint8Array(31)]) {
      const { [key]: _, ...rest } = whole
      const bytes = encode(wrong === undefined ? rest : { ...rest, [key]: wrong })
      expect(() => decodeDigest(bytes), `${key} ${wrong}`).toThrow(PeerError)
    }
  }
  expect(() => decodeDigest(new Uint8Array(limits.gossipBytesMax + 1))).toThrow(PeerError)
})
