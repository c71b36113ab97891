/** Two sides of a mesh try each other's addresses. */
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { addressesMax } from '../../src/mesh/membership/messages.ts'
import { decodeTrials, encodeTrials, probeReach } from '../../src/mesh/probe.ts'
import type { AddressTrial } from '../../src/mesh/types.ts'
import { mesh, namesUp, until } from './meshes.ts'

test('neighbours say whether they reach this peer', async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const b = await mesh({ secret, name: 'b', dial: a.addresses() })
  const shy = await mesh({ secret, name: 'shy', listen: [], dial: a.addresses() })
  await until(() => [a, b, shy].every(each => namesUp(each).length === 2))
  const seen = await a.reachability()
  expect(seen).toMatchObject({ listening: a.addresses(), outward: [] })
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
  const near = ['good', 'mute', 'liar'].map(peer => ({ peer, neighbour: true, addresses: [] }))
  const seen = await probeReach({
    addresses: () => ['/ip4/10.0.0.1/tcp/2'],
    peers: () => [...apart, ...near],
    async ask(peer) {
      if (peer === 'mute') throw new Error('no answer')
      return peer === 'good' ? encodeTrials([trial]) : new Uint8Array([1, 2, 3])
    },
  })
  expect(seen.inward).toEqual([{ peer: 'good', trials: [trial] }])
  expect(seen.outward.length).toBe(16)
  for (const { trials } of seen.outward) expect(trials).toEqual([trial])
})

test('what is no list of trials is nothing', () => {
  const many = Array.from({ length: addressesMax + 1 }, () => ({ address: 'x', outcome: 'open' as const }))
  expect(decodeTrials(encodeTrials(many))).toBeUndefined()
  expect(decodeTrials(encodeTrials(many.slice(1)))).toHaveLength(addressesMax)
  expect(decodeTrials(new Uint8Array(0))).toBeUndefined()
})
