/** Peers of one mesh find each other without an address, where this machine lets multicast through. */
import { createSocket } from 'node:dgram'
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { mesh, namesUp, until } from './meshes.ts'

/** Whether a datagram sent to a multicast group comes back to this machine. */
async function hasMulticast(): Promise<boolean> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    return await new Promise<boolean>(resolve => {
      socket.on('error', () => resolve(false))
      socket.on('message', () => resolve(true))
      socket.bind(0, () => {
        try {
          socket.addMembership('224.0.0.251')
          socket.send('shardmesh', socket.address().port, '224.0.0.251')
        } catch {
          resolve(false)
        }
      })
      setTimeout(() => resolve(false), 500)
    })
  } finally {
    socket.close()
  }
}

test('mDNS brings peers of one mesh together, and only those', { timeout: 30_000 }, async context => {
  if (!(await hasMulticast())) {
    console.warn('skipped 1 test: discovery by mDNS, because this machine has no multicast')
    context.skip()
  }
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a', mdns: true })
  const other = await mesh({ name: 'other', mdns: true })
  const b = await mesh({ secret, name: 'b', mdns: true })
  await until(() => namesUp(a).includes('b') && namesUp(b).includes('a'))
  expect(namesUp(a)).toEqual(['b'])
  expect(other.peers()).toEqual([])
})
