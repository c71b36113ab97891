/** Machines that are short of descriptors: no picture is called unreadable for it, and no row goes missing. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'

const count = 300
let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'shardmesh-short-'))
  await drawSamples(join(scratch, 'images'), { count, seed: 5 })
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

/** The command under a limit of so many descriptors. */
function limited(descriptors: number, args: string[]): Promise<{ code: number | null; stderr: string }> {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const child = spawn('sh', ['-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh', process.execPath, main, ...args], {
    cwd: scratch,
    env: { ...process.env, SHARDMESH_LAUNCHED: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', bytes => {
    stderr += bytes
  })
  return new Promise(resolve => child.once('exit', code => resolve({ code, stderr })))
}

test.each([64, 128])('a submitter with %i descriptors: every row, or one line with the reason', async descriptors => {
  const model = join(packageRoot, 'demo/models/shapes-plain')
  const out = join(scratch, `${descriptors}.csv`)
  const args = ['submit', 'classify', 'images', '--model', model, '--data', `data-${descriptors}`, '--out', out]
  const { code, stderr } = await limited(descriptors, args)
  if (code === 0) {
    expect((await readFile(out, 'utf8')).trim().split('\n')).toHaveLength(count + 1)
    expect(stderr).not.toMatch(/read error|EMFILE|could not be read/)
  } else expect(stderr).toMatch(/too many open files: raise the limit/)
  expect(stderr).not.toMatch(/\n {4}at /)
})
