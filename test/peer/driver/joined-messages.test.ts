/** What is joined says the same as before, to the same peer, in the same order. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import type { Effect, StreamMessage } from '../../../src/jobs/core/types.ts'
import { joined, joinSends } from '../../../src/peer/driver/joined-messages.ts'

const job = 'a'.repeat(64)
const ballot = { counter: 1, peer: 'lead' }
const results = (...shards: number[]): StreamMessage => ({
  type: 'results',
  job,
  ballot,
  results: shards.map(shard => ({ shard, block: 'b'.repeat(64), errors: 0 })),
})
const ack = (...shards: number[]): StreamMessage => ({ type: 'results-ack', job, ballot, shards })

test('results and acknowledgements of one job, ballot and round become one; nothing else does', () => {
  expect(joined(results(1), results(2, 3))).toEqual(results(1, 2, 3))
  expect(joined(ack(1), ack(2))).toEqual(ack(1, 2))
  const others: StreamMessage[] = [
    ack(1),
    { ...results(1), job: 'c'.repeat(64) },
    { ...results(1), ballot: { counter: 2, peer: 'lead' } } as StreamMessage,
    { ...results(1), round: { round: 1, params: 'p' } } as StreamMessage,
    { type: 'renew', job, ballot, shards: [1] },
  ]
  for (const other of others) expect(joined(results(1), other)).toBeUndefined()
  const many = Array.from({ length: 10_000 }, (_, shard) => shard)
  expect(joined(ack(...many), ack(...many))).toBeUndefined()
})

test('every peer hears the same, shard by shard, and what is no message stays where it was', () => {
  const random = prng(7)
  for (let n = 0; n < 200; n++) {
    const effects = Array.from({ length: 30 }, (_, shard): Effect => {
      const to = ['x', 'y'][random.int(2)]
      const kind = random.int(5)
      if (kind === 0) return { type: 'changed', job }
      if (kind === 1) return { type: 'send', to, message: { type: 'renew', job, ballot, shards: [shard] } }
      return { type: 'send', to, message: kind === 2 ? ack(shard) : results(shard) }
    })
    const out = joinSends(effects)
    for (const to of ['x', 'y']) expect(heard(out, to)).toEqual(heard(effects, to))
    expect(out.filter(one => one.type === 'changed')).toHaveLength(effects.filter(one => one.type === 'changed').length)
    expect(out.length).toBeLessThan(effects.length)
  }
})

/** Shard by shard what `to` is told, in order. */
function heard(effects: readonly Effect[], to: string): string[] {
  return effects.flatMap(effect => {
    if (effect.type !== 'send' || effect.to !== to) return []
    const { message } = effect
    if (message.type === 'results') return message.results.map(({ shard }) => `result ${shard}`)
    return 'shards' in message ? message.shards.map(shard => `${message.type} ${shard}`) : []
  })
}
