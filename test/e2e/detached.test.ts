/** A submitter that hands its job to the mesh and is gone: its process ends, the others compute, anyone fetches. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { type ProcessMesh, startMeshOfProcesses, until } from './mesh-of-processes.ts'
import { command } from './peer-command.ts'

// Enough that the job does not end before both others hold its inputs.
const count = 4000

describe('peer submit --detach', { timeout: 180_000 }, () => {
  let scratch: string
  let mesh: ProcessMesh
  let work: string[]
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'shardmesh-detached-'))
    await drawSamples(join(scratch, 'images'), { count, seed: 8 })
    const models = join(packageRoot, 'demo/models')
    work = ['submit', 'classify', 'images', '--model', join(models, (await readdir(models)).sort()[0])]
    mesh = await startMeshOfProcesses([{}, {}])
  })
  afterAll(async () => {
    await mesh?.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  const ended = (job: string) =>
    until(async () => (await mesh.clients[0].job(job)).phase === 'final', 'the job ends', 90_000)
  const fetch = async (job: string, from: number) => {
    const out = `from${from}-${job}.csv`
    const ran = await command(['results', job, '--out', out, '--data', mesh.peers[from].data], { cwd: scratch })
    expect(ran.code, ran.stderr).toBe(0)
    return readFile(join(scratch, out), 'utf8')
  }

  test('without a peer of its own it stays until others hold the inputs, and no longer', async () => {
    const data = join(scratch, 'visitor')
    // It becomes a member by joining once.
    const { startPeer } = await import('../../src/peer/peer.ts')
    const member = await startPeer({ data, join: mesh.peers[0].token, mdns: false, listen: [], compute: false })
    await member.waitForPeers(10_000)
    await member.stop()

    const ran = await command([...work, '--detach', '--out', 'later.csv', '--data', data], { cwd: scratch })
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stdout).toMatch(/^[0-9a-f]{8}\n$/)
    expect(ran.stderr).toMatch(/2 other peers hold the inputs: this machine may leave/)
    const job = ran.stdout.trim()
    expect(ran.stderr).toContain(`peer results ${job} --out later.csv`)
    await ended(job)
    const [here, there] = [await fetch(job, 0), await fetch(job, 1)]
    expect(here.trim().split('\n')).toHaveLength(count + 1)
    expect(there).toBe(here)
    const kept = await command(['jobs', '--data', mesh.peers[1].data])
    expect(kept.stdout).toMatch(new RegExp(`${job}.*done.*\n.*keeps [\\d.]+ kB`))
  })

  test('with a peer that stays, it counts as one copy; the job can then be dropped everywhere', async () => {
    const ran = await command([...work, '--detach', '--json', '--data', mesh.peers[0].data], { cwd: scratch })
    expect(ran.code, ran.stderr).toBe(0)
    const { job } = JSON.parse(ran.stdout)
    expect((await mesh.clients[0].job(job)).copies ?? { placed: 1 }).toMatchObject({ placed: 1 })
    await ended(job)
    expect((await command(['drop', job, '--data', mesh.peers[1].data])).stderr).toMatch(/only the peer that submitted/)
    const dropped = await command(['drop', job, '--data', mesh.peers[0].data])
    expect(dropped.stdout).toMatch(/^job [0-9a-f]{8} dropped: [\d.]+ kB freed here/)
    for (const client of mesh.clients)
      await until(async () => (await client.jobs()).every(one => one.job !== job), 'nobody keeps it')
    const gc = await command(['gc', '--dry-run', '--older-than', '0s', '--data', mesh.peers[1].data])
    expect(gc.stdout).toMatch(/^would free [\d.]+ kB of job [0-9a-f]{8}\nwould free 0 B in 0 orphaned blocks\n/)
  })

  test('copies that cannot be had are told; without --detach they mean nothing', async () => {
    const ran = await command([...work, '--detach', '--copies', '9', '--data', mesh.peers[0].data], { cwd: scratch })
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stderr).toMatch(/8 other peers are to hold the inputs, and only \d other peers? (is|are) connected/)
    await ended(ran.stdout.trim())
    const refused = await command([...work, '--copies', '2'], { cwd: scratch })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--copies counts with --detach alone') })
  })

  test('alone in the world it is refused', async () => {
    const ran = await command([...work, '--detach', '--data', join(scratch, 'nobody')], { cwd: scratch })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/--detach needs another peer to hand the job to/)
    expect((await command([...work, '--detach', '--copies', '0'], { cwd: scratch })).code).toBe(2)
    expect((await command(['start', '--retention', 'soon'])).stderr).toMatch(/an age is expected, such as/)
  })
})
