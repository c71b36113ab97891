import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { prng } from '../../../src/base/prng.ts'
import type { JobKept } from '../../../src/jobs/core/types.ts'
import { decodeKept, decodeKeptResults, encodeKept, encodeKeptResults } from '../../../src/jobs/wire/kept.ts'
import { id, sampleDigest } from './samples.ts'

const least: JobKept = {
  priority: 0,
  startedMs: 1.5,
  ballot: { counter: 0, peer: '' },
  specKnown: false,
  known: { count: 0 },
  target: { count: 0 },
  complete: false,
  endedMs: 0,
}
const outcome = { phase: 'final', ballot: { counter: 2, peer: 'b' }, result: id('result') } as const
const most: JobKept = {
  ...least,
  owner: 'a',
  priority: 7,
  ballot: { counter: 3, peer: 'a' },
  specKnown: true,
  known: { count: 1, head: id('m0') },
  target: { count: 2, head: id('m1') },
  complete: true,
  offers: 4,
  outcome,
  seen: sampleDigest({ outcome, phase: 'final' }),
}

test('a kept job and kept results come back as they were', () => {
  expect(decodeKept(encodeKept(least))).toEqual(least)
  expect(decodeKept(encodeKept(most))).toEqual(most)
  const results = [0, 7, 999_999].map(shard => ({ shard, block: id(`${shard}`), errors: shard % 5 }))
  expect(decodeKeptResults(encodeKeptResults(results))).toEqual(results)
  expect(decodeKeptResults(encodeKeptResults([]))).toEqual([])
})

test('a damaged record is a PeerError, whatever byte is hurt', () => {
  const random = prng(5)
  for (const whole of [encodeKept(most), encodeKeptResults([{ shard: 1, block: id('x'), errors: 0 }])]) {
    for (let n = 0; n < 2000; n++) {
      const bytes = whole.slice(0, random.next() < 0.3 ? random.int(whole.length) : whole.length)
      if (bytes.length > 0) bytes[random.int(bytes.length)] ^= 1 << random.int(8)
      for (const decode of [decodeKept, decodeKeptResults]) {
        try {
          decode(bytes)
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(PeerError)
        }
      }
    }
  }
})
