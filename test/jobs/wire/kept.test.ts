import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { JobKept } from '../../../src/jobs/core/types.ts'
import { decodeKept, decodeKeptResults, encodeKept, encodeKeptResults } from '../../../src/jobs/wire/kept.ts'
import { id, sampleDigest } from './samples.ts'

const rumour: JobKept = {
  priority: 0,
  startedMs: 1_700_000_000_000.5,
  ballot: { counter: 0, peer: '' },
  specKnown: false,
  known: { count: 0 },
  target: { count: 0 },
  complete: false,
  endedMs: 0,
}
const running: JobKept = {
  ...rumour,
  owner: '12D3KooWowner',
  priority: 3,
  ballot: { counter: 7, peer: '12D3KooWleader' },
  specKnown: true,
  known: { count: 2, head: id('a') },
  target: { count: 3, head: id('b') },
  offers: 4,
}
const ended: JobKept = {
  ...running,
  complete: true,
  outcome: { phase: 'final', ballot: running.ballot, result: id('result') },
  endedMs: 1_700_000_000_001,
  seen: sampleDigest({ phase: 'final', outcome: { phase: 'final', ballot: running.ballot, result: id('result') } }),
}

test('a record says after a restart what it said before', () => {
  for (const kept of [rumour, running, ended]) expect(decodeKept(encodeKept(kept))).toEqual(kept)
  const results = [
    { shard: 12, block: id('x'), errors: 3 },
    { shard: 7, block: id('y'), errors: 0 },
  ]
  expect(decodeKeptResults(encodeKeptResults(results))).toEqual(results)
  // The digest of a job without an owner could not be read again.
  const orphan = { ...ended, owner: undefined }
  expect(decodeKept(encodeKept(orphan)).seen).toBeUndefined()
})

test('whatever bytes there are, reading gives a record or one typed error', () => {
  const random = prng(5)
  const good = encodeKept(ended)
  let refused = 0
  for (let n = 0; n < 2000; n++) {
    const bytes = good.slice(0, n % 3 === 0 ? random.int(good.length) : good.length)
    for (let k = 0; k < 1 + random.int(3); k++) bytes[random.int(Math.max(1, bytes.length))] = random.int(256)
    for (const read of [() => decodeKept(bytes), () => decodeKeptResults(bytes)]) {
      try {
        read()
      } catch (thrown) {
        expect(thrown).toMatchObject({ name: 'PeerError', kind: 'protocol' })
        refused++
      }
    }
  }
  expect(refused).toBeGreaterThan(2000)
})
