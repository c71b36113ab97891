/** A data folder that cannot be used is told by what is in the way, at once: by the peer, by doctor, by every command. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeFolder } from '../../src/base/make-folder.ts'
import { checkDataFolder } from '../../src/peer/data-folder.ts'
import { dataFolder, openHome } from '../../src/peer/home.ts'
import { peer } from '../e2e/peer-command.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-folder-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const at = (...parts: string[]) => join(scratch, ...parts)
const fifo = (...parts: string[]) => execFileSync('mkfifo', [at(...parts)])
writeFileSync(at('file'), '')
symlinkSync('/nonexistent/folder', at('dangling'))
symlinkSync('loop', at('loop'))
fifo('fifo')
for (const folder of ['a', 'b', 'c', 'd', 'e', 'f']) mkdirSync(at(folder, 'records'), { recursive: true })
fifo('a', 'identity')
fifo('b', 'mesh.json')
fifo('c', 'records', 'CURRENT')
mkdirSync(at('d', 'identity'))
writeFileSync(at('e', 'blocks'), '')
mkdirSync(at('f', 'peer.sock'))

const bad: [string, string, RegExp][] = [
  ['a file', at('file'), /file is not a folder/],
  ['below a file', at('file', 'x', 'y'), /file is not a folder/],
  ['a link to nothing', at('dangling'), /dangling is a link to what does not exist/],
  ['below a link to nothing', at('dangling', 'x'), /dangling is a link to what does not exist/],
  ['a link to itself', at('loop', 'x'), /ELOOP/],
  ['a pipe', at('fifo'), /fifo is not a folder/],
  ['a device', '/dev/null', /\/dev\/null is not a folder/],
  ['below a device', '/dev/null/x', /\/dev\/null is not a folder/],
  ['a name that is too long', at('x'.repeat(300)), /ENAMETOOLONG/],
  ['a path that is too long', at(...Array.from({ length: 50 }, () => 'y'.repeat(100))), /ENAMETOOLONG/],
  ['a pipe for the identity', at('a'), /identity is neither/],
  ['a pipe for the mesh', at('b'), /mesh\.json is neither/],
  ['a pipe among the records', at('c'), /CURRENT is neither/],
  ['a folder for the identity', at('d'), /identity is not a file/],
  ['a file for the blocks', at('e'), /blocks is not a folder/],
  ['a folder for the socket', at('f'), /peer\.sock is in the way/],
  // Where Node's own recursive mkdir never ended.
  ...(process.platform === 'linux' ? ([['below /proc', '/proc/x/y/z', /ENOENT/]] as [string, string, RegExp][]) : []),
]

test.each(bad)('%s', async (_, folder, why) => {
  for (const use of [checkDataFolder, openHome]) {
    await expect(use(folder)).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
      message: expect.stringMatching(why),
    })
  }
})

test('one that is missing, some steps deep, is made, and looking for it leaves nothing behind', async () => {
  const folder = at('deep', 'er', 'est')
  await checkDataFolder(folder)
  expect(readdirSync(scratch)).not.toContain('deep')
  await openHome(folder)
  expect(readdirSync(folder).sort()).toEqual(['blocks', 'identity', 'mesh.json', 'records'])
  await checkDataFolder(folder)
  await Promise.all(Array.from({ length: 8 }, () => makeFolder(at('many', 'at', 'once'))))
  expect(readdirSync(at('many'))).toEqual(['at'])
})

test('a folder that was there keeps its mode, and that others may write in it is told', async () => {
  for (const [mode, notes] of [
    [0o755, 0],
    [0o750, 0],
    [0o775, 1],
  ]) {
    const folder = at(`mode-${mode}`)
    mkdirSync(folder)
    chmodSync(folder, mode)
    for (let start = 0; start < 2; start++) expect((await openHome(folder)).notes).toHaveLength(notes)
    expect(statSync(folder).mode & 0o7777).toBe(mode)
    expect(statSync(join(folder, 'records')).mode & 0o777).toBe(0o700)
  }
  const theirs = at('theirs')
  mkdirSync(theirs)
  writeFileSync(join(theirs, 'something'), '')
  chmodSync(theirs, 0o775)
  await expect(openHome(theirs)).rejects.toMatchObject({ message: expect.stringContaining('others may write in it') })
  expect(statSync(theirs).mode & 0o7777).toBe(0o775)
})

test('an empty name is none, and an empty variable counts as unset', () => {
  expect(dataFolder('')).toBe(dataFolder())
  expect(dataFolder('~/peer')).toBe(join(homedir(), 'peer'))
  expect(() => dataFolder('~somebody/peer')).toThrow('write the whole path')
  const before = process.env.SHARDMESH_DATA
  process.env.SHARDMESH_DATA = ''
  try {
    expect(dataFolder()).toMatch(/\.shardmesh$/)
  } finally {
    if (before === undefined) delete process.env.SHARDMESH_DATA
    else process.env.SHARDMESH_DATA = before
  }
})

test('the command line: start ends with an error, doctor marks the folder', async () => {
  const worst = process.platform === 'linux' ? '/proc/x/y' : at('file', 'x')
  const started = await peer(['start', '--data', worst, '--backend', 'wasm', '--workers', '1'])
  expect([started.code > 0, started.stderr]).toEqual([true, expect.stringContaining('cannot be used')])
  const { stdout } = await peer(['doctor', '--data', worst, '--json'])
  const data = JSON.parse(stdout).find((one: { topic: string }) => one.topic === 'data')
  expect(data).toMatchObject({ ok: false, says: expect.stringContaining('cannot be used') })
})
