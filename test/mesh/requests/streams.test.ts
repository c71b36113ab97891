/** The two ends of a request stream over a pipe in memory: any cutting of the bytes, any order, any misuse. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { Caller } from '../../../src/mesh/requests/caller.ts'
import {
  FrameReader,
  type FrameType,
  frameHeaderBytes,
  framePayloadBytesMax,
  frameType,
  writeHeader,
} from '../../../src/mesh/requests/frames.ts'
import type { Pipe } from '../../../src/mesh/requests/pipe.ts'
import { Server } from '../../../src/mesh/requests/server.ts'
import { window } from '../../../src/mesh/requests/window.ts'
import type { Offence, RequestHandler } from '../../../src/mesh/types.ts'
import { pipePair } from './pipes.ts'

const never = new AbortController().signal

function ends(seed: number, handler: RequestHandler, holdBytes = 100_000) {
  const { near, far } = pipePair(seed, holdBytes)
  const closed: string[] = []
  const offences: Offence[] = []
  const caller = new Caller({
    peer: 'far',
    pipe: near,
    heard: () => {},
    moved: () => {},
    offended() {},
    closed: () => closed.push('caller'),
  })
  const server = new Server({
    peer: 'near',
    pipe: far,
    handler: protocol => (protocol === '/p' ? handler : undefined),
    heard: () => {},
    offended: offence => offences.push(offence),
    closed: () => closed.push('server'),
  })
  return { caller, server, closed, offences, near }
}

function frame(type: FrameType | number, id: number, payload: Uint8Array, length = payload.byteLength): Uint8Array {
  const bytes = new Uint8Array(frameHeaderBytes + payload.byteLength)
  const known = Object.values(frameType).find(each => each === type)
  writeHeader(new DataView(bytes.buffer), 0, known ?? frameType.chunk, id, length)
  bytes[0] = type
  bytes.set(payload, frameHeaderBytes)
  return bytes
}

/** A request's payload that announces `length` bytes and carries `part`. */
function head(length: number, name: string, part = new Uint8Array(0)): Uint8Array {
  const text = new TextEncoder().encode(name)
  const bytes = new Uint8Array(5 + text.byteLength + part.byteLength)
  new DataView(bytes.buffer).setUint32(0, length)
  bytes[4] = text.byteLength
  bytes.set(text, 5)
  bytes.set(part, 5 + text.byteLength)
  return bytes
}

test('frames come out as they went in, however the bytes are cut', () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = prng(seed)
    const sent = Array.from({ length: 30 }, (_, i) => {
      const length = random.pick([0, 1, 2, 100, framePayloadBytesMax - 1, framePayloadBytesMax, random.int(5000)])
      return {
        type: random.pick(Object.values(frameType)),
        id: random.int(2 ** 32),
        payload: new Uint8Array(length).fill(i),
      }
    })
    const bytes = Buffer.concat(sent.map(each => frame(each.type, each.id, each.payload)))
    // A body's bytes may come in parts: the first under the frame's type, the others as chunks.
    const got: { type: number; id: number; parts: Uint8Array[] }[] = []
    const reader = new FrameReader(({ type, id, payload }) => {
      const last = got.at(-1)
      const expected = sent[got.length - 1]?.payload.byteLength
      const filled = last?.parts.reduce((sum, part) => sum + part.byteLength, 0) ?? 0
      if (last && filled < expected) {
        expect([type, id]).toEqual([frameType.chunk, last.id])
        last.parts.push(payload.slice())
      } else got.push({ type, id, parts: [payload.slice()] })
    })
    for (let offset = 0; offset < bytes.length; ) {
      const take = 1 + random.int(random.pick([1, 9, 1000, 200_000]))
      reader.push(bytes.subarray(offset, offset + take))
      offset += take
    }
    expect(got.length).toBe(sent.length)
    for (const [i, { type, id, payload }] of sent.entries()) {
      expect([got[i].type, got[i].id, Buffer.concat(got[i].parts).equals(payload)]).toEqual([type, id, true])
      if (type === frameType.reply && payload.byteLength >= 4) {
        expect(got[i].parts[0].byteLength).toBeGreaterThanOrEqual(4)
      } else if (type !== frameType.chunk) expect(got[i].parts.length).toBe(1)
    }
  }
})

test('a frame of unknown type or too great a length is refused before anything is kept', () => {
  const reader = () => new FrameReader(() => {})
  expect(() => reader().push(frame(9, 1, new Uint8Array(0)))).toThrowError(/frame type 9/)
  expect(() => reader().push(frame(3, 1, new Uint8Array(0), framePayloadBytesMax + 1))).toThrowError(/a frame of/)
  expect(() => reader().push(frame(3, 1, new Uint8Array(0), 0xffffffff))).toThrowError(/a frame of/)
})

test('requests of all sizes, some given up, each end once with their own reply', async () => {
  for (let seed = 0; seed < 4; seed++) {
    const random = prng(seed)
    const { caller } = ends(seed, async (_from, body) => {
      if (random.int(2) === 0) await new Promise(resolve => setImmediate(resolve))
      return body.map(byte => byte ^ 0xff)
    })
    const calls = Array.from({ length: 200 }, (_, i) => {
      const body = new Uint8Array(random.pick([0, 1, 50, 70_000, random.int(300_000)])).fill(i)
      const controller = new AbortController()
      if (random.int(4) === 0) setTimeout(() => controller.abort(new Error('enough')), random.int(30))
      return { body, call: caller.call('/p', body, controller.signal), signal: controller.signal }
    })
    const outcomes = await Promise.allSettled(calls.map(each => each.call))
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') {
        expect(
          Buffer.compare(
            outcome.value,
            calls[i].body.map(byte => byte ^ 0xff),
          ),
        ).toBe(0)
      } else {
        expect(calls[i].signal.aborted, String(outcome.reason)).toBe(true)
      }
    }
    // All credit is back: a full window of requests goes through at once.
    const full = Array.from({ length: window.requestsMax }, () => caller.call('/p', new Uint8Array(1), never))
    expect((await Promise.all(full)).length).toBe(window.requestsMax)
  }
})

test('a small request overtakes large ones that are on their way', async () => {
  const order: number[] = []
  const { caller } = ends(1, async (_from, body) => body.slice(0, 1))
  const ask = async (bytes: number) => {
    await caller.call('/p', new Uint8Array(bytes), never)
    order.push(bytes)
  }
  await Promise.all([ask(2_000_000), ask(2_000_001), ask(10)])
  expect(order[0]).toBe(10)
})

test('never more than the window is with the server', async () => {
  let open = 0
  let most = 0
  const gates: (() => void)[] = []
  const { caller } = ends(3, async () => {
    most = Math.max(most, ++open)
    await new Promise<void>(resolve => gates.push(resolve))
    open--
    return new Uint8Array(0)
  })
  const calls = Array.from({ length: window.waitingMax }, () => caller.call('/p', new Uint8Array(1), never))
  const more = Array.from({ length: window.requestsMax }, () => caller.call('/p', new Uint8Array(1), never))
  await expect(caller.call('/p', new Uint8Array(1), never)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' })
  let done = 0
  const all = [...calls, ...more].map(call => call.then(() => done++))
  while (done < all.length) {
    gates.shift()?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(all)
  expect(most).toBe(window.servedMax)
})

test('whoever breaks the rules loses the stream, and the handlers are told', async () => {
  const wrong: [string, (pipe: Pipe) => void][] = [
    ['chunk of nothing', pipe => pipe.write([frame(frameType.chunk, 1, new Uint8Array(1))])],
    ['an answer to a server', pipe => pipe.write([frame(frameType.reply, 1, new Uint8Array(4))])],
    ['too large', pipe => pipe.write([frame(frameType.request, 1, head(2 ** 31, '/p'))])],
    ['no name', pipe => pipe.write([frame(frameType.request, 1, new Uint8Array(3))])],
    [
      'a name that is no text',
      pipe => pipe.write([frame(frameType.request, 1, new Uint8Array([0, 0, 0, 0, 1, 0xff]))]),
    ],
    ['a name beyond its frame', pipe => pipe.write([frame(frameType.request, 1, new Uint8Array([0, 0, 0, 0, 9]))])],
    ['twice the same', pipe => [1, 1].map(id => pipe.write([frame(frameType.request, id, head(5, '/p'))]))],
    ['more than announced', pipe => pipe.write([frame(frameType.request, 1, head(1, '/p', new Uint8Array(2)))])],
    [
      'beyond the credit in number',
      pipe => {
        for (let id = 1; id <= window.requestsMax + 1; id++) pipe.write([frame(frameType.request, id, head(1, '/p'))])
      },
    ],
    [
      'beyond the credit in bytes',
      pipe => [1, 2, 3].map(id => pipe.write([frame(frameType.request, id, head(4 * 1024 * 1024, '/p'))])),
    ],
  ]
  for (const [what, misuse] of wrong) {
    const { caller, closed, offences, near } = ends(1, async () => new Uint8Array(0))
    misuse(near)
    await expect(caller.call('/p', new Uint8Array(1), never), what).rejects.toMatchObject({ code: 'BAD_FRAME' })
    expect(closed.sort(), what).toEqual(['caller', 'server'])
    expect(offences, what).toEqual([what === 'too large' ? 'oversized' : 'bad-frame'])
  }
})

test('a cancel for what is over is no offence', async () => {
  const { caller, near } = ends(1, async (_from, body) => body)
  near.write([frame(frameType.cancel, 77, new Uint8Array(0))])
  expect(await caller.call('/p', new Uint8Array([4]), never)).toEqual(new Uint8Array([4]))
})
