/** A matrix of any length is a table: it is read piece by piece. */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { readNpyTable } from '../../../src/data/tables/npy.ts'

/** A matrix with more elements than a tensor may have; on disk it is a hole behind its header. */
async function longMatrix(file: string, fortran: boolean): Promise<number> {
  const rows = limits.tensorElementsMax / 64 + 5
  const dict = `{'descr': '<f4', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${rows}, 64), }`
  const text = `${dict.padEnd(117)}\n`
  const head = Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, text.length, 0]), Buffer.from(text)])
  const handle = await open(file, 'w')
  await handle.write(head)
  await handle.truncate(head.length + rows * 64 * 4)
  await handle.close()
  return rows
}

test('by rows it may be longer than any tensor, by columns it may not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-npy-'))
  try {
    await longMatrix(join(folder, 'long.npy'), false)
    for await (const batch of readNpyTable(join(folder, 'long.npy'), 'long.npy')) {
      expect(batch.columns).toHaveLength(64)
      expect(batch.rows.length).toBeGreaterThan(0)
      break
    }
    await longMatrix(join(folder, 'columns.npy'), true)
    const whole = readNpyTable(join(folder, 'columns.npy'), 'columns.npy')[Symbol.asyncIterator]()
    await expect(whole.next()).rejects.toMatchObject({ kind: 'input' })
  } finally {
    await rm(folder, { recursive: true })
  }
})
