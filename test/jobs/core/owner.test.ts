import { describe, expect, test } from 'vitest'
import { standstillWord } from '../../../src/jobs/core/owner.ts'
import { corePeer, digest, head, job, only, sent } from './harness.ts'

function submitted(others: string[]) {
  const peer = corePeer('own')
  peer.up('own', 0)
  for (const name of others) peer.up(name)
  return { peer, effects: peer.feed({ type: 'submit', job, priority: 0 }) }
}

describe('finding a leader', () => {
  test('the first offer has ballot 1, the next one 2, whoever refused or was not reached', () => {
    const { peer, effects } = submitted(['a', 'b', 'c'])
    const [first] = sent(effects, 'offer')
    expect(first.message.ballot).toEqual({ counter: 1, peer: first.to })
    const refusal = { type: 'offer-reply', job, ballot: first.message.ballot, accepted: false } as const
    const [second] = sent(peer.hear(first.to, refusal), 'offer')
    expect(second.message.ballot).toEqual({ counter: 2, peer: second.to })
    const [third] = sent(peer.undelivered(second.to, second.message), 'offer')
    expect(third.message.ballot.counter).toBe(3)
    const [fourth] = sent(peer.down(third.to), 'offer')
    expect(fourth.message.ballot.counter).toBe(4)
    expect(new Set([first.to, second.to, third.to]).size).toBe(3)
  })

  test('a silent candidate is passed over after offerMs; the owner is the last resort', () => {
    const { peer } = submitted(['a'])
    expect(sent(peer.wait(peer.config.offerMs - 100), 'offer')).toEqual([])
    expect(sent(peer.wait(100), 'offer').map(one => one.to)).toEqual(['own'])
  })

  test('after a whole round it waits before it asks again', () => {
    const { peer, effects } = submitted([])
    const [offer] = sent(effects, 'offer')
    expect(sent(peer.undelivered('own', offer.message), 'offer')).toEqual([])
    expect(sent(peer.wait(peer.config.retryMs * 2), 'offer')).toHaveLength(1)
  })

  test('who accepts too late is told of the later ballot', () => {
    const { peer, effects } = submitted(['a', 'b'])
    const [first] = sent(effects, 'offer')
    const [second] = sent(peer.wait(peer.config.offerMs), 'offer')
    const late = { type: 'offer-reply', job, ballot: first.message.ballot, accepted: true } as const
    const [told] = sent(peer.hear(first.to, late), 'superseded')
    expect(told.to).toBe(first.to)
    expect(told.message.ballot).toEqual(second.message.ballot)
  })

  test('alone it leads its own job, before a single input is read', () => {
    const { peer, effects } = submitted([])
    const [offer] = sent(effects, 'offer')
    const [reply] = sent(peer.hear('own', offer.message), 'offer-reply')
    expect(reply.message.accepted).toBe(true)
    expect(peer.view()).toMatchObject({ phase: 'running', leader: 'own', shardsTotal: 0, complete: false })
  })
})

describe('a candidate', () => {
  const ballot = { counter: 1, peer: 'me' }
  const offer = { type: 'offer', job, ballot, manifest: head(0), complete: false } as const

  test('fetches the spec from the owner before it accepts', () => {
    const peer = corePeer('me')
    peer.up('own')
    const effects = peer.hear('own', offer)
    expect(only(effects, 'fetch-spec')).toMatchObject([{ from: 'own' }])
    expect(sent(effects, 'offer-reply')).toEqual([])
    expect(sent(peer.spec('own'), 'offer-reply')).toMatchObject([{ to: 'own', message: { accepted: true } }])
  })

  test('refuses when the spec cannot be had, or is somebody else’s', () => {
    const peer = corePeer('me')
    peer.up('own')
    peer.hear('own', offer)
    const effects = peer.feed({ type: 'fetch-failed', job, what: 'spec' })
    expect(sent(effects, 'offer-reply')).toMatchObject([{ message: { accepted: false } }])
    const other = corePeer('me')
    other.up('own')
    other.hear('own', offer)
    expect(sent(other.spec('thief'), 'offer-reply')).toMatchObject([{ message: { accepted: false } }])
    expect(other.job().leader).toBeUndefined()
  })

  test('answers a repeated offer the same, and one under an older ballot with the newer', () => {
    const peer = corePeer('me')
    peer.up('own')
    peer.hear('own', { ...offer, ballot: { counter: 3, peer: 'me' } })
    peer.spec('own')
    const again = peer.hear('own', { ...offer, ballot: { counter: 3, peer: 'me' } })
    expect(sent(again, 'offer-reply')).toMatchObject([{ message: { accepted: true } }])
    const [old] = sent(peer.hear('own', offer), 'superseded')
    expect(old.message.ballot.counter).toBe(3)
  })
})

describe('inputs', () => {
  test('each manifest and the end are told to the leader, and told again while its digest lags', () => {
    const { peer, effects } = submitted(['a'])
    const [offer] = sent(effects, 'offer')
    peer.hear('a', { type: 'offer-reply', job, ballot: offer.message.ballot, accepted: true })
    expect(sent(peer.manifest(0, 3), 'manifest')).toMatchObject([{ to: 'a', message: { complete: false } }])
    expect(sent(peer.feed({ type: 'inputs-end', job }), 'manifest')).toMatchObject([{ message: { complete: true } }])
    expect(sent(peer.wait(2000), 'manifest')).toEqual([])
    peer.hear('a', digest(offer.message.ballot, 'own', { manifest: head(0), complete: false }))
    expect(sent(peer.wait(3000), 'manifest')).not.toEqual([])
    peer.hear('a', digest(offer.message.ballot, 'own', { manifest: head(1), complete: true, version: 2 }))
    expect(sent(peer.wait(2000), 'manifest')).toEqual([])
  })

  test('a new leader is told at once', () => {
    const { peer, effects } = submitted(['a', 'b'])
    const [offer] = sent(effects, 'offer')
    peer.hear(offer.to, { type: 'offer-reply', job, ballot: offer.message.ballot, accepted: true })
    peer.manifest(0, 3)
    const other = offer.to === 'a' ? 'b' : 'a'
    const claim = {
      type: 'claim',
      job,
      ballot: { counter: 2, peer: other },
      manifest: head(0),
      complete: false,
    } as const
    const told = [{ to: other, message: { manifest: { count: 1 } } }]
    expect(sent(peer.hear(other, claim), 'manifest')).toMatchObject(told)
  })

  test('what was read since the offer is told with the answer to it, and no later', () => {
    const { peer, effects } = submitted(['a'])
    const [offer] = sent(effects, 'offer')
    peer.manifest(0, 3)
    const accepted = peer.hear(offer.to, { type: 'offer-reply', job, ballot: offer.message.ballot, accepted: true })
    expect(sent(accepted, 'manifest')).toMatchObject([{ to: offer.to, message: { manifest: { count: 1 } } }])
    expect(sent(peer.wait(200), 'manifest')).toEqual([])
  })
})

describe('ending by the owner', () => {
  test('cancel ends it here at once and is repeated until the leader has it', () => {
    const { peer, effects } = submitted(['a'])
    const [offer] = sent(effects, 'offer')
    peer.hear('a', { type: 'offer-reply', job, ballot: offer.message.ballot, accepted: true })
    const cancelled = peer.feed({ type: 'cancel', job })
    expect(only(cancelled, 'ended')).toMatchObject([{ outcome: { phase: 'cancelled' } }])
    expect(only(cancelled, 'gossip')).toMatchObject([{ message: { outcome: { phase: 'cancelled' } } }])
    const [first] = sent(cancelled, 'cancel')
    peer.undelivered('a', first.message)
    expect(sent(peer.wait(1000), 'cancel')).toHaveLength(1)
    expect(sent(peer.wait(1000), 'cancel')).toHaveLength(0)
  })

  test('nobody else cancels: neither their user nor their message', () => {
    const peer = corePeer('me')
    peer.up('own')
    peer.up('thief')
    peer.hear('own', { type: 'offer', job, ballot: { counter: 1, peer: 'me' }, manifest: head(0), complete: false })
    peer.spec('own')
    peer.feed({ type: 'cancel', job })
    peer.hear('thief', { type: 'cancel', job })
    expect(peer.view()?.phase).toBe('running')
    peer.hear('own', { type: 'cancel', job })
    expect(peer.view()?.phase).toBe('cancelled')
  })

  test('abort fails the job with the reason, at the leader too', () => {
    const { peer, effects } = submitted(['a'])
    const [offer] = sent(effects, 'offer')
    peer.hear('a', { type: 'offer-reply', job, ballot: offer.message.ballot, accepted: true })
    const [told] = sent(peer.feed({ type: 'abort', job, reason: 'the folder is gone' }), 'outcome')
    expect(told).toMatchObject({ to: 'a', message: { outcome: { phase: 'failed', reason: 'the folder is gone' } } })
  })
})

test('an owner that stands still tells a leader that took over that the inputs are all read', () => {
  const { peer } = submitted(['a'])
  peer.manifest(0, 3)
  const heard = digest({ counter: 2, peer: 'a' }, 'own', { complete: false })
  expect(standstillWord(peer.state, 'own', heard)).toBeUndefined()
  peer.feed({ type: 'inputs-end', job })
  expect(standstillWord(peer.state, 'own', heard)).toEqual({ type: 'manifest', job, manifest: head(1), complete: true })
  expect(standstillWord(peer.state, 'own', { ...heard, complete: true })).toBeUndefined()
  expect(standstillWord(peer.state, 'another', heard)).toBeUndefined()
})
