import { expect, test } from 'vitest'
import { compareBallots } from '../../../src/jobs/core/ballots.ts'
import { rankPeers } from '../../../src/jobs/core/ranking.ts'
import { id } from './harness.ts'

test('ballots are ordered by counter, then by peer', () => {
  const sorted = [
    { counter: 1, peer: 'b' },
    { counter: 2, peer: 'a' },
    { counter: 2, peer: 'b' },
    { counter: 10, peer: 'a' },
  ]
  for (let i = 0; i < sorted.length; i++) {
    for (let j = 0; j < sorted.length; j++) {
      expect(Math.sign(compareBallots(sorted[i], sorted[j]))).toBe(Math.sign(i - j))
    }
  }
})

const facts = (slots: number) => ({ slots, itemsPerSecond: 0 })

test('a ranking does not depend on the order in which peers were met, and moves nobody when one leaves', () => {
  const names = Array.from({ length: 50 }, (_, i) => `peer ${i}`)
  const ranked = rankPeers(id('x'), new Map(names.map(name => [name, facts(1)])))
  expect(rankPeers(id('x'), new Map(names.toReversed().map(name => [name, facts(1)])))).toEqual(ranked)
  const without = names.filter(name => name !== ranked[7])
  expect(rankPeers(id('x'), new Map(without.map(name => [name, facts(1)])))).toEqual(ranked.toSpliced(7, 1))
})

test('leaders are spread over peers by job', () => {
  const peers = new Map(['a', 'b', 'c', 'd'].map(name => [name, facts(1)]))
  const firsts = new Map<string, number>()
  for (let i = 0; i < 400; i++) {
    const [first] = rankPeers(id(`job ${i}`), peers)
    firsts.set(first, (firsts.get(first) ?? 0) + 1)
  }
  for (const name of peers.keys()) expect(firsts.get(name)).toBeGreaterThan(50)
})

test('who computes comes first, an owner that does not compute comes last', () => {
  for (let i = 0; i < 20; i++) {
    const peers = new Map([
      ['owner', facts(0)],
      ['lazy', facts(0)],
      ['busy', facts(4)],
    ])
    expect(rankPeers(id(`job ${i}`), peers, 'owner')).toEqual(['busy', 'lazy', 'owner'])
  }
})
