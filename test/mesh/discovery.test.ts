/** Discovery's packets, and what is said where it cannot work. */
import { createSocket } from 'node:dgram'
import { decode, encode } from 'dns-packet'
import { expect, test } from 'vitest'
import { createDiscovery } from '../../src/mesh/discovery/discovery.ts'
import { answersOf, asks, heardIn, queryOf } from '../../src/mesh/discovery/records.ts'
import { createIdentity, peerKeyOf } from '../../src/mesh/identity.ts'
import { inSubnet } from '../../src/mesh/interfaces.ts'
import { quietText } from '../../src/mesh/quiet-text.ts'

const service = '_shardmesh-00112233._udp.local'
const peer = peerKeyOf(createIdentity())
const at = `/ip4/192.168.1.20/tcp/4601/p2p/${peer}`
/** As they come from the network. */
const sent = (answers: ReturnType<typeof answersOf>) => decode(encode({ type: 'response', answers }))

/** Written by @libp2p/mdns 12.0.32. */
const release010 =
  'AACEAAAAAAIAAAAADV9zaGFyZG1lc2gtYWIEX3VkcAVsb2NhbAAADAABAAAAeAAgBWFuYW1lDV9zaGFyZG1lc2gtYWIEX3VkcAVsb2NhbAAFYW5hbWUNX3NoYXJkbWVzaC1hYgRfdWRwBWxvY2FsAAAQAAEAAAB4AFhXZG5zYWRkcj0vaXA0LzEwLjAuMC43L3RjcC80NjAxL3AycC8xMkQzS29vV0dBbmZOUnVLaFNoMUNHNkhKOWdKMWFqUzl4a1J3YkRCVGJhYWlRVFpuNVNT'

test('a query and an answer arrive as they were meant', () => {
  const query = decode(encode({ type: 'query', ...queryOf(service) }))
  expect(asks(query, service)).toBe(true)
  expect(asks(query, '_other._udp.local')).toBe(false)
  const answer = sent(answersOf(service, 'me', [at, `/dns/${'x'.repeat(250)}/tcp/1`]))
  expect(heardIn(answer, service)).toEqual({ name: 'me', addresses: [at] })
  expect(heardIn(answer, '_other._udp.local')).toBeUndefined()
})

test('an answer of release 0.1.0 is read: its packet, byte for byte', () => {
  const old = Buffer.from(release010, 'base64')
  expect(heardIn(decode(old), '_shardmesh-ab._udp.local')).toEqual({
    name: 'aname',
    addresses: ['/ip4/10.0.0.7/tcp/4601/p2p/12D3KooWGAnfNRuKhSh1CG6HJ9gJ1ajS9xkRwbDBTbaaiQTZn5SS'],
  })
})

test('what is no answer is nothing', () => {
  expect(heardIn(sent(answersOf(service, 'me', [])), service)).toBeUndefined()
  expect(heardIn(sent([]), service)).toBeUndefined()
  expect(heardIn(decode(encode({ type: 'response' })), service)).toBeUndefined()
})

test('a port that another program holds is told, with what to do', async () => {
  const holder = createSocket('udp4')
  await new Promise<void>(resolve => holder.bind(0, '0.0.0.0', resolve))
  const warnings: string[] = []
  const discovery = createDiscovery({
    self: peer,
    service,
    addresses: () => [at],
    listening: () => [],
    found() {},
    twin() {},
    warn: message => warnings.push(message),
    port: holder.address().port,
  })
  discovery.start()
  while (warnings.length === 0) await new Promise(resolve => setTimeout(resolve, 20))
  expect(warnings).toEqual([
    expect.stringMatching(/another program holds UDP port \d+ \(IPv4.*\) for itself.*with a token/),
  ])
  expect(discovery.state().problem).toBe(warnings[0])
  discovery.stop()
  holder.close()
})

test('silence says where was listened, and whether anything came', () => {
  const links = [
    { name: 'eth0', family: 'IPv4' as const },
    { name: 'tun0', family: 'IPv4' as const, problem: 'EPERM' },
  ]
  const state = { links, sinceMs: 61_000, peers: 0, others: 0 }
  expect(quietText(state)).toContain('for 61 s on eth0; nothing of any other machine')
  expect(quietText({ ...state, others: 3, sinceMs: 600_000 })).toMatch(/for 10 min on eth0$/)
})

test('an address is in a network or not', () => {
  const own = { name: 'eth0', address: '192.168.1.20', family: 'IPv4' as const, netmask: '255.255.255.0', mac: '' }
  expect(inSubnet(own, '192.168.1.99')).toBe(true)
  expect(inSubnet(own, '192.168.2.20')).toBe(false)
  expect(inSubnet({ ...own, address: '200.1.2.3', netmask: '255.0.0.0' }, '200.9.9.9')).toBe(true)
})
