/** What a machine lacks for a while is no file's fault. */
import { expect, test } from 'vitest'
import { patiently } from '../../../src/data/readers/patience.ts'

const coded = (code: string) => Object.assign(new Error(code), { code })

test('waits while descriptors are short', async () => {
  let tries = 0
  const got = await patiently('a.jpg', async () => {
    if (++tries < 4) throw coded('EMFILE')
    return 'read'
  })
  expect(got).toBe('read')
})

test('a damaged disk ends the reading with that reason, and is no row', async () => {
  const read = patiently('a.jpg', async () => {
    throw coded('EIO')
  })
  await expect(read).rejects.toMatchObject({ code: 'MACHINE_SHORT', kind: 'resource', message: /a\.jpg now: the disk/ })
})

test('what the file is to blame for goes on as it is', async () => {
  const read = patiently('a.jpg', async () => {
    throw coded('ENOENT')
  })
  await expect(read).rejects.toMatchObject({ code: 'ENOENT' })
})
