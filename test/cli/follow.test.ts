/** What a person is told of a job that makes no progress. */
import { expect, test } from 'vitest'
import { waitsFor } from '../../src/cli/follow.ts'
import type { PeerView } from '../../src/peer/control.ts'

const peer = (name: string, change: Partial<PeerView> = {}): PeerView => ({
  ...{ peer: name, name, version: '0.1.0', device: '1 CPU worker', backend: 'wasm', slots: 1, itemsPerSecond: 0 },
  ...{ load: 0, connected: true, lastHeardMs: 0, offences: 0, refusedMs: 0, addresses: [], self: false },
  ...change,
})

test('by the name of the peer that is in trouble', () => {
  const sick = peer('kiwi', { trouble: 'cannot decode images: a part of the installation is missing' })
  expect(waitsFor([peer('fig'), sick])).toBe('kiwi cannot decode images: a part of the installation is missing')
  expect(waitsFor([sick, peer('plum', { slots: 0, paused: 'its disk is full' })])).toBe(
    'plum is paused: its disk is full',
  )
  expect(waitsFor([{ ...sick, connected: false }, peer('fig')])).toBeUndefined()
})

test('nobody computes', () => {
  expect(waitsFor([peer('me', { self: true, slots: 0 })])).toBe('no peer that is there computes: start one')
  expect(waitsFor([peer('me', { self: true })])).toBeUndefined()
})
