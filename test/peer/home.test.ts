/** A data folder that is written from several sides at once can be opened again. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openHome } from '../../src/peer/home.ts'

test('addresses remembered at once leave the last of them, whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-home-'))
  try {
    const home = await openHome(folder)
    for (let round = 0; round < 20; round++) {
      const lists = Array.from({ length: 8 }, (_, n) =>
        Array.from({ length: n % 2 === 0 ? 40 : 1 }, (_, k) => `/ip4/10.0.${round}.${k}/tcp/${4000 + n}`),
      )
      await Promise.all(lists.map(list => home.remember(list)))
      expect(JSON.parse(await readFile(join(folder, 'mesh.json'), 'utf8')).dial).toEqual(lists.at(-1))
    }
    expect((await openHome(folder)).meshName).toBe(home.meshName)
  } finally {
    await rm(folder, { recursive: true })
  }
})
