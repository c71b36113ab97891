/** A table with rows that cannot be read: the job ends before it learns and names the first, or leaves them out and counts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ProcessMesh, startMeshOfProcesses } from './mesh-of-processes.ts'
import { command } from './peer-command.ts'

describe('rows that cannot be read', { timeout: 60_000 }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-rows-'))
  let mesh: ProcessMesh
  beforeAll(async () => {
    mesh = await startMeshOfProcesses([{}])
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${(i * 7) % 11}`)
    rows[20] = '20,many'
    rows[30] = '30'
    writeFileSync(join(scratch, 'table.csv'), ['a,b', ...rows].join('\n'))
  })
  afterAll(async () => {
    await mesh.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  const train = (...args: string[]) => {
    const all = ['train', 'kmeans', 'table.csv', '--k', '2', '--rows-per-shard', '10', '--out', 'two.onnx', ...args]
    return command(['submit', ...all, '--data', mesh.peers[0].data], { cwd: scratch })
  }

  test.each([[[]], [['--strict']]])('the first one ends the job: %j', async args => {
    const ran = await train(...args)
    expect(ran.code).not.toBe(0)
    expect(ran.stderr).toMatch(/table\.csv, line 22: column "b" holds "many", which is no number;.*--skip-bad-rows/)
  })

  test('or they are left out and counted', async () => {
    const ran = await train('--skip-bad-rows')
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stderr).toMatch(/2 rows left out; the first: table\.csv, line 22: column "b" holds "many"/)
    expect(ran.stderr).toMatch(/38 rows/)
  })

  test('a table in Latin-1 below two lines of words: refused with its place, read with two options', async () => {
    const text = 'made by hand\n\nx,word\n1,é\n2,è\n3,é\n4,è\n'
    writeFileSync(join(scratch, 'latin.csv'), Buffer.from(text, 'latin1'))
    const learn = (...args: string[]) => {
      const all = [
        'train',
        'softmax',
        'latin.csv',
        '--label',
        'word',
        '--skip-lines',
        '1',
        '--out',
        'latin.onnx',
        ...args,
      ]
      return command(['submit', ...all, '--data', mesh.peers[0].data], { cwd: scratch })
    }
    const refused = await learn()
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('line 4: byte 24 of the file is no UTF-8'),
    ])
    const ran = await learn('--encoding', 'latin1')
    expect(ran.code, ran.stderr).toBe(0)
    const card = JSON.parse(readFileSync(join(scratch, 'latin.card.json'), 'utf8'))
    expect(card.data.classes).toEqual(['è', 'é'])
    const unknown = await learn('--encoding', 'klingon')
    expect(unknown.stderr).toContain('no encoding of this name is known')
  })

  test('not both', async () => {
    const ran = await train('--skip-bad-rows', '--strict')
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(/--skip-bad-rows.*cannot be used with.*--strict/)])
  })
})
