import { encode } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { blockId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/jobs/wire/envelope.ts'
import { messageIn, messageOut } from '../../../src/jobs/wire/messages.ts'
import { everyMessage, id } from './samples.ts'

const none = new Map()

function refused(run: () => unknown): PeerError {
  try {
    run()
  } catch (thrown) {
    if (thrown instanceof PeerError) return thrown
    throw thrown
  }
  throw new Error('it was accepted')
}

test('every message comes back as it was', () => {
  const random = prng(1)
  for (let round = 0; round < 50; round++) {
    const messages = everyMessage(random)
    expect(decodeEnvelope(encodeEnvelope(messages, none)).messages).toEqual(messages)
  }
})

test('blocks travel beside messages, named by what they are', () => {
  const bytes = [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(limits.blockBytes)]
  const blocks = new Map(bytes.map(block => [blockId(block), block]))
  expect(decodeEnvelope(encodeEnvelope([], blocks)).blocks).toEqual(blocks)
  const lie = new Map([[id('something else'), Uint8Array.of(9)]])
  expect([...decodeEnvelope(encodeEnvelope([], lie)).blocks.keys()]).toEqual([blockId(Uint8Array.of(9))])
})

test('a full inventory fits into one request', () => {
  const count = limits.messageShardsMax
  const results = Array.from({ length: count }, (_, i) => ({ shard: 900_000 + i, block: id('x'), errors: 65_536 }))
  const working = results.map(result => result.shard)
  const ballot = { counter: 1, peer: 'x'.repeat(52) }
  const message = {
    type: 'inventory',
    job: id('j'),
    ballot,
    results,
    working,
    manifest: { count: 0 },
    complete: false,
  } as const
  const bytes = encodeEnvelope([message], none)
  expect(bytes.length).toBeLessThan(limits.messageBytesMax / 2)
  expect(decodeEnvelope(bytes).messages).toEqual([message])
})

describe('what breaks the rules is a PeerError of kind protocol', () => {
  test('bytes that are no CBOR, cut short, too long or nested without end', () => {
    const whole = encodeEnvelope(everyMessage(prng(2)), none)
    const deep = new Uint8Array(1_000_000).fill(0x81)
    for (const bytes of [
      new Uint8Array(0),
      Uint8Array.of(255),
      whole.slice(0, -1),
      new Uint8Array(limits.messageBytesMax + 1),
      deep,
    ]) {
      expect(refused(() => decodeEnvelope(bytes)).kind).toBe('protocol')
    }
  })

  test('an unknown type and an unknown version', () => {
    expect(refused(() => messageIn({ type: 'gossip', job: new Uint8Array(32) })).message).toContain('type is one of')
    expect(refused(() => messageIn({ type: 'toString', job: new Uint8Array(32) })).kind).toBe('protocol')
    expect(refused(() => decodeEnvelope(encode({ version: 1, messages: [], blocks: [] }))).kind).toBe('protocol')
  })

  test('every field of every message, when it is missing or of another type', () => {
    let tried = 0
    for (const message of everyMessage(prng(3))) {
      const out = messageOut(message)
      for (const key of Object.keys(out)) {
        for (const wrong of [undefined, null, -1, 1.5, 'x'.repeat(5000), {}, new Uint8Array(31)]) {
          if (wrong === undefined && ['reason', 'outcome', 'end', 'round', 'missing', 'unfit'].includes(key)) continue
          if (wrong === 1.5 && key === 'leaseMs') continue
          expect(refused(() => messageIn({ ...out, [key]: wrong })).kind).toBe('protocol')
          tried++
        }
      }
    }
    expect(tried).toBeGreaterThan(300)
  })

  test.each([
    ['a shard beyond the bound', { shards: [limits.shardsMax] }],
    ['too many shards', { shards: new Array(limits.messageShardsMax + 1).fill(0) }],
    ['a ballot counter that cannot be counted on', { ballot: [2 ** 50, 'p'] }],
    ['a ballot of nobody', { ballot: [1, ''] }],
    ['a first round that is named', { round: [0, new Uint8Array(32)] }],
    ['a later round without parameters', { round: [3] }],
    ['more rounds than there may be', { round: [limits.roundsMax + 1, new Uint8Array(32)] }],
    ['a head without a count', { manifest: [0, new Uint8Array(32)] }],
    ['a count without a head', { manifest: [3] }],
    ['a lease of negative time', { leaseMs: -5 }],
  ])('%s', (_name, change) => {
    const ballot = { counter: 1, peer: 'p' }
    const grant = messageOut({ type: 'grant', job: id('j'), ballot, shards: [1], leaseMs: 1, manifest: { count: 0 } })
    expect(messageIn(grant).type).toBe('grant')
    expect(refused(() => messageIn({ ...grant, ...change })).kind).toBe('protocol')
  })

  test('columns of different length, and a final outcome without a result', () => {
    const results = { shards: [1, 2], blocks: new Uint8Array(64), errors: [0] }
    expect(refused(() => messageIn({ type: 'results', job: new Uint8Array(32), ballot: [1, 'p'], results })).kind).toBe(
      'protocol',
    )
    const outcome = { phase: 0, ballot: [1, 'p'] }
    expect(refused(() => messageIn({ type: 'outcome', job: new Uint8Array(32), outcome })).kind).toBe('protocol')
  })

  test('random damage never gets past as anything else', () => {
    const random = prng(4)
    const whole = encodeEnvelope(everyMessage(random), new Map([[id('b'), Uint8Array.of(1, 2, 3)]]))
    for (let round = 0; round < 500; round++) {
      const bytes = whole.slice()
      for (let n = 1 + random.int(4); n > 0; n--) bytes[random.int(bytes.length)] = random.int(256)
      try {
        decodeEnvelope(bytes)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(PeerError)
      }
    }
  })

  test('a request that would be too large is not sent', () => {
    const blocks = new Map(Array.from({ length: 5 }, (_, i) => [id(`${i}`), new Uint8Array(limits.blockBytes).fill(i)]))
    expect(refused(() => encodeEnvelope([], blocks)).code).toBe('MESSAGE_TOO_LARGE')
  })
})
