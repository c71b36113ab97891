import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { isAmongFirst, rankPeers } from '../../../src/jobs/core/ranking.ts'
import type { PeerFacts } from '../../../src/jobs/core/state.ts'
import { id } from './harness.ts'

test('isAmongFirst says what the whole ranking says', () => {
  const random = prng(4)
  for (let n = 0; n < 300; n++) {
    const peers = new Map<string, PeerFacts>()
    for (let p = 1 + random.int(9); p > 0; p--)
      peers.set(`peer${random.int(40)}`, { itemsPerSecond: 0, slots: random.int(3) })
    const names = [...peers.keys()]
    const [self, except, owner] = [random.pick(names), random.pick([...names, 'gone']), random.pick(names)]
    const count = 1 + random.int(4)
    const others = new Map([...peers].filter(([peer]) => peer === self || peer !== except))
    const rank = rankPeers(id(`job ${n}`), others, owner).indexOf(self)
    expect(isAmongFirst(id(`job ${n}`), self, peers, count, except, owner)).toBe(rank < count)
  }
  expect(isAmongFirst(id('job'), 'stranger', new Map(), 3, 'x')).toBe(false)
})
