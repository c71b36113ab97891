/** The first signal ends a command, whatever it waits for; a hangup leaves alone what nohup started. */
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { until } from './mesh-of-processes.ts'
import { type OnePeer, onePeer } from './one-peer.ts'
import { type ProcessInit, peer } from './peer-command.ts'

let one: OnePeer
beforeAll(async () => {
  one = await onePeer()
  await drawSamples(join(one.scratch, 'images'), { count: 3, seed: 1 })
})
afterAll(() => one.stop())

let pipes = 0

/** Submits into a pipe that nobody reads, and gets the signal once the job is done and the command waits. */
function submitInto(init: ProcessInit) {
  const pipe = join(one.scratch, `pipe-${pipes++}`)
  execFileSync('mkfifo', [pipe])
  const model = join(packageRoot, 'demo/models/shapes-plain')
  const args = ['submit', 'classify', 'images', '--model', model, '--out', pipe, '--data', join(one.scratch, 'peer')]
  const wanted = pipes
  const waits = until(
    async () => (await one.peer.jobs()).filter(job => job.phase === 'final').length >= wanted,
    'the job is done',
  ).then(() => new Promise(resolve => setTimeout(resolve, 300)))
  return { pipe, ran: peer(args, { cwd: one.scratch, signalAfter: waits, ...init }), waits }
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends a submission that waits for a reader', async signal => {
  const { code, stderr } = await submitInto({ signal }).ran
  expect(code).toBe(130)
  expect(stderr).toMatch(/^peer: stopped$/m)
  expect(stderr).not.toMatch(/\n {4}at /)
})

test('a hangup does not end what nohup started', async () => {
  const { pipe, ran, waits } = submitInto({ signal: 'SIGHUP', env: { _: '/usr/bin/nohup' } })
  await waits
  await new Promise(resolve => setTimeout(resolve, 300))
  expect((await readFile(pipe, 'utf8')).split('\n')).toHaveLength(5)
  expect((await ran).code).toBe(0)
})

test('a peer that starts ends at the first signal too', async () => {
  const ran = await peer(['start', '--join', '-', '--data', 'starts'], {
    cwd: one.scratch,
    signal: 'SIGTERM',
    signalMs: 1500,
  })
  expect(ran.stderr).not.toMatch(/\n {4}at /)
  expect(ran.code).not.toBe(0)
})
