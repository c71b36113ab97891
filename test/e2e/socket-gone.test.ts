/** The socket of a running peer is removed: it makes another, and goes on to be reached. */
import { rmSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { until } from './mesh-of-processes.ts'
import { onePeer } from './one-peer.ts'

const one = await onePeer()
afterAll(() => one.stop())

test('the peer is reached again', async () => {
  const socket = one.peer.home.socketPath
  for (let times = 0; times < 2; times++) {
    rmSync(socket)
    expect((await one.cli('status')).code).toBe(2)
    await until(async () => (await one.cli('status')).code === 0, 'the peer answers again', 20_000)
  }
})
