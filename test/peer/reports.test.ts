/** Networks under conditions from public bug reports, where they lie beside the checkout, as jobs of a peer. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startPeer } from '../../src/peer/peer.ts'
import { missing, shared } from '../fixtures/shared.ts'
import { all, end } from './some-peers.ts'

const expectedSchema = z.record(
  z.string(),
  z.object({ probabilities: z.record(z.string(), z.array(z.number())).optional() }),
)
test.skipIf(missing('networks of public bug reports', 1))(
  'each network says what its makers mean',
  { timeout: 120_000 },
  async () => {
    const cwd = join(shared as string, 'reports/models')
    if (!existsSync(cwd)) return
    const expected = expectedSchema.parse(JSON.parse(readFileSync(join(cwd, 'expected.json'), 'utf8')))
    const data = mkdtempSync(join(tmpdir(), 'shardmesh-reports-'))
    const peer = await startPeer({ data, alone: true, mdns: false, listen: [], backend: 'wasm', workers: 1 })
    for (const [name, { probabilities }] of Object.entries(expected)) {
      if (!probabilities) continue
      const model = existsSync(join(cwd, name)) ? name : `${name}.onnx`
      const request = {
        workload: 'classify' as const,
        inputs: ['pictures'],
        cwd,
        models: [model],
        merge: 'mean' as const,
        top: 9,
      }
      const { job } = await peer.submit(request)
      expect((await end(peer, job)).phase, name).toBe('final')
      const [header, ...rows] = await all(peer.results(job))
      if (header.type !== 'header') throw new Error('a classification begins with its header')
      for (const row of rows) {
        if (row.type !== 'row') throw new Error(`${name}: a picture could not be read`)
        const got = header.labels.map(label => row.top.find(one => one.label === label)?.score)
        const want = probabilities[basename(row.path)].map(value => expect.closeTo(value, 2.5))
        expect(got, `${name}: ${row.path}`).toEqual(want)
      }
    }
    await peer.stop()
    rmSync(data, { recursive: true, force: true })
  },
)
