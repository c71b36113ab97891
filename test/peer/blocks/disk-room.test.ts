import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { openDiskRoom } from '../../../src/peer/blocks/disk-room.ts'

const full = new PeerError({ code: 'STORE_FULL', kind: 'resource', message: 'the disk is full' })

test('work that the disk refused waits for room, and other errors pass', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-room-'))
  const changes: (string | undefined)[] = []
  let free = false
  const room = await openDiskRoom({ folder, onChange: paused => changes.push(paused), probe: async () => free })
  let tries = 0
  const work = Promise.all(
    Array.from({ length: 3 }, () =>
      room.patiently(async () => {
        tries++
        if (!free) throw full
        return 'done'
      }),
    ),
  )
  await expect.poll(() => tries).toBe(3)
  expect(room.paused).toBe('the disk is full')
  await expect.poll(() => readdir(folder)).toEqual([])
  await expect(room.patiently(() => Promise.reject(new Error('another')))).rejects.toThrow('another')
  free = true
  expect(await work).toEqual(['done', 'done', 'done'])
  expect(room.paused).toBeUndefined()
  expect(changes).toEqual(['the disk is full', undefined])

  free = false
  const never = room.patiently(() => Promise.reject(full))
  await expect.poll(() => room.paused).toBe('the disk is full')
  const refused = expect(never).rejects.toMatchObject({ code: 'PEER_STOPPED' })
  await room.stop()
  await refused
  await rm(folder, { recursive: true })
})

test('a disk that takes nothing and gives up nothing pauses the peer all the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-room-'))
  const room = await openDiskRoom({ folder, onChange: () => {} })
  // Neither its reserve can be removed then, nor a new one written.
  await rm(folder, { recursive: true })
  await writeFile(folder, '')
  const details = { system: 'EROFS' }
  room.refused(
    new PeerError({ code: 'STORE_UNUSABLE', kind: 'resource', message: 'the file system is read-only', details }),
  )
  expect([room.paused, room.short]).toEqual(['the file system is read-only', 'its disk is read-only'])
  await room.stop()
  await rm(folder)
})
