/** One request in flight to a peer; what waits travels together, and results never without their blocks. */
import { expect, test } from 'vitest'
import { blockId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import type { StreamMessage } from '../../../src/jobs/core/types.ts'
import { decodeEnvelope, type Envelope } from '../../../src/jobs/wire/envelope.ts'
import type { Mesh } from '../../../src/mesh/types.ts'
import { createOutbox } from '../../../src/peer/driver/outbox.ts'

const job = 'a'.repeat(64)
const ballot = { counter: 1, peer: 'lead' }

/** A block a shard, all of `bytes` bytes and unlike one another. */
function sending(bytes: number) {
  const store = new Map<string, Uint8Array>()
  const message = (shard: number): StreamMessage => {
    const block = new Uint8Array(bytes)
    new DataView(block.buffer).setUint32(0, shard)
    const id = blockId(block)
    store.set(id, block)
    return { type: 'results', job, ballot, results: [{ shard, block: id, errors: 0 }] }
  }
  const requests: Envelope[] = []
  let refuse = false
  const failed: StreamMessage[] = []
  const mesh: Pick<Mesh, 'request'> = {
    request: async (_to, _protocol, body) => {
      await new Promise(resolve => setTimeout(resolve, 2))
      if (refuse) throw new Error('gone')
      requests.push(decodeEnvelope(body))
      return new Uint8Array()
    },
  }
  const outbox = createOutbox({
    mesh: mesh as Mesh, // it asks for nothing else
    block: async id => store.get(id),
    failed: (_to, message) => failed.push(message),
  })
  return { outbox, message, requests, failed, refuse: () => (refuse = true) }
}

const shardsOf = ({ messages }: Envelope) =>
  messages.flatMap(message => (message.type === 'results' ? message.results.map(result => result.shard) : []))

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 1))
}

test('small results travel as one message while the request before is on its way', async () => {
  const { outbox, message, requests } = sending(100)
  outbox.send('lead', message(0))
  await until(() => requests.length === 1)
  outbox.send('lead', message(1))
  await new Promise(resolve => setTimeout(resolve, 1))
  for (let shard = 2; shard < 50; shard++) outbox.send('lead', message(shard))
  await until(() => requests.flatMap(shardsOf).length === 50)
  expect(requests.flatMap(shardsOf)).toEqual(Array.from({ length: 50 }, (_, shard) => shard))
  expect(requests.length).toBeLessThan(5)
  expect(requests.reduce((sum, { messages }) => sum + messages.length, 0)).toBeLessThan(6)
})

test('results too large for one request are told of in several, each with its blocks', async () => {
  const bytes = Math.floor(limits.messageBytesMax / 5)
  const { outbox, message, requests } = sending(bytes)
  for (let shard = 0; shard < 9; shard++) outbox.send('lead', message(shard))
  await until(() => requests.flatMap(shardsOf).length === 9)
  expect(requests.flatMap(shardsOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  for (const request of requests) {
    expect(request.blocks.size).toBe(shardsOf(request).length)
    expect(request.blocks.size * bytes).toBeLessThanOrEqual(limits.messageBytesMax)
  }
})

test('what does not get through is reported, each shard once', async () => {
  const { outbox, message, failed, refuse } = sending(100)
  refuse()
  for (let shard = 0; shard < 20; shard++) outbox.send('lead', message(shard))
  const told = () => failed.flatMap(one => (one.type === 'results' ? one.results.map(result => result.shard) : []))
  await until(() => told().length >= 20)
  expect(told()).toEqual(Array.from({ length: 20 }, (_, shard) => shard))
})
