/** Two sides of a mesh try each other's addresses. */
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { addressesMax } from '../../src/mesh/membership/messages.ts'
import { decodeReply, encodeOldReply, encodeReply, probeReach } from '../../src/mesh/probe.ts'
import type { AddressTrial } from '../../src/mesh/types.ts'
import { mesh, namesUp, until } from './meshes.ts'

test('neighbours say whether they reach this peer', async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const b = await mesh({ secret, name: 'b', dial: a.addresses() })
  const shy = await mesh({ secret, name: 'shy', listen: [], dial: a.addresses() })
  await until(() => [a, b, shy].every(each => namesUp(each).length === 2))
  const seen = await a.reachability()
  expect(seen.listening).toEqual(a.addresses())
  // Each address is tried for the peer that it is of.
  const outward = [b, shy].map(({ self, addresses }) => ({
    peer: self,
    neighbour: true,
    trials: addresses().map(address => ({ address, outcome: 'open' })),
  }))
  expect(new Set(seen.outward)).toEqual(new Set(outward))
  expect(seen.inward.map(({ peer }) => peer).sort()).toEqual([b.self, shy.self].sort())
  for (const { trials } of seen.inward) expect(trials).toEqual([{ address: a.addresses()[0], outcome: 'open' }])
  // One that listens nowhere has no address to try.
  const hidden = await shy.reachability()
  expect(hidden.listening).toEqual([])
  for (const { trials } of hidden.inward) expect(trials).toEqual([])
})

test('those that are apart are tried from here, a few at a time; who does not answer is left out', async () => {
  const trial: AddressTrial = { address: '/ip4/127.0.0.1/tcp/1', outcome: 'refused' }
  const apart = Array.from({ length: 40 }, (_, i) => ({
    peer: `apart${i}`,
    neighbour: false,
    addresses: [trial.address],
  }))
  const near = ['good', 'old', 'mute'].map(peer => ({ peer, neighbour: true, addresses: [] }))
  const seen = await probeReach({
    addresses: () => ['/ip4/10.0.0.1/tcp/2'],
    listening: () => [],
    isThere: async () => true,
    peers: () => [...apart, ...near],
    async ask(peer) {
      if (peer === 'mute') throw new Error('no answer')
      if (peer === 'old') return encodeOldReply([{ ...trial, outcome: 'other' }])
      return peer === 'good' ? encodeReply([trial], Date.now() + 60_000) : new Uint8Array([1, 2, 3])
    },
  })
  expect(seen.inward).toEqual([
    { peer: 'good', trials: [trial], aheadMs: expect.any(Number) },
    { peer: 'old', trials: [trial] },
  ])
  expect(seen.inward[0].aheadMs).toBeGreaterThan(50_000)
  expect(seen.outward.length).toBe(19)
  for (const { neighbour, trials } of seen.outward) expect(trials).toEqual(neighbour ? [] : [trial])
})

test('what listens at an address and is another peer is told from the one that is meant', async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const other = await mesh({ secret, name: 'other' })
  const stranger = await mesh({ name: 'stranger' })
  const wrong = [other, stranger].map(({ addresses }) => addresses()[0].replace(/\/p2p\/.*$/, ''))
  const b = await mesh({ secret, name: 'b', announce: wrong, dial: a.addresses() })
  await until(() => namesUp(a).includes('b') && namesUp(b).includes('a'))
  const outcomes = (seen: Awaited<ReturnType<typeof a.reachability>>) =>
    seen.inward.find(({ peer }) => peer === a.self)?.trials.map(({ outcome }) => outcome)
  expect(outcomes(await b.reachability())).toEqual(['other', 'other', 'open'])
})

test('what is no list of trials is nothing', () => {
  const many = Array.from({ length: addressesMax + 1 }, () => ({ address: 'x', outcome: 'open' as const }))
  expect(decodeReply(encodeReply(many, 0))).toBeUndefined()
  expect(decodeReply(encodeReply(many.slice(1), 0))?.trials).toHaveLength(addressesMax)
  expect(decodeReply(encodeOldReply(many.slice(1)))?.trials).toHaveLength(addressesMax)
  expect(decodeReply(new Uint8Array(0))).toBeUndefined()
})
