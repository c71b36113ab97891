/** Submitting a folder of any size takes the same memory. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const few = 500
const many = 5_000
const fileBytes = 50_000

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'shardmesh-memory-'))
  for (const [name, count] of [
    ['few', few],
    ['many', many],
  ] as const) {
    const folder = join(scratch, 'in', name)
    await mkdir(folder, { recursive: true })
    for (let at = 0; at < count; at += 100) {
      const write = (n: number) => writeFile(join(folder, `image-${at + n}.jpg`), Buffer.alloc(fileBytes, `${at + n} `))
      await Promise.all(Array.from({ length: 100 }, (_, n) => write(n)))
    }
  }
}, 120_000)
afterAll(() => rm(scratch, { recursive: true, force: true }))

test('ten times the images leave no more on the heap, and what passes through stays bounded', {
  timeout: 120_000,
}, async () => {
  const child = fileURLToPath(new URL('./submission-memory.ts', import.meta.url))
  // A heap that runs away ends the process.
  const { stdout } = await run(process.execPath, ['--expose-gc', '--max-old-space-size=80', child, scratch])
  const { items, heaps, externalPeak } = JSON.parse(stdout)
  expect(items).toBe(many)
  // A list of shards is kept, a few hundred bytes for 64 images: 300 bytes an image would be a list of images.
  expect(heaps[1] - heaps[0]).toBeLessThan(300 * (many - few))
  // 250 MB were read; the blocks in memory are at most 64 MiB, and some files are read ahead.
  expect(externalPeak).toBeLessThan(160e6)
})
