/** Which addresses a peer tells others, what a user may announce, and which ways to a peer are tried. */
import { createServer } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { announcedAddresses, waysTo } from '../../src/mesh/addresses.ts'
import { announcedAddress } from '../../src/mesh/announce.ts'
import { createIdentity, peerKeyOf } from '../../src/mesh/identity.ts'
import { linkLocalZones } from '../../src/mesh/interfaces.ts'
import { quickestFirst } from '../../src/mesh/quickest.ts'
import { tokenNote } from '../../src/peer/token-note.ts'
import { mesh } from './meshes.ts'

const self = peerKeyOf(createIdentity())
const told = (listening: string[], announce?: string[]) =>
  announcedAddresses({ self, announce, listening: () => listening.map(address => multiaddr(address)) }).map(String)

test.each([
  '/ip4/203.0.113.5/tcp/1',
  '/ip4/8.8.8.8/tcp/1',
  '/ip6/2001:4860::8888/tcp/1',
  '/ip4/169.254.3.1/tcp/1',
  '/ip6/fe80::1/tcp/1',
  '/ip4/100.64.0.1/tcp/1',
  '/dns4/peer.example.org/tcp/1',
])('%s is announced as it is, and loopback only where there is nothing else', address => {
  expect(told([address, '/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1'])).toEqual([`${address}/p2p/${self}`])
  expect(told(['/ip4/127.0.0.1/tcp/1'])).toEqual([`/ip4/127.0.0.1/tcp/1/p2p/${self}`])
})

test('what the user announces is told first, once', async () => {
  const announce = ['/ip4/203.0.113.5/tcp/4700', '/ip4/10.0.0.1/tcp/1']
  const own = ['/ip4/10.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/1']
  expect(told(own, announce)).toEqual(announce.map(address => `${address}/p2p/${self}`))
  const a = await mesh({ announce: announce.slice(0, 1) })
  expect(a.addresses()).toEqual([`/ip4/203.0.113.5/tcp/4700/p2p/${a.self}`])
  expect(a.listening()).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)])
})

test.each([
  ['203.0.113.5', '/ip4/203.0.113.5/tcp/4601'],
  [' 203.0.113.5:80 ', '/ip4/203.0.113.5/tcp/80'],
  ['2001:db8::5', '/ip6/2001:db8::5/tcp/4601'],
  ['[2001:db8::5]', '/ip6/2001:db8::5/tcp/4601'],
  ['[2001:db8::5]:80', '/ip6/2001:db8::5/tcp/80'],
  ['peer.example.org', '/dns/peer.example.org/tcp/4601'],
  ['kiwi:80', '/dns/kiwi/tcp/80'],
  ['/ip4/203.0.113.5/tcp/80', '/ip4/203.0.113.5/tcp/80'],
  [`/dns6/kiwi/tcp/80/p2p/${self}`, '/dns6/kiwi/tcp/80'],
])('%s can be announced', (text, address) => {
  expect(announcedAddress(text, 4601)).toBe(address)
  expect(multiaddr(address).toString()).toBe(address)
})

test.each([
  ['', 'no address'],
  ['0.0.0.0', 'every address'],
  ['[::]:80', 'every address'],
  ['127.0.0.1', 'to itself'],
  ['localhost:80', 'to itself'],
  ['::1', 'to itself'],
  ['1.2.3', 'no address'],
  ['256.1.1.1', 'no address'],
  ['203.0.113.5:0', 'a port from 1'],
  ['203.0.113.5:70000', 'a port from 1'],
  ['203.0.113.5:80:90', 'no address'],
  ['/ip4/203.0.113.5', 'no address'],
  ['/ip4/203.0.113.5/udp/80', 'no address'],
  ['/ip4/kiwi/tcp/80', 'no address'],
  ['http://kiwi', 'no address'],
  ['kiwi fig', 'no address'],
  ['fe80::1%eth0', 'no address'],
])('%j cannot be announced', (text, why) => {
  expect(() => announcedAddress(text, 4601)).toThrow(why)
})

test('ways to a peer leave out where this peer listens itself, and go through every interface that may be meant', () => {
  const own = [multiaddr('/ip4/172.17.0.1/tcp/4601')]
  const ways = (...addresses: string[]) => waysTo(self, addresses, own).map(String)
  expect(ways(`/ip4/172.17.0.1/tcp/4601/p2p/${self}`, '/ip4/172.17.0.1/tcp/4602')).toEqual([
    `/ip4/172.17.0.1/tcp/4602/p2p/${self}`,
  ])
  expect(ways('/ip6/fe80::1/tcp/1')).toEqual(
    linkLocalZones().map(zone => `/ip6zone/${zone}/ip6/fe80::1/tcp/1/p2p/${self}`),
  )
})

test('of several addresses the one that answers is dialled first', async () => {
  const server = createServer(socket => socket.destroy())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const open = multiaddr(`/ip4/127.0.0.1/tcp/${port}`)
  const refused = multiaddr('/ip4/127.0.0.1/tcp/1')
  expect(await quickestFirst([refused, open])).toEqual([open, refused])
  expect(await quickestFirst([refused])).toEqual([refused])
  const gaveUp = AbortSignal.abort()
  expect(await quickestFirst([refused, open], gaveUp)).toEqual([refused, open])
  await new Promise(resolve => server.close(resolve))
})

test('a token that leads nowhere else says so', () => {
  expect(tokenNote(['/ip4/127.0.0.1/tcp/1', '/ip4/203.0.113.5/tcp/1'])).toBeUndefined()
  expect(tokenNote(['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1'])).toContain('127.0.0.1:1, [::1]:1')
  expect(tokenNote([])).toContain('no address')
})
