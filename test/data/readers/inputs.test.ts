import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { imageExtensions, listInputs } from '../../../src/data/readers/inputs.ts'

let root: string
let before: string
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'shardmesh-inputs-')))
  before = process.cwd()
  for (const file of [
    'photos/b/2.jpg',
    'photos/b/10.jpg',
    'photos/b/notes.txt',
    'photos/a.PNG',
    'photos/c.jpeg',
    'photos/.hidden.jpg',
    'photos/.cache/x.jpg',
    'photos/b.d/1.webp',
    'other/z.gif',
    'other/raw.dat',
    'empty/readme.txt',
    'odd/[1].jpg',
    'odd/{a,b}.jpg',
  ]) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), 'x')
  }
  await mkdir(join(root, 'links/deep'), { recursive: true })
  await writeFile(join(root, 'links/deep/q.jpg'), 'x')
  await symlink('..', join(root, 'links/deep/up'))
  await symlink('../../photos/b', join(root, 'links/deep/b'))
  await symlink('nowhere.jpg', join(root, 'links/gone.jpg'))
  process.chdir(root)
})
afterAll(async () => {
  process.chdir(before)
  await rm(root, { recursive: true })
})

async function paths(...inputs: string[]): Promise<string[]> {
  const found: string[] = []
  for await (const { path, file } of listInputs(inputs)) {
    expect(file).toBe(path.startsWith('/') ? path : join(root, path))
    found.push(path)
  }
  return found
}

const photos = ['photos/a.PNG', 'photos/b.d/1.webp', 'photos/b/10.jpg', 'photos/b/2.jpg', 'photos/c.jpeg']

test('a folder is walked sorted by name, hidden files and other kinds left out', async () => {
  expect(await paths('photos')).toEqual(photos)
  expect(await paths('./photos/')).toEqual(photos)
  expect(await paths(join(root, 'photos'))).toEqual(photos.map(path => join(root, path)))
})

test('the folder one is in needs no prefix', async () => {
  process.chdir(join(root, 'photos'))
  try {
    const found: string[] = []
    for await (const { path } of listInputs(['.'])) found.push(path)
    expect(found).toEqual(photos.map(path => path.replace('photos/', '')))
  } finally {
    process.chdir(root)
  }
})

test('the order is the same however few names are held at once', async () => {
  for (const namesMax of [1, 2, 3, 5]) {
    const found: string[] = []
    for await (const { path } of listInputs(['photos', 'links'], { namesMax })) found.push(path)
    expect(found, `${namesMax} names`).toEqual(await paths('photos', 'links'))
  }
  // Against a simple sort, in one folder of many names whose readings overlap their bounds.
  const names = Array.from({ length: 500 }, (_, n) => `${(n * 7919) % 500}.jpg`)
  await mkdir('many')
  await Promise.all(names.map(name => writeFile(join('many', name), '')))
  const found: string[] = []
  for await (const { path } of listInputs(['many'], { namesMax: 64 })) found.push(path)
  expect(found).toEqual(names.map(name => `many/${name}`).sort())
})

test('a file that is named is taken whatever it is called', async () => {
  expect(await paths('photos/b/notes.txt', 'photos/.hidden.jpg')).toEqual(['photos/b/notes.txt', 'photos/.hidden.jpg'])
  expect(await paths('odd/[1].jpg', 'odd/{a,b}.jpg')).toEqual(['odd/[1].jpg', 'odd/{a,b}.jpg'])
})

test('globs take images, their own extension, and folders', async () => {
  expect(await paths('photos/*/1*.*')).toEqual(['photos/b.d/1.webp', 'photos/b/10.jpg'])
  expect(await paths('other/*.dat')).toEqual(['other/raw.dat'])
  expect(await paths('phot*')).toEqual(photos)
  expect((await paths('photos/**')).sort()).toEqual(photos)
})

test('a file comes once, whichever way it is named first', async () => {
  expect(await paths('photos', 'photos/b', 'photos/b/2.jpg', './photos/b/*.jpg')).toEqual(photos)
  expect(await paths('photos/b/2.jpg', 'photos/b/2.jpg', 'photos')).toEqual([
    'photos/b/2.jpg',
    ...photos.filter(path => path !== 'photos/b/2.jpg'),
  ])
  // The walk leaves this one out, so naming it after the folder still counts.
  expect(await paths('photos', 'photos/b/notes.txt')).toEqual([...photos, 'photos/b/notes.txt'])
})

test('links are followed, their loops are not, and a dangling one is left for an error row', async () => {
  expect(await paths('links')).toEqual([
    'links/deep/b/10.jpg',
    'links/deep/b/2.jpg',
    'links/deep/q.jpg',
    'links/gone.jpg',
  ])
})

test('nothing to do is said in one line, before anything is listed', async () => {
  for (const [inputs, code, words] of [
    [['missing'], 'INPUT_MISSING', 'missing does not exist'],
    [['photos', 'photos/a.PNG/x'], 'INPUT_MISSING', 'does not exist'],
    [['photos', '*.tiff'], 'INPUT_MISSING', 'matches no file'],
    [['empty'], 'INPUT_NONE', 'no images in empty'],
    [[], 'INPUT_NONE', 'no images'],
    [['photos', '/dev/null'], 'INPUT_KIND', 'neither a file nor a folder'],
  ] as const) {
    const listing = listInputs(inputs)[Symbol.asyncIterator]()
    const failure = await listing.next().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(failure).toMatchObject({ code, kind: 'input', message: expect.stringContaining(words) })
    expect(String(failure)).not.toContain('\n')
  }
})

test('extensions can be chosen', async () => {
  const found: string[] = []
  for await (const { path } of listInputs(['photos'], { extensions: ['txt'] })) found.push(path)
  expect(found).toEqual(['photos/b/notes.txt'])
  expect(imageExtensions).toContain('jpg')
})

test('counts the files of folders that are of another kind, hidden ones aside, in large folders once', async () => {
  for (const namesMax of [undefined, 1]) {
    const passedOver = { files: 0, first: undefined as string | undefined }
    for await (const _ of listInputs(['photos', 'other'], { passedOver, namesMax }));
    expect(passedOver).toEqual({ files: 2, first: join(root, 'other/raw.dat') })
  }
})
