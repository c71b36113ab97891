/** What peers tell each other of jobs that are over, and whose word stands. */
import { describe, expect, test } from 'vitest'
import type { EndsMessage, JobOutcome, Message } from '../../../src/jobs/core/types.ts'
import { decodeEnds, encodeEnds } from '../../../src/jobs/wire/ends.ts'
import { type CorePeer, corePeer, digest, granted, id, job, leading, only, sent } from './harness.ts'

const final: JobOutcome = { phase: 'final', ballot: { counter: 1, peer: 'a' }, result: id('result') }
const gone: JobOutcome = { phase: 'failed', ballot: { counter: 2, peer: 'b' }, reason: 'its owner left', byTime: true }

/** Lets two peers exchange until neither has more to say; over the wire, as it is carried. */
function talk(a: CorePeer, b: CorePeer): number {
  let messages = 0
  const pass = (from: CorePeer, to: CorePeer, effects = from.wait(10_000)) => {
    for (const { message } of only(effects, 'send-ends')) {
      messages++
      const heard: EndsMessage = decodeEnds(encodeEnds(message))
      pass(to, from, to.feed({ type: 'ends', from: from.config.self, message: heard }))
    }
  }
  pass(a, b)
  return messages
}

/** A peer that knows of `b`, and of one ended job where an outcome is given. */
function remembering(self: string, other: string, outcome?: JobOutcome): CorePeer {
  const peer = corePeer(self)
  peer.up(other)
  if (outcome) peer.hear(other, digest(outcome.ballot, 'own', { outcome, phase: outcome.phase }))
  return peer
}

describe('two peers that meet', () => {
  test('one learns what the other knows, and when it ended', () => {
    const [knows, learns] = [remembering('a', 'z', final), remembering('z', 'a')]
    learns.sleep(10_000)
    knows.sleep(60_000)
    talk(knows, learns)
    expect(learns.view()?.outcome).toEqual(final)
    expect(knows.nowMs - knows.job().endedMs).toBeGreaterThan(60_000)
    expect(learns.nowMs - learns.job().endedMs).toBeGreaterThan(60_000)
  })

  test.each([
    ['done', 'gave up by time', final, gone],
    ['done', 'was cancelled', final, { phase: 'cancelled', ballot: { counter: 9, peer: 'b' } } as JobOutcome],
    [
      'failed',
      'gave up by time',
      { phase: 'failed', ballot: { counter: 1, peer: 'a' }, reason: 'a contradiction' } as JobOutcome,
      gone,
    ],
  ])('%s stands over %s, whoever begins', (_better, _worse, better, worse) => {
    for (const [first, second] of [
      [better, worse],
      [worse, better],
    ]) {
      const [a, z] = [remembering('a', 'z', first), remembering('z', 'a', second)]
      talk(a, z)
      expect(a.view()?.outcome).toEqual(better)
      expect(z.view()?.outcome).toEqual(better)
    }
  })

  test('who agree say no more than their sums', () => {
    const [a, z] = [remembering('a', 'z', final), remembering('z', 'a', final)]
    talk(a, z)
    // Each round is one message that nobody answers.
    expect(only(a.wait(8_000), 'send-ends').map(({ message }) => message.type)).toEqual(['sums'])
    const [{ message }] = only(a.wait(8_000), 'send-ends')
    expect(only(z.feed({ type: 'ends', from: 'a', message }), 'send-ends')).toEqual([])
  })

  test('what this peer would have forgotten by now is not taken up again', () => {
    const [knows, learns] = [remembering('a', 'z', final), corePeer('z', { rememberMs: 30_000 })]
    learns.up('a')
    knows.sleep(60_000)
    talk(knows, learns)
    expect(learns.view()).toBeUndefined()
  })

  test('what did not get through is said again', () => {
    const peer = remembering('a', 'z', final)
    peer.wait(500)
    expect(only(peer.wait(1000), 'send-ends')).toEqual([])
    peer.feed({ type: 'ends-failed', to: 'z' })
    expect(only(peer.wait(1000), 'send-ends')).toHaveLength(1)
  })
})

describe('a half that gave a job up by time', () => {
  test('does not end it where the owner is at hand and somebody still works on it', () => {
    const peer = leading('me', 'own', 4)
    peer.up('me', 1)
    peer.up('b', 1)
    peer.hear('b', { type: 'superseded', job, ballot: gone.ballot, outcome: gone })
    expect(peer.view()?.phase).toBe('running')
    // And is given none of it.
    expect(Object.keys(granted(peer.wait(5000)))).not.toContain('b')
  })

  test('does end it where nobody is left to work on it, or the owner is gone', () => {
    const peer = leading('me', 'own', 4)
    peer.up('b', 1)
    peer.hear('b', { type: 'superseded', job, ballot: gone.ballot, outcome: gone })
    expect(peer.view()?.outcome).toEqual(gone)
    const orphan = leading('me', 'own', 4)
    orphan.up('me', 1)
    orphan.down('own')
    orphan.hear('b', { type: 'superseded', job, ballot: gone.ballot, outcome: gone })
    expect(orphan.view()?.outcome).toEqual(gone)
  })
})

describe('an owner that is away with inputs unread', () => {
  test('has its job set aside: nobody holds or is given a shard, until it is back', () => {
    const peer = leading('me', 'own', 8, {}, false)
    peer.up('a', 1)
    expect(peer.job().leader?.leases.size).toBeGreaterThan(0)
    peer.down('own')
    const effects = peer.wait(1500)
    expect(sent(effects, 'revoke').map(({ to }) => to)).toEqual(['a'])
    expect(peer.job().leader?.leases.size).toBe(0)
    expect(granted(peer.wait(20_000))).toEqual({})
    peer.up('own', 0)
    expect(granted(peer.wait(200)).a).toContain(0)
  })

  test.each([
    ['a passing one after 10 s', true, 10_000],
    ['one that runs after two minutes', false, 120_000],
  ])('ends it by time: %s', (_what, passing, ms) => {
    const peer = leading('me', 'own', 8, {}, false)
    peer.feed({ type: 'peer-up', peer: 'own', itemsPerSecond: 0, slots: 0, passing })
    peer.down('own')
    peer.wait(ms - 1000)
    expect(peer.view()?.outcome).toBeUndefined()
    peer.wait(2000)
    expect(peer.view()?.outcome).toMatchObject({ phase: 'failed', byTime: true, reason: /its owner left/ })
  })
})

describe('a machine that cannot do such work', () => {
  const unfit = (shard: number): Message => ({
    type: 'shard-failed',
    job,
    ballot: { counter: 1, peer: 'me' },
    shard,
    reason: 'sick: cannot decode images',
    retryable: true,
    unfit: true,
  })

  test('is no word on the shard, however often: another one takes it', () => {
    const peer = leading('me', 'own', 1)
    peer.up('sick', 1)
    peer.hear('sick', unfit(0))
    const effects = peer.up('well', 1)
    expect(granted(effects).well).toEqual([0])
    expect(peer.view()?.phase).toBe('running')
  })

  test('alone makes the job wait, and then fail by the name of its trouble', () => {
    const peer = leading('me', 'own', 1)
    peer.up('sick', 1)
    for (let n = 0; n < 30 && !peer.view()?.outcome; n++) {
      peer.hear('sick', unfit(0))
      peer.wait(5_000)
    }
    expect(peer.nowMs - 1_000_000).toBeGreaterThan(115_000)
    expect(peer.view()?.outcome?.reason).toMatch(/^no peer could compute it for \d+ s: sick: cannot decode images/)
  })
})
