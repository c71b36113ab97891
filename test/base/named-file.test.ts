/** The door for paths that users name: every kind of thing that a path may be, and none that is waited for. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kindAt, openNamed, openNamedSync, readNamed, readNamedText } from '../../src/base/named-file.ts'

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardmesh-door-'))
  execFileSync('mkfifo', [at('pipe')])
  await writeFile(at('file'), 'some text')
  await writeFile(at('empty'), '')
  await symlink('file', at('link'))
  await symlink('loop', at('loop'))
})
afterAll(() => rm(folder, { recursive: true }))
const init = { bytesMax: 100 }

test('reads plain files and links to them, whole and within the bound', async () => {
  expect(await readNamedText(at('file'), init)).toBe('some text')
  expect(await readNamedText(at('link'), { bytesMax: 9 })).toBe('some text')
  expect(await readNamed(at('empty'), init)).toHaveLength(0)
  await expect(readNamed(at('file'), { bytesMax: 8, as: '--labels file' })).rejects.toMatchObject({
    code: 'FILE_TOO_LARGE',
    message: '--labels file has more than 8 bytes, which is the most: is it the right file?',
  })
})

test('files without a size, as in /proc, are read to their end', async context => {
  if ((await kindAt('/proc/self/status')) === undefined) return context.skip('no /proc here')
  expect(await readNamedText('/proc/self/status', { bytesMax: 100_000 })).toContain('Pid:')
  await expect(readNamed('/proc/self/status', { bytesMax: 10 })).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' })
})

test('anything else is refused at once, with what it is', async () => {
  const server = createServer().listen(at('socket'))
  await new Promise(resolve => server.once('listening', resolve))
  const kinds: [string, string][] = [
    ['pipe', 'is a pipe'],
    ['socket', 'is a socket'],
    ['.', 'is a folder'],
    ['/dev/zero', 'is a device'],
    ['nothing', 'does not exist'],
    ['file/below', 'does not exist'],
    ['loop', 'is a link that leads in a circle'],
  ]
  for (const [name, what] of kinds) {
    const path = name.startsWith('/') ? name : at(name)
    const refused = { kind: 'input', message: expect.stringMatching(new RegExp(`^it ${what}`)) }
    await expect(readNamed(path, { ...init, as: 'it' }), name).rejects.toMatchObject(refused)
    await expect(openNamed(path, 'it'), name).rejects.toMatchObject(refused)
    expect(() => openNamedSync(path, 'it'), name).toThrow(what)
  }
  server.close()
})

test('a pipe is read where that is asked for, and the wait for it can be ended', async () => {
  const reading = readNamedText(at('pipe'), { ...init, pipes: true })
  const writer = await open(at('pipe'), 'w')
  await writer.writeFile('through a pipe')
  await writer.close()
  expect(await reading).toBe('through a pipe')

  const abort = new AbortController()
  const silent = readNamed(at('pipe'), { ...init, pipes: true, signal: abort.signal })
  const mute = await open(at('pipe'), 'w')
  abort.abort()
  await expect(silent).rejects.toMatchObject({ code: 'FILE_STOPPED', kind: 'aborted' })
  await mute.close()
})
