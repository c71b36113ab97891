/** What trials from both sides are said to mean, and real trials of real ports. */
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { reachFindings, tokenFinding } from '../../src/cli/commands/doctor-reach.ts'
import { tryAddress, tryAll } from '../../src/mesh/probe.ts'
import type { Reachability, TrialOutcome } from '../../src/mesh/types.ts'

const names = { nameOf: (peer: string) => peer, up: (peer: string) => peer.startsWith('up') }
const at = '/ip4/192.168.1.20/tcp/4601/p2p/12D3KooW'
const none: Reachability = { listening: [at], outward: [], inward: [] }
const trials = (...outcomes: TrialOutcome[]) => outcomes.map(outcome => ({ address: at, outcome }))

test('where this machine listens', () => {
  expect(reachFindings(none, names)).toEqual([{ topic: 'listening', ok: true, says: '192.168.1.20:4601' }])
  expect(reachFindings({ ...none, listening: [] }, names)[0]).toMatchObject({ ok: false })
  const loopback = { ...none, listening: ['/ip4/127.0.0.1/tcp/4601'] }
  expect(reachFindings(loopback, names)[0].advice).toContain('without --listen')
})

test('what neighbours see of it: a firewall here', () => {
  const inward = (...outcomes: TrialOutcome[]) =>
    reachFindings({ ...none, inward: [{ peer: 'fig', trials: trials(...outcomes) }] }, names)[1]
  expect(inward('silent', 'open')).toMatchObject({
    ok: true,
    says: `fig reaches this machine at 192.168.1.20:4601; 192.168.1.20:4601 gives no answer`,
  })
  expect(inward('other').advice).toContain('--announce')
  expect(inward('silent')).toMatchObject({ ok: false, topic: 'reached' })
  expect(inward('silent').advice).toContain('a firewall on this machine drops TCP port 4601')
  expect(inward('refused').advice).toContain('4601')
  expect(inward('no-route').advice).toContain('network')
  expect(inward()).toMatchObject({ ok: false })
})

test('what it sees of the others: a firewall there, a peer that is off, another network', () => {
  const outward = (peer: string, ...outcomes: TrialOutcome[]) =>
    reachFindings({ ...none, outward: [{ peer, neighbour: false, trials: trials(...outcomes) }] }, names)[1]
  expect(outward('up-fig', 'open')).toMatchObject({ ok: true })
  expect(outward('up-fig')).toMatchObject({ ok: true, says: expect.stringContaining('dials when it is called') })
  expect(outward('up-fig', 'silent').advice).toContain('a firewall on up-fig')
  expect(outward('fig', 'open')).toMatchObject({ ok: false, advice: expect.stringContaining('belongs to this mesh') })
  expect(outward('fig', 'silent').advice).toContain('a firewall on fig drops TCP port 4601')
  expect(outward('fig', 'refused').advice).toContain('start it with peer start')
  expect(outward('fig', 'no-route').advice).toContain('VPN')
  expect(outward('fig')).toMatchObject({ ok: false, says: 'fig is not reached: no address of it is known' })
})

test('which address of a neighbour works from here, and whose clock is off', () => {
  const v6 = { address: '/ip6/fe80::1/tcp/4601', outcome: 'open' as const }
  const outward = [{ peer: 'fig', neighbour: true, trials: [v6, ...trials('other')] }]
  const inward = [{ peer: 'fig', trials: [], aheadMs: -7_300_000 }]
  const [, , reaches, clock] = reachFindings({ ...none, outward, inward }, names)
  expect(reaches.says).toBe('fig at [fe80::1]:4601; 192.168.1.20:4601 answers, but is another peer or program')
  expect(clock).toMatchObject({ topic: 'clock', ok: false, says: expect.stringContaining('2 h behind') })
  expect(reachFindings({ ...none, inward: [{ peer: 'fig', trials: [], aheadMs: 900 }] }, names)).toHaveLength(2)
})

test('a token’s addresses', () => {
  const says = (address: string, outcome: TrialOutcome) => tokenFinding({ address, outcome })
  expect(says(at, 'open').ok).toBe(true)
  for (const outcome of ['other', 'refused', 'silent', 'no-route', 'unknown-name'] as const) {
    expect(says(at, outcome)).toMatchObject({ ok: false, advice: expect.any(String) })
  }
  expect(says('/ip4/127.0.0.1/tcp/1', 'refused').advice).toContain('that address is of the machine that made the token')
})

test('a trial tells a listener from none', async () => {
  const server = createServer(socket => socket.destroy())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const place = `/ip4/127.0.0.1/tcp/${address.port}`
  expect(await tryAddress(place)).toBe('open')
  // The tester itself listens there: its own answer says nothing of the other.
  const own = { address: `${place}/p2p/other`, outcome: 'own' }
  expect(await tryAll([`${place}/p2p/other`], { own: [place] })).toEqual([own])
  // It listens, and whoever is there is not the one that is meant.
  expect(await tryAll([place], { isThere: async () => false })).toEqual([{ address: place, outcome: 'other' }])
  await new Promise(resolve => server.close(resolve))
  expect(await tryAddress(place)).toBe('refused')
  expect(await tryAddress('/unix/tmp%2fx')).toBe('no-route')
})
