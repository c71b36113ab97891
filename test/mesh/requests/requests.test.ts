/** Requests over real connections: sizes, errors, limits of time and number, and a peer that goes. */
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import { createIdentity, peerKeyOf } from '../../../src/mesh/identity.ts'
import { meshOf, until } from '../meshes.ts'

const nothing = new Uint8Array(0)

function noise(length: number, seed: number): Uint8Array {
  const random = prng(seed)
  return Uint8Array.from({ length }, () => random.int(256))
}

test('a body comes back as it was, of every awkward size, also to oneself', async () => {
  const [a, b] = await meshOf(2)
  b.serve('/echo/1', async (from, body) => {
    expect(from).toBe(a.self)
    return body
  })
  a.serve('/echo/1', async (_from, body) => body)
  const frame = 60 * 1024
  for (const length of [0, 1, frame - 12, frame - 11, frame, frame + 1, 200_000, limits.messageBytesMax]) {
    const body = noise(length, length)
    expect(Buffer.compare(await a.request(b.self, '/echo/1', body), body), `${length} bytes`).toBe(0)
    expect(Buffer.compare(await a.request(a.self, '/echo/1', body), body)).toBe(0)
  }
})

test('a handler’s PeerError arrives as it was thrown; a bug, a stranger’s protocol and a huge body have codes', async () => {
  const [a, b] = await meshOf(2)
  const serveOn = (peer: typeof a) => {
    peer.serve('/fails/1', async () => {
      throw new PeerError({
        code: 'NO_SUCH_BLOCK',
        kind: 'resource',
        message: 'the block is gone: ask another peer',
        retry: 'elsewhere',
        details: { block: 'ab', count: 3 },
      })
    })
    peer.serve('/bug/1', async () => {
      throw new TypeError('x is not a function')
    })
    peer.serve('/huge/1', async () => new Uint8Array(limits.messageBytesMax + 1))
    peer.serve('/odd/1', async () => {
      throw new PeerError({ code: 'ODD', kind: 'model', message: 'm'.repeat(5000), details: { f: () => 1 } })
    })
  }
  serveOn(a)
  serveOn(b)
  for (const peer of [a.self, b.self]) {
    const ask = (protocol: string, body = nothing) => a.request(peer, protocol, body)
    await expect(ask('/fails/1')).rejects.toMatchObject({
      name: 'PeerError',
      code: 'NO_SUCH_BLOCK',
      kind: 'resource',
      message: 'the block is gone: ask another peer',
      retry: 'elsewhere',
      details: { block: 'ab', count: 3 },
    })
    await expect(ask('/bug/1')).rejects.toMatchObject({ code: 'HANDLER_FAILED', message: 'x is not a function' })
    await expect(ask('/huge/1')).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    await expect(ask('/odd/1')).rejects.toMatchObject({ code: 'ODD', kind: 'model' })
    await expect(ask('/nobody/1')).rejects.toMatchObject({ code: 'UNKNOWN_PROTOCOL', kind: 'protocol' })
    const huge = ask('/fails/1', new Uint8Array(limits.messageBytesMax + 1))
    await expect(huge).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  }
})

test('a request ends by its time limit and by its signal; the handler is told; the stream goes on', async () => {
  const [a, b] = await meshOf(2)
  const told: unknown[] = []
  b.serve('/slow/1', (_from, _body, signal) => {
    return new Promise(resolve => {
      signal.addEventListener('abort', () => {
        told.push(signal.reason)
        resolve(nothing)
      })
    })
  })
  b.serve('/quick/1', async (_from, body) => body)
  const late = a.request(b.self, '/slow/1', nothing, { timeoutMs: 50 })
  await expect(late).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT', kind: 'transport', retry: 'elsewhere' })
  const controller = new AbortController()
  const stopped = a.request(b.self, '/slow/1', nothing, { signal: controller.signal })
  setTimeout(() => controller.abort(), 20)
  await expect(stopped).rejects.toMatchObject({ code: 'ABORTED', kind: 'aborted' })
  await expect(a.request(b.self, '/quick/1', nothing, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ABORTED',
  })
  const given = new PeerError({ code: 'JOB_CANCELLED', kind: 'aborted', message: 'the job was cancelled' })
  const reason = a.request(b.self, '/slow/1', nothing, { signal: AbortSignal.abort(given) })
  await expect(reason).rejects.toBe(given)
  await until(() => told.length === 2)
  expect(Buffer.from(await a.request(b.self, '/quick/1', new Uint8Array([7])))).toEqual(Buffer.from([7]))
  const local = a.request(a.self, '/slow/1', nothing, { timeoutMs: 5 })
  await expect(local).rejects.toMatchObject({ code: 'UNKNOWN_PROTOCOL' })
})

test('bodies abandoned half-way leave the stream in order', async () => {
  const [a, b] = await meshOf(2)
  b.serve('/echo/1', async (_from, body) => body)
  const random = prng(5)
  const big = noise(limits.messageBytesMax, 1)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, i) => {
      const controller = new AbortController()
      if (i % 2 === 1) setTimeout(() => controller.abort(), random.int(60))
      return a.request(b.self, '/echo/1', big.subarray(0, random.int(big.length)), {
        signal: controller.signal,
        timeoutMs: 30_000,
      })
    }),
  )
  expect(outcomes.filter((outcome, i) => i % 2 === 0 && outcome.status === 'rejected')).toEqual([])
  const small = noise(1000, 2)
  expect(Buffer.compare(await a.request(b.self, '/echo/1', small), small)).toBe(0)
})

test('hundreds at once are all answered, and at most 64 are served at a time', async () => {
  const [a, b] = await meshOf(2)
  let serving = 0
  let most = 0
  b.serve('/count/1', async (_from, body) => {
    serving++
    most = Math.max(most, serving)
    await new Promise(resolve => setTimeout(resolve, 2))
    serving--
    return body
  })
  const bodies = Array.from({ length: 600 }, (_, i) => noise(i * 40, i))
  const replies = await Promise.all(bodies.map(body => a.request(b.self, '/count/1', body)))
  for (const [i, reply] of replies.entries()) expect(Buffer.compare(reply, bodies[i])).toBe(0)
  expect(most).toBe(64)
})

test('requests that are open when the peer goes are lost with a clear error, and handlers are told', async () => {
  const [a, b] = await meshOf(2)
  let told = false
  let begun = false
  b.serve('/never/1', (_from, _body, signal) => {
    begun = true
    signal.addEventListener('abort', () => {
      told = true
    })
    return new Promise(() => {})
  })
  const open = a.request(b.self, '/never/1', nothing)
  const lost = expect(open).rejects.toMatchObject({ code: 'CONNECTION_LOST', kind: 'transport', retry: 'elsewhere' })
  await until(() => begun)
  await b.stop()
  await lost
  expect(told).toBe(true)
})

test('one’s own stop ends one’s requests', async () => {
  const [a, b] = await meshOf(2)
  b.serve('/never/1', () => new Promise(() => {}))
  const open = expect(a.request(b.self, '/never/1', nothing)).rejects.toMatchObject({ code: 'MESH_STOPPED' })
  await a.stop()
  await open
})

test('nobody’s name and an unknown peer are unreachable', async () => {
  const [a] = await meshOf(1)
  for (const peer of ['', 'fig', peerKeyOf(createIdentity())]) {
    await expect(a.request(peer, '/x/1', nothing)).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
  }
})
