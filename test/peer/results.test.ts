/** A result is read from peers that may be away for a moment. */
import { expect, test } from 'vitest'
import { PeerError } from '../../src/base/errors.ts'
import { encodeModelRoot } from '../../src/jobs/workloads/train/result.ts'
import type { BlockExchange } from '../../src/peer/blocks/block-exchange.ts'
import { readResult } from '../../src/peer/results.ts'

const model = Uint8Array.of(1, 2, 3)
const blocks = new Map([
  [
    'a'.repeat(64),
    encodeModelRoot({
      ...{ method: 'kmeans', bytes: model.length, parts: ['b'.repeat(64)], card: '{}', rows: 1, rounds: 1 },
      ...{ objective: { name: 'inertia', falls: true, value: 1 }, history: [1], numericClasses: ['wasm'] },
    }),
  ],
  ['b'.repeat(64), model],
])

/** Each block is refused that often before it is given. */
function exchange(refusals: number, refusal: PeerError): BlockExchange {
  const asked = new Map<string, number>()
  const get = async (id: string) => {
    const times = (asked.get(id) ?? 0) + 1
    asked.set(id, times)
    const block = blocks.get(id)
    if (times <= refusals || !block) throw refusal
    return block
  }
  return { get } as Partial<BlockExchange> as BlockExchange
}

async function read(from: BlockExchange): Promise<string[]> {
  const source = { exchange: from, job: 'c'.repeat(64), workload: 'train', result: 'a'.repeat(64), holders: ['x'] }
  const types: string[] = []
  for await (const item of readResult(source)) types.push(item.type)
  return types
}

test('a holder that cannot be reached for a moment is asked again', async () => {
  const away = new PeerError({ code: 'BLOCK_UNAVAILABLE', kind: 'transport', message: 'nobody has it' })
  expect(await read(exchange(1, away))).toEqual(['model', 'bytes'])
})

test('what time does not mend is said at once', async () => {
  const damaged = new PeerError({ code: 'BLOCK_DAMAGED', kind: 'integrity', message: 'other bytes' })
  await expect(read(exchange(1, damaged))).rejects.toMatchObject({ code: 'RESULT_UNAVAILABLE', cause: damaged })
})
