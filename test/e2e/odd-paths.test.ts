/** Every path that a user names, given as what is no file: one line at once, through the command line and the library's call. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import type { JobRequest } from '../../src/peer/control.ts'
import { type OnePeer, onePeer } from './one-peer.ts'
import { peer } from './peer-command.ts'

let one: OnePeer
let socket: Server
const network = join(packageRoot, 'demo/models/shapes-plain')
const odd = ['pipe', 'socket', 'device', 'nothing', 'folder'] as const

beforeAll(async () => {
  one = await onePeer()
  const { scratch } = one
  execFileSync('mkfifo', [join(scratch, 'pipe')])
  socket = createServer().listen(join(scratch, 'socket'))
  execFileSync('ln', ['-s', '/dev/zero', join(scratch, 'device')])
  mkdirSync(join(scratch, 'folder'))
  await drawSamples(join(scratch, 'images'), { count: 3, seed: 1 })
  writeFileSync(join(scratch, 'table.csv'), 'a,b\n1,2\n3,4\n')
})
afterAll(async () => {
  socket.close()
  await one.stop()
})

const places: Record<string, (path: string) => string[]> = {
  model: path => ['submit', 'classify', 'images', '--model', path],
  labels: path => ['submit', 'classify', 'images', '--model', network, '--labels', path],
  input: path => ['submit', 'classify', path, '--model', network],
  fit: path => ['submit', 'classify', 'images', '--model', network, '--merge', 'weighted', '--fit', path],
  table: path => ['submit', 'train', 'kmeans', path, '--k', '2', '--out', 'k.onnx'],
  'scored table': path => ['submit', 'score', path, '--model', network],
  'embedding network': path => ['submit', 'embed', 'images', '--model', path],
  'first centres': path => ['submit', 'train', 'kmeans', 'table.csv', '--k', '2', '--init', path, '--out', 'k.onnx'],
  checkpoint: path => ['submit', 'train', 'kmeans', 'table.csv', '--k', '2', '--checkpoint', path, '--out', 'k.onnx'],
  network: path => ['infer', path, '--out', 'outputs'],
  array: path => ['infer', network, '--input', `x=${path}`, '--out', 'outputs'],
}

test.each(Object.entries(places))('%s', async (place, args) => {
  for (const kind of odd) {
    // Where there is no checkpoint yet a training begins one.
    if (place === 'checkpoint' && kind === 'nothing') continue
    const ran = await one.cli(...args(kind))
    const said = ran.stderr.split('\n').filter(line => /^(peer|error): /.test(line))
    expect(ran.code, `${kind}: ${ran.stderr}`).toBeGreaterThan(0)
    expect(said, `${kind}: ${ran.stderr}`).toHaveLength(1)
    expect(ran.stderr, kind).not.toMatch(/\n {4}at |broken invariant/)
    if (kind !== 'folder' || place !== 'input') expect(said[0], kind).toContain(kind)
  }
})

test('of peers: a token, a data folder, a list of inputs, remembered options', async () => {
  const { scratch } = one
  for (const kind of ['socket', 'nothing']) {
    const started = await peer(['start', '--join-file', kind, '--data', 'new'], { cwd: scratch })
    expect(started).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(new RegExp(`^peer: --join-file ${kind} [^\n]+\n$`)),
    })
    const listed = await one.cli('submit', 'classify', '--files-from', kind, '--model', network)
    expect(listed).toMatchObject({ code: 2, stderr: expect.stringContaining(kind) })
  }
  for (const kind of ['pipe']) {
    const started = await peer(['start', '--data', kind], { cwd: scratch })
    expect(started).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a folder') })
  }
  mkdirSync(join(scratch, 'piped'))
  execFileSync('mkfifo', [join(scratch, 'piped/config.json')])
  const piped = await peer(['start', '--data', 'piped'], { cwd: scratch })
  expect(piped).toMatchObject({ code: 2, stderr: expect.stringContaining('config.json: it is a pipe') })
})

test('results go to no socket and no disk', async () => {
  for (const args of [places.input('images'), ['token']]) {
    const ran = await one.cli(...args, '--out', 'socket')
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(/^peer: [^\n]*socket[^\n]*$/m) })
  }
})

test('the same through the library', async () => {
  const cwd = one.scratch
  const base = {
    workload: 'classify' as const,
    inputs: ['images'],
    cwd,
    models: [network],
    merge: 'mean' as const,
    top: 1,
  }
  for (const kind of ['pipe', 'socket', 'device', 'nothing']) {
    const requests: JobRequest[] = [
      { ...base, labels: kind },
      { ...base, models: [kind] },
      { ...base, inputs: [kind] },
      { workload: 'train', inputs: [kind], cwd, options: { method: 'kmeans', k: 2 } },
    ]
    for (const request of requests)
      await expect(one.peer.submit(request), JSON.stringify(request)).rejects.toMatchObject({
        message: expect.stringContaining(kind),
      })
  }
})
