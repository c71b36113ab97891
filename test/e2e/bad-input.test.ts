/** The command typed wrong, the folder empty, the model broken: one clear line, exit code 2, no work started. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { missing, shared } from '../fixtures/shared.ts'
import { type ProcessMesh, startMeshOfProcesses } from './mesh-of-processes.ts'
import { command } from './peer-command.ts'

const demoModel = join(packageRoot, 'demo/models')

/** A black one-bit PNG: 112 MB of zeros that compress to almost nothing. */
function blackPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const whole = Buffer.alloc(body.length + 8)
    whole.writeUInt32BE(data.length, 0)
    body.copy(whole, 4)
    whole.writeUInt32BE(crc32(body), body.length + 4)
    return whole
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head[8] = 1 // bit depth; the rest 0: grey, deflate, no interlace
  const rows = deflateSync(Buffer.alloc(height * (1 + Math.ceil(width / 8))), { level: 1 })
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))])
}

describe('bad input', { timeout: 120_000 }, () => {
  let scratch: string
  let mesh: ProcessMesh
  let model: string
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'shardmesh-bad-'))
    mesh = await startMeshOfProcesses([{}])
    const { readdir } = await import('node:fs/promises')
    model = join(demoModel, (await readdir(demoModel)).sort()[0])
    await mkdir(join(scratch, 'empty'))
    await mkdir(join(scratch, 'images'))
    await sharp({ create: { width: 40, height: 30, channels: 3, background: 'teal' } })
      .jpeg()
      .toFile(join(scratch, 'images/good.jpg'))
    await writeFile(join(scratch, 'broken.onnx'), 'this is no network')
    await writeFile(join(scratch, 'three.txt'), 'a\nb\nc\n')
  })
  afterAll(async () => {
    await mesh.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  const submit = (...args: string[]) =>
    command(['submit', 'classify', ...args, '--data', mesh.peers[0].data], { cwd: scratch })

  function expectRefused(ran: { code: number; stderr: string }, says: RegExp): void {
    expect(ran.stderr).toMatch(says)
    expect(ran.code, ran.stderr).toBe(2)
    // On a slow machine it also says what it waits for.
    const lines = ran.stderr.split('\n').filter(line => line !== '' && !line.startsWith('  waiting for '))
    expect(lines, ran.stderr).toHaveLength(1)
  }

  test('no images, or none such', async () => {
    expectRefused(await submit('empty', '--model', model), /no images in empty/)
    expectRefused(await submit('nowhere', '--model', model), /nowhere does not exist/)
    expectRefused(await submit('*.tif', '--model', model), /matches no file/)
  })

  test('a model that is not there, or not ONNX', async () => {
    expectRefused(await submit('images', '--model', 'nowhere'), /nowhere does not exist/)
    expectRefused(await submit('images', '--model', 'broken.onnx'), /broken\.onnx: this is not a whole ONNX file/)
    expectRefused(await submit('images', '--model', 'empty'), /has no model\.onnx/)
  })

  test('labels, weights and output files that do not fit', async () => {
    const onnx = join(model, 'model.onnx')
    expectRefused(
      await submit('images', '--model', onnx, '--labels', 'three.txt'),
      /gives 10 values an image, but three\.txt has 3 labels/,
    )
    expectRefused(await submit('images', '--model', model, '--model', onnx), /do not have the same labels/)
    expectRefused(await submit('images', '--model', model, '--weights', '1,2'), /--weights has 2 numbers for 1 models/)
    expectRefused(await submit('images', '--model', model, '--out', 'p.xlsx'), /end it in \.csv or \.jsonl/)
    expectRefused(
      await submit('images', '--model', model, '--out', 'nowhere/p.csv'),
      /does not exist or cannot be written/,
    )
  })

  test('words that the command does not have', async () => {
    const ran = await command(['sumbit'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/unknown command 'sumbit'[\s\S]*submit/)
    expect((await command(['submit', 'classify', 'images'])).code).toBe(2)
    expect((await command(['start', '--workers', 'many'])).code).toBe(2)
    expect((await command(['--help'])).code).toBe(0)
  })

  test('a token, a port, a folder and a job that are wrong', async () => {
    const start = (...args: string[]) => command(['start', '--no-mdns', '--no-gpu', ...args])
    expectRefused(await start('--data', join(scratch, 'a'), '--join', 'amber-otter.garbage'), /token/)
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    expectRefused(
      await start('--data', join(scratch, 'b'), '--listen', `/ip4/127.0.0.1/tcp/${port}`),
      new RegExp(String(port)),
    )
    server.close()
    await writeFile(join(scratch, 'file'), '')
    expectRefused(await start('--data', join(scratch, 'file', 'inside')), /cannot be used/)
    expectRefused(
      await start('--data', mesh.peers[0].data, '--listen', '/ip4/127.0.0.1/tcp/0'),
      /already runs with this data folder/,
    )
    expectRefused(await command(['peers', '--data', join(scratch, 'nobody')]), /no peer runs with this data folder/)
    expectRefused(await command(['watch', 'abcdef', '--data', mesh.peers[0].data]), /no job begins with abcdef/)
    for (const verb of ['watch', 'results', 'cancel', 'drop'])
      expectRefused(await command([verb, '', '--data', mesh.peers[0].data]), /the id of the job is empty/)
    await expect(mesh.clients[0].job('')).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    expectRefused(await command(['token', '--out', '', '--data', mesh.peers[0].data]), /--out is empty/)
  })

  test('images that cannot be read are rows with a reason, and stop nothing', async () => {
    const folder = join(scratch, 'mixed')
    await mkdir(folder)
    const good = await readFile(join(scratch, 'images/good.jpg'))
    await writeFile(join(folder, 'a-good.jpg'), good)
    await writeFile(join(folder, 'b-empty.jpg'), '')
    await writeFile(join(folder, 'c-text.jpg'), 'hello')
    const noise = await sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
      .jpeg()
      .toBuffer()
    await writeFile(join(folder, 'd-cut.jpg'), noise.subarray(0, noise.length / 2))
    await writeFile(join(folder, 'e-huge.png'), blackPng(30_000, 30_000))
    await writeFile(join(folder, 'f-locked.jpg'), good)
    await chmod(join(folder, 'f-locked.jpg'), 0)
    await writeFile(join(folder, 'g-good.jpg'), good)

    const ran = await submit('mixed', '--model', model, '--out', 'mixed.csv')
    expect(ran.code, ran.stderr).toBe(0)
    const rows = (await readFile(join(scratch, 'mixed.csv'), 'utf8'))
      .trim()
      .split('\n')
      .slice(1)
      .map(line => line.split(',')[0])
    const errors = (await readFile(join(scratch, 'mixed.errors.csv'), 'utf8')).trim().split('\n').slice(1)
    const reason = Object.fromEntries(errors.map(line => [line.split(',')[0], line]))
    // Root may read what nobody may.
    const readable = process.getuid?.() === 0 ? ['mixed/f-locked.jpg'] : []
    expect(rows).toEqual(['mixed/a-good.jpg', ...readable, 'mixed/g-good.jpg'])
    expect(reason['mixed/b-empty.jpg']).toMatch(/empty/)
    expect(reason['mixed/c-text.jpg']).toMatch(/not an image/)
    expect(reason['mixed/d-cut.jpg']).toMatch(/cut off|truncated|damaged/)
    expect(reason['mixed/e-huge.png']).toMatch(/pixels|large/)
    expect(ran.stderr).toMatch(/unreadable \(listed in mixed\.errors\.csv\)/)
  })

  test('without a running peer the machine computes alone, and --detach says what it needs', async () => {
    const data = join(scratch, 'alone')
    const ran = await command(['submit', 'classify', 'images', '--model', model, '--data', data], { cwd: scratch })
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stdout.split('\n')[0]).toMatch(/^path,label,score,/)
    expect(ran.stdout.split('\n')[1]).toMatch(/^images\/good\.jpg,/)
    expectRefused(
      await command(['submit', 'classify', 'images', '--model', model, '--detach', '--data', data], { cwd: scratch }),
      /--detach needs another peer/,
    )
  })

  test.skipIf(missing('networks that do not fit', 1))('networks of another kind say what they are', async () => {
    expectRefused(
      await submit('images', '--model', join(shared as string, 'models/ultraface-rfb320.onnx')),
      /is not a classifier|operators/,
    )
  })
})
