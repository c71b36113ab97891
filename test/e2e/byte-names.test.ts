/** Pictures whose names are no UTF-8, as on old disks: in a folder, named one by one, and in a list. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { type OnePeer, onePeer } from './one-peer.ts'

const names = ['caf\xe9.jpg', 'x\xff\xfe.jpg', 'x\xff\xfd.jpg']
const shown = ['caf\\xe9.jpg', 'x\\xff\\xfd.jpg', 'x\\xff\\xfe.jpg']
const model = join(packageRoot, 'demo/models/shapes-plain')
let one: OnePeer
let possible = true

beforeAll(async () => {
  one = await onePeer()
  const { scratch } = one
  await drawSamples(join(scratch, 'drawn'), { count: 3, seed: 1 })
  const drawn = readdirSync(join(scratch, 'drawn'), { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.jpg'),
  )
  mkdirSync(join(scratch, 'in'))
  try {
    for (const [i, name] of names.entries())
      copyFileSync(join(scratch, 'drawn', drawn[i]), Buffer.from(`${scratch}/in/${name}`, 'latin1'))
  } catch {
    possible = false // macOS takes no such names
  }
  writeFileSync(join(scratch, 'list'), Buffer.from(names.map(name => `in/${name}\0`).join(''), 'latin1'))
})
afterAll(() => one.stop())

const classified = (file: string) =>
  readFileSync(join(one.scratch, file), 'utf8')
    .split('\n')
    .slice(1, -1)
    .map(line => line.split(',')[0])

test('a folder, a list, and the library', async context => {
  if (!possible) return context.skip('this file system takes no such names')
  await one.cli('submit', 'classify', 'in', '--model', model, '--out', 'folder.csv')
  expect(classified('folder.csv').sort()).toEqual(shown.map(name => `in/${name}`))
  await one.cli('submit', 'classify', '--files-from', 'list', '--model', model, '--out', 'list.csv')
  expect(classified('list.csv').sort()).toEqual(shown.map(name => `in/${name}`))
  const request = {
    workload: 'classify' as const,
    inputs: ['in'],
    cwd: one.scratch,
    models: [model],
    merge: 'mean' as const,
    top: 1,
  }
  const rows = (await one.library(request)).filter(item => item.type === 'row')
  expect(rows.map(row => row.path).sort()).toEqual(shown.map(name => `in/${name}`))
})

test('as arguments, which a shell makes of a pattern', async context => {
  if (!possible) return context.skip('this file system takes no such names')
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const line = '"$0" "$1" submit classify in/*.jpg --model "$2" --data peer --out arguments.csv'
  // Not the synchronous call: the peer runs in this process.
  await promisify(execFile)('sh', ['-c', line, process.execPath, main, model], { cwd: one.scratch })
  expect(classified('arguments.csv').sort()).toEqual(shown.map(name => `in/${name}`))
})
